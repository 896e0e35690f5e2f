"""Asks the person behind an MCP client whether a call may be made. No answer means no.

The newer form of the protocol has no requests of servers: the call itself is answered with what must be
asked, and comes again with the answer. What was shown is named by a hash that comes with it: an answer
counts for exactly that call, of that person, and for no other. A client that cannot ask, or that answers
something else than yes, means no.

Not covered: a client that answers without asking anybody. It holds the user's key, so it speaks for the user.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from interlock_core.call import Call
from interlock_core.errors import ApprovalDeniedError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_core.protocols import Approval, Prepared

Context: TypeAlias = ServerRequestContext[Any, Any]
"""One request of a client, as the SDK hands it on."""

_KEY = "approval"
_FIRST_WITHOUT_REQUESTS = "2026"
_PATIENCE_S = 600.0
_LONGEST = 8_000
_FORM: JsonObject = {
    "type": "object",
    "properties": {
        "approve": {
            "type": "boolean",
            "title": "Make this call?",
            "description": "No means that nothing is done.",
        }
    },
    "required": ["approve"],
}


class AskFirstError(ApprovalDeniedError):
    """The person must be asked, in a round of its own.

    Args:
        question: What the client is answered with.
    """

    def __init__(self, question: InputRequiredResult) -> None:
        super().__init__("The user is asked whether this call may be made.")
        self.question = question


class ClientApprover:
    """An `Approver` that asks through the client that made the call.

    Args:
        context: The request that the call came in.
        answers: What the client answered in this round, if it is one.
        state: What it was given to bring back.
    """

    def __init__(self, context: Context, *, answers: Mapping[str, object] | None, state: str | None) -> None:
        self._context = context
        self._answers = answers or {}
        self._state = state

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Ask about one call, showing exactly what would be sent.

        Raises:
            AskFirstError: The question goes out as the answer to this request.
        """
        if not self._can_ask():
            return Approval(granted=False, reason="the client cannot ask its user")
        shown = _shown(call, prepared)
        if len(shown) > _LONGEST:
            return Approval(granted=False, reason="the call is too long to be shown whole")
        question = ElicitRequest(params=ElicitRequestFormParams(message=shown, requested_schema=dict(_FORM)))
        if self._context.protocol_version < _FIRST_WITHOUT_REQUESTS:
            return _verdict(call, await self._asked(question))
        mark = _mark(call, prepared, shown)
        if self._state != mark or _KEY not in self._answers:
            raise AskFirstError(InputRequiredResult(input_requests={_KEY: question}, request_state=mark))
        given = self._answers[_KEY]
        return _verdict(call, given if isinstance(given, ElicitResult) else None)

    def _can_ask(self) -> bool:
        able = self._context.session.client_capabilities
        if able is None or able.elicitation is None:
            return False
        if able.elicitation.form is None and able.elicitation.url is not None:
            return False
        modern = self._context.protocol_version >= _FIRST_WITHOUT_REQUESTS
        return modern or self._context.session.can_send_request

    async def _asked(self, question: ElicitRequest) -> ElicitResult | None:
        try:
            return await self._context.session.send_request(
                question,
                ElicitResult,
                request_read_timeout_seconds=_PATIENCE_S,
                metadata=ServerMessageMetadata(related_request_id=self._context.request_id),
            )
        except (MCPError, ValidationError):
            return None


def _verdict(call: Call, answer: ElicitResult | None) -> Approval:
    granted = (
        answer is not None and answer.action == "accept" and (answer.content or {}).get("approve") is True
    )
    reason = "" if granted else ("the client gave no answer" if answer is None else "the user said no")
    return Approval(granted=granted, by=call.principal.user, reason=reason)


def _mark(call: Call, prepared: Prepared, shown: str) -> str:
    """Stands for one call of one person: every byte of it that would be sent, and what was shown of it."""
    request = prepared.request
    exact: Json = prepared.arguments
    if request is not None:
        headers: list[Json] = [[name, value] for name, value in request.headers]
        body = None if request.body is None else request.body.hex()
        exact = [request.method, request.url, headers, body]
    whole: list[Json] = [call.principal.user, call.principal.key_id, shown, exact]
    return hashlib.sha256(dump_json(whole).encode("utf-8", "surrogatepass")).hexdigest()


def _shown(call: Call, prepared: Prepared) -> str:
    """Exactly what would be sent, for a person; nothing in it that nobody sees."""
    request = prepared.request
    lines = [f"Make this call? {call.name} ({call.effect})"]
    if request is None:
        lines.append(dump_json(prepared.arguments, indent=2))
    else:
        lines.append(request.readable())
    return "".join(
        letter if letter == "\n" or letter.isprintable() else f"<U+{ord(letter):04X}>"
        for letter in "\n".join(lines)
    )
