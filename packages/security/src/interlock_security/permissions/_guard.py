"""Permission as a guard around calls."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from interlock_core.call import Call, Verdict
from interlock_core.errors import ApprovalDeniedError, InterlockError, PermissionDeniedError
from interlock_core.protocols import Permit

_logger = logging.getLogger("interlock.security")


class RefusalLog(Protocol):
    """Notes refused calls. `AuditLog` is one."""

    def refusal(self, call: Call, verdict: Verdict) -> Awaitable[object]:
        """Note that a call was refused, and why."""
        ...


class PermissionGuard:
    """Lets a call pass when it is permitted.

    Args:
        permit: Says who may do what.
        refusals: Where a refusal is noted. That noting fails changes nothing: the call stays refused.
        approval_follows: Whether people are asked after this guard; without, what needs approval is refused.
        refresh: Brings what others changed in the store into force before a call is judged.
    """

    __slots__ = ("_approval_follows", "_permit", "_refresh", "_refusals")

    def __init__(
        self,
        permit: Permit,
        *,
        refusals: RefusalLog | None = None,
        approval_follows: bool = False,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._permit = permit
        self._refusals = refusals
        self._approval_follows = approval_follows
        self._refresh = refresh

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a permitted call is made.

        Raises:
            PermissionDeniedError: It is not permitted; nothing was done.
            ApprovalDeniedError: People must approve it, and nobody is asked here.
            StoreError: What others changed cannot be read.
        """
        if self._refresh is not None:
            await self._refresh()
        verdict = self._permit.may(call)
        if not verdict.allowed:
            await self._note(call, verdict)
            raise PermissionDeniedError(verdict.reason, field=call.name[:80], remedy=_remedy(call, verdict))
        if verdict.approvals and not self._approval_follows:
            await self._note(call, verdict)
            raise ApprovalDeniedError(verdict.reason, field=call.name[:80])
        yield

    async def _note(self, call: Call, verdict: Verdict) -> None:
        if self._refusals is None:
            return
        try:
            await self._refusals.refusal(call, verdict)
        except InterlockError:
            _logger.exception("a refused %s call was not recorded", call.kind.value)


def _remedy(call: Call, verdict: Verdict) -> str | None:
    if verdict.rule != "default-deny":
        return None
    return f"Whoever administers this can grant a role: interlock roles grant {call.principal.user} ROLE."
