"""Which calls people must approve, by the settings and by the rules; who is asked, and the record of it.

Whoever is at hand is asked first: the person at the terminal, or behind the client that made the call. Where
nobody is, or where a rule wants others than who asks, the question waits at the desk in the store. Without an
answer in time it is a no.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from interlock_core import Approval, Approver, Call, JsonObject, Prepared, Principal, Verdict
from interlock_core.errors import InterlockError, StoreError
from interlock_pipeline import any_change, destructive_or_tainted

if TYPE_CHECKING:
    from interlock_runtime.settings import ApprovalSettings
    from interlock_security import ApprovalDesk, AuditLog, PendingApproval, PermissionChecker

_LOOK_EVERY_S = 0.5

_logger = logging.getLogger("interlock.runtime")


def approval_rule(require: Literal["destructive", "write", "never"]) -> Callable[[Call], bool]:
    """The rule that a setting names; it only ever asks about what a run decided on."""
    return {"destructive": destructive_or_tainted, "write": any_change, "never": _nothing}[require]


def needs_approval(settings: "ApprovalSettings", checker: "PermissionChecker") -> Callable[[Call], bool]:
    """Whether a call needs people to approve it: by the settings, or by a rule of a role."""
    chosen = approval_rule(settings.require)
    return lambda call: chosen(call) or checker.may(call).approvals > 0


def _nothing(call: Call) -> bool:
    return False


_in_context: ContextVar[Approver | None] = ContextVar("interlock_approver", default=None)


@contextmanager
def asking(approver: Approver) -> Generator[None, None, None]:
    """The context in which questions go to whoever made the call, such as a client that can ask its user."""
    token = _in_context.set(approver)
    try:
        yield
    finally:
        _in_context.reset(token)


class NearestApprover:
    """Wraps an approver: the one of the context is asked where there is one.

    Args:
        inner: Who is asked otherwise.
    """

    def __init__(self, inner: Approver) -> None:
        self._inner = inner

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Ask."""
        return await (_in_context.get() or self._inner).approve(call, prepared)


class DeskApprover:
    """Wraps an approver: what nobody at hand may answer waits at the desk.

    Args:
        inner: Who is at hand.
        desk: Where questions wait.
        checker: Knows how many must approve, and whether others than who asks.
        wait_s: Seconds that a call waits for the answer; with 0 it is refused, and comes again after it.
    """

    def __init__(
        self, inner: Approver, desk: "ApprovalDesk", checker: "PermissionChecker", *, wait_s: float
    ) -> None:
        self._inner = inner
        self._desk = desk
        self._checker = checker
        self._wait_s = wait_s

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Ask whoever is at hand, then at the desk.

        Raises:
            StoreError: The desk cannot be reached.
        """
        people, others = self._checker.demand(call)
        why = "somebody else must approve it"
        if not others:
            said = await self._inner.approve(call, prepared)
            if said.granted or said.by:
                return said
            why = said.reason or "nobody answered"
        try:
            asked = await self._desk.ask(call, prepared, people=max(1, people), others=others)
        except StoreError:
            raise
        except InterlockError as error:
            return Approval(granted=False, reason=f"{why}; {error.message}")
        asked = await self._answered(asked, call)
        return await self._said(asked, call, prepared, why)

    async def _said(self, asked: "PendingApproval", call: Call, prepared: Prepared, why: str) -> Approval:
        """What an answer comes to; a yes is used up, and held against the rules once more."""
        denied = next((answer for answer in asked.answers if not answer.granted), None)
        if denied is not None:
            reason = f"{denied.user} said no{f': {denied.reason}' if denied.reason else ''}"
            return Approval(granted=False, by=denied.user, reason=reason)
        verdict = self._checker.may_after(call, asked.granted_by)
        if verdict.allowed and not verdict.approvals and await self._desk.use(asked, call, prepared):
            return Approval(granted=True, by=", ".join(sorted(asked.granted_by)))
        how = f"'interlock approvals approve {asked.id}'"
        return Approval(granted=False, reason=f"{why}; it waits as {asked.id} for {how}")

    async def _answered(self, asked: "PendingApproval", call: Call) -> "PendingApproval":
        """The question once it is answered, or when nobody waits any longer."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_s
        if call.deadline is not None:
            until = min(until, call.deadline)
        while asked.state.value == "pending" and (left := until - loop.time()) > 0:
            await asyncio.sleep(min(_LOOK_EVERY_S, left))
            asked = await self._desk.get(asked.id)
        return asked


class Approvals:
    """The questions that wait, as faces show and answer them.

    Args:
        desk: Where they wait.
        local: The user at this machine.
    """

    def __init__(self, desk: "ApprovalDesk", local: Callable[[], Awaitable[Principal]]) -> None:
        self._desk = desk
        self._local = local

    async def list(self, *, every: bool = False, by: Principal | None = None) -> Sequence[JsonObject]:
        """The questions that wait, and with `every` those that are over.

        The user at this machine looks when `by` is None.

        Raises:
            PermissionDeniedError: `by` may see none.
        """
        found = await self._desk.list(by=by or await self._local(), every=every)
        return [asked.as_json() for asked in found]

    async def ask(self, call: Call, prepared: Prepared, *, others: bool = False) -> JsonObject:
        """Put a question that waits for one person.

        Args:
            call: The call.
            prepared: Exactly what would be sent.
            others: Whether who asks counts for nobody.
        """
        return (await self._desk.ask(call, prepared, people=1, others=others)).as_json()

    async def answer(
        self, approval: str, *, granted: bool, reason: str = "", by: Principal | None = None
    ) -> JsonObject:
        """Answer one; the user at this machine does by default.

        Raises:
            NotFoundError: There is none of that id.
            PermissionDeniedError: `by` may not answer it.
            ConflictError: It is answered, used or over.
        """
        who = by or await self._local()
        return (await self._desk.answer(approval, by=who, granted=granted, reason=reason)).as_json()


class RecordedApprover:
    """Wraps an approver: every answer is in the audit log.

    A yes that cannot be recorded is none; a no stays a no, recorded or not.

    Args:
        inner: Who is asked.
        audit: Where the answers are recorded.
    """

    def __init__(self, inner: Approver, audit: "AuditLog") -> None:
        self._inner = inner
        self._audit = audit

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Ask, and record the answer.

        Raises:
            AuditUnavailableError: The answer was yes and could not be recorded.
        """
        answer = await self._inner.approve(call, prepared)
        if answer.granted:
            await self._audit.note(
                "approved", call.principal, {"call": call.id, "name": call.name, "by": answer.by}
            )
            return answer
        reason = answer.reason or f"{answer.by or 'the approver'} said no"
        try:
            await self._audit.refusal(call, Verdict(allowed=False, reason=reason, rule="approval"))
        except InterlockError:
            _logger.exception("a call that was not approved was not recorded")
        return answer


def asked_people(
    settings: "ApprovalSettings",
    approver: Approver,
    desk: "ApprovalDesk",
    checker: "PermissionChecker",
    audit: "AuditLog",
) -> Approver:
    """Who is asked, in the order that this module states, with every answer recorded."""
    waiting = DeskApprover(NearestApprover(approver), desk, checker, wait_s=settings.wait_s)
    return RecordedApprover(waiting, audit)
