"""Asks a person before chosen calls are made. Nobody there, or no answer, means no."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from interlock_core import (
    Approval,
    Approver,
    Call,
    Effect,
    Json,
    Prepared,
    ToolCall,
    ToolExecutor,
    ToolResult,
)
from interlock_core.errors import ApprovalDeniedError

_DOT = r"[.\u3002\uff0e\uff61]"
_HOST = rf"(?:[\w-]+{_DOT})+[^\W\d][\w-]*{_DOT}?|(?:\d+\.){{3}}\d+"
_ADDRESS = re.compile(
    rf"(?i)\b(?:https?|wss?|ftps?):|:[/\\]{{2}}|^\s*[/\\]{{2}}|www\.|(?<![\w./\\-])(?:{_HOST})(?::\d+)?[/?#]"
)
_CALLED = re.compile(r"(?:[A-Z]|(?<![A-Za-z])[a-z])[a-z]*$|[A-Z]+$")
_ADDRESSES = frozenset(
    (
        *("url", "urls", "uri", "uris", "href", "link", "links", "website", "webpage"),
        *("host", "hosts", "hostname", "hostnames", "domain", "domains"),
    )
)
_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Nobody:
    """The approver where no person can be asked: always no."""

    reason: str = "nobody can be asked here"

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Say no."""
        return Approval(granted=False, reason=self.reason)


@dataclass(frozen=True, slots=True)
class ApprovalNews:
    """A person is asked about a call, or has answered.

    Attributes:
        prepared: What is shown.
        approval: The answer; None while there is none.
    """

    prepared: Prepared
    approval: Approval | None = None


_listener: ContextVar[Callable[[ApprovalNews], None] | None] = ContextVar(
    "interlock_approval_listener", default=None
)


@contextmanager
def hearing_approvals(listener: Callable[[ApprovalNews], None]) -> Generator[None, None, None]:
    """The context in which somebody is told when a person is asked, and what they said."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _tell(news: ApprovalNews) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(news)


def destructive_only(call: Call) -> bool:
    """Chooses what an agent or a run decided on and cannot be undone."""
    return _by_a_run(call) and call.effect is Effect.DESTRUCTIVE


def any_change(call: Call) -> bool:
    """Chooses everything that an agent or a run decided on and that changes something."""
    return _by_a_run(call) and call.effect.has_side_effects


def destructive_or_tainted(call: Call) -> bool:
    """Chooses what cannot be undone, and what a stranger may want once a run has read untrusted content.

    That is every change, and every call that is given an address: to read from an address of a stranger's
    choice tells the stranger what stands in it.
    """
    if destructive_only(call):
        return True
    tainted = bool(call.taint) and _by_a_run(call)
    return tainted and (call.effect.has_side_effects or _holds_address(call.arguments))


def _holds_address(value: Json, name: str = "") -> bool:
    """Whether an argument holds an address of the web, however deep.

    It does when a text looks like one: a scheme, `www.`, or a host that a path follows. It does also when
    its name says so, such as `page_url`: what takes an address mostly takes a bare host for one too.

    A bare host in an argument of another name is not seen: `notes.txt` is written in the same way.
    """
    if isinstance(value, str):
        return bool(value.strip()) and (_is_called_address(name) or _ADDRESS.search(value) is not None)
    if isinstance(value, list):
        return any(_holds_address(item, name) for item in value)
    return isinstance(value, dict) and any(_holds_address(item, key) for key, item in value.items())


def _is_called_address(name: str) -> bool:
    """Whether the last word of a name says address."""
    word = _CALLED.search(name.rstrip("_-0123456789")[-_LONGEST:])
    return word is not None and word.group().lower() in _ADDRESSES


def _by_a_run(call: Call) -> bool:
    """Whether more than a person's own hand made a call: theirs has neither agent nor run."""
    return call.agent is not None or call.run is not None


class ApprovingExecutor:
    """Wraps an executor: chosen calls are shown to a person before they are made.

    Args:
        inner: Makes the calls.
        approver: The person, or who stands for one.
        needs_approval: Which calls are chosen.
    """

    __slots__ = ("_approver", "_inner", "_needs_approval")

    def __init__(
        self,
        inner: ToolExecutor,
        approver: Approver,
        *,
        needs_approval: Callable[[Call], bool] = destructive_or_tainted,
    ) -> None:
        self._inner = inner
        self._approver = approver
        self._needs_approval = needs_approval

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it."""
        return await self._inner.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call after its approval.

        Raises:
            ApprovalDeniedError: The answer was no, there was none, or the tool has changed since.
        """
        if self._needs_approval(context):
            shown = await self._inner.prepare(call, context)
            _tell(ApprovalNews(shown))
            approval = await self._approver.approve(context, shown)
            _tell(ApprovalNews(shown, approval))
            if not approval.granted:
                why = approval.reason or f"{approval.by or 'the approver'} said no"
                raise ApprovalDeniedError(
                    f"The call of {context.name} was not approved: {why}.",
                    remedy="Do without it, or ask the user to approve it.",
                )
            now = await self._inner.prepare(call, context)
            if (now.tool, now.arguments) != (shown.tool, shown.arguments):
                raise ApprovalDeniedError(
                    f"The tool {context.name} has changed since its call was approved.",
                    remedy="Ask for approval again.",
                )
        return await self._inner.execute(call, context)
