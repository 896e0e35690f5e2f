"""One approval as it is kept: the exact call that was shown, who asked, and who has answered."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from interlock_core.call import Call
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_core.protocols import Prepared


class ApprovalState(StrEnum):
    """What became of a question."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAnswer:
    """What one person said.

    Attributes:
        user: Who.
        granted: Yes or no.
        reason: Their words.
        at: When, in seconds since 1970.
    """

    user: str
    granted: bool
    reason: str
    at: float

    def as_json(self) -> JsonObject:
        """The answer as a JSON object."""
        return {"user": self.user, "granted": self.granted, "reason": self.reason, "at": self.at}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingApproval:
    """One question.

    Attributes:
        id: Its id.
        digest: Stands for the exact call, and for who asked.
        state: What became of it.
        tool: Name of the tool.
        effect: What the call may do.
        user: Who asked.
        agent: The agent that acts for the user.
        run: The run that the call belongs to.
        taint: Untrusted sources that had come into the run.
        shown: What would be sent, with secrets hidden.
        people: How many must say yes.
        others: Whether who asked counts for nobody.
        asked_at: When, in seconds since 1970.
        expires_at: First moment at which nothing is answered and no answer counts.
        answers: What people said so far.
    """

    id: str
    digest: str
    state: ApprovalState
    tool: str
    effect: str
    user: str
    agent: str | None
    run: str | None
    taint: tuple[str, ...]
    shown: str
    people: int
    others: bool
    asked_at: float
    expires_at: float
    answers: tuple[ApprovalAnswer, ...] = ()

    @property
    def granted_by(self) -> frozenset[str]:
        """Who said yes."""
        return frozenset(answer.user for answer in self.answers if answer.granted)

    def as_json(self) -> JsonObject:
        """The question as a JSON object."""
        taint: list[Json] = [*self.taint]
        answers: list[Json] = [answer.as_json() for answer in self.answers]
        return {
            "id": self.id,
            "state": self.state.value,
            "tool": self.tool,
            "effect": self.effect,
            "user": self.user,
            "agent": self.agent,
            "run": self.run,
            "taint": taint,
            "request": self.shown,
            "digest": self.digest,
            "people": self.people,
            "others": self.others,
            "asked_at": self.asked_at,
            "expires_at": self.expires_at,
            "answers": answers,
        }


def request_digest(call: Call, prepared: Prepared) -> str:
    """Stands for one exact call of one user: the tool, every argument, every byte that would be sent."""
    request = prepared.request
    exact: Json = None
    if request is not None:
        headers: list[Json] = [[name, value] for name, value in request.headers]
        exact = [request.method, request.url, headers, None if request.body is None else request.body.hex()]
    who: list[Json] = [call.principal.user, call.agent]
    whole: list[Json] = [*who, prepared.tool.name, prepared.tool.effect.value, prepared.arguments, exact]
    text = dump_json(whole, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def shown_request(prepared: Prepared) -> str:
    """What would be sent, for a person."""
    if prepared.request is None:
        return dump_json(prepared.arguments, indent=2)
    return prepared.request.readable()
