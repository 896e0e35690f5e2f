"""Asks a person before chosen calls are made. Nobody there, or no answer, means no."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock_core import Approval, Approver, Call, Effect, Prepared, ToolCall, ToolExecutor, ToolResult
from interlock_core.errors import ApprovalDeniedError


@dataclass(frozen=True, slots=True)
class Nobody:
    """The approver where no person can be asked: always no."""

    reason: str = "nobody can be asked here"

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Say no."""
        return Approval(granted=False, reason=self.reason)


def destructive_only(call: Call) -> bool:
    """Chooses what an agent or a run decided on and cannot be undone."""
    return _by_a_run(call) and call.effect is Effect.DESTRUCTIVE


def any_change(call: Call) -> bool:
    """Chooses everything that an agent or a run decided on and that changes something."""
    return _by_a_run(call) and call.effect.has_side_effects


def destructive_or_tainted(call: Call) -> bool:
    """Chooses what cannot be undone, and every change after untrusted content came into the run.

    Whoever wrote that content may be the one who wants the change.
    """
    return destructive_only(call) or (bool(call.taint) and any_change(call))


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
            approval = await self._approver.approve(context, shown)
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
