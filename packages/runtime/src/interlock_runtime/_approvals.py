"""Which calls a person must approve, by the settings, and the record of every answer."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from interlock_core import Approval, Approver, Call, Prepared, Verdict
from interlock_core.errors import InterlockError
from interlock_pipeline import any_change, destructive_or_tainted

if TYPE_CHECKING:
    from interlock_security import AuditLog

_logger = logging.getLogger("interlock.runtime")


def approval_rule(require: Literal["destructive", "write", "never"]) -> Callable[[Call], bool]:
    """The rule that a setting names; it only ever asks about what a run decided on."""
    return {"destructive": destructive_or_tainted, "write": any_change, "never": _nothing}[require]


def _nothing(call: Call) -> bool:
    return False


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
