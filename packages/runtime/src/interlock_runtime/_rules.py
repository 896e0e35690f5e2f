"""Overrides of single users, and why somebody may or may not do something, as faces show it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from interlock_core import Call, CallKind, JsonObject, Money, Principal, Taint, ToolSpec, new_id
from interlock_core.errors import PermissionDeniedError
from interlock_runtime._guarded import PriceOf
from interlock_security import Explanation, OverrideRequest, Overrides, PermissionChecker


@dataclass(frozen=True, slots=True, kw_only=True)
class RightQuestion:
    """May this user, and this agent, call that tool?

    Attributes:
        user: The user.
        tool: The tool.
        agent: The agent that would make the call.
        arguments: Its arguments.
        at: When, in seconds since 1970; now when None.
        tainted: Sources of untrusted text in the run.
        cost: Most money that the call can cost; what one call of the tool is stated to cost when None.
        approved_by: Who said yes to it.
    """

    user: str
    tool: ToolSpec
    agent: str | None = None
    arguments: JsonObject | None = None
    at: float | None = None
    tainted: tuple[str, ...] = ()
    cost: Money | None = None
    approved_by: tuple[str, ...] = ()


class Rules:
    """Explains rights, and keeps overrides.

    Args:
        checker: Knows the rules.
        overrides: The overrides.
        principal_of: A user by name.
        local: The user at this machine.

    Attributes:
        price_of: What one call of a tool costs; None until somebody knows prices.
    """

    def __init__(
        self,
        checker: PermissionChecker,
        overrides: Overrides,
        *,
        principal_of: Callable[[str], Awaitable[Principal]],
        local: Callable[[], Awaitable[Principal]],
    ) -> None:
        self._checker = checker
        self._overrides = overrides
        self._principal_of = principal_of
        self._local = local
        self.price_of: PriceOf | None = None

    async def explain(self, question: RightQuestion, *, by: Principal | None = None) -> Explanation:
        """Why, with every rule that was looked at, and what would have to change.

        Args:
            question: What is asked.
            by: Who wants to know; the user at this machine when None. One's own rights everybody may know.

        Raises:
            PermissionDeniedError: They are somebody else's, and `by` may not read roles.
        """
        asker = by or await self._local()
        if asker.user != question.user:
            self._require(asker, "roles.read")
        await self._overrides.refresh()
        tool, cost = question.tool, question.cost
        if cost is None and self.price_of is not None:
            cost = await self.price_of(tool.name)
        call = Call(
            id=new_id("call"),
            kind=CallKind.TOOL,
            name=tool.name,
            principal=await self._principal_of(question.user),
            agent=question.agent,
            effect=tool.effect,
            category=tool.category,
            arguments=question.arguments or {},
            taint=tuple(Taint(source=source, call_id="") for source in question.tainted),
            cost_bound=cost,
        )
        return self._checker.explain_call(call, approvals=frozenset(question.approved_by), at=question.at)

    async def overrides(
        self, user: str | None = None, *, by: Principal | None = None
    ) -> Sequence[JsonObject]:
        """Every override, or those of one user.

        Raises:
            PermissionDeniedError: `by` may not read roles.
        """
        self._require(by or await self._local(), "roles.read")
        return [override.as_json() for override in await self._overrides.list(user)]

    async def override(self, request: OverrideRequest, *, by: Principal | None = None) -> JsonObject:
        """Make an override; the user at this machine asks when `by` is None.

        Raises:
            InvalidRequestError: Something in it is wrong.
            PermissionDeniedError: `by` may not make it.
        """
        return (await self._overrides.add(request, by=by or await self._local())).as_json()

    async def remove_override(self, override: str, *, by: Principal | None = None) -> None:
        """Take an override away; the user at this machine asks when `by` is None.

        Raises:
            NotFoundError: There is none of that id.
            PermissionDeniedError: `by` may not.
        """
        await self._overrides.remove(override, by=by or await self._local())

    async def refresh(self) -> None:
        """Bring what other processes changed into force.

        Raises:
            StoreError: It cannot be read.
        """
        await self._overrides.refresh()

    def _require(self, principal: Principal, area: str) -> None:
        verdict = self._checker.may_manage(principal, area)
        if not verdict.allowed:
            raise PermissionDeniedError(verdict.reason, field=area)
