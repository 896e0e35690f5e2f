"""Rules that bound what a call of a tool may cost, and where its price is stated."""

from dataclasses import replace

import pytest

from interlock_core import Call, CallKind, Money, ToolCall, new_id
from interlock_core.errors import PermissionDeniedError
from interlock_core.jsontypes import Json
from interlock_runtime import RightQuestion, Runtime
from interlock_runtime._access import local_user
from interlock_runtime.settings import QuotaSettings, ToolSettings, UserSettings
from interlock_tools.testing.github import GitHubStandIn

from .conftest import MakeSettings

BUYER: dict[str, Json] = {"allow": [{"tools": ["github.*"], "cost_at_most": 50_000}]}
LIST = '{"owner": "acme", "repo": "notes"}'


def buying(tool: ToolSettings, *prices: float) -> dict[str, object]:
    """The tables of a user who may call tools up to five cents."""
    stated = [
        QuotaSettings(scope="tool", name="github.*" if place else "github.issues_*", call_usd=price)
        for place, price in enumerate(prices)
    ]
    user = UserSettings(roles=("buyer",))
    return {
        "tools": {"github": tool},
        "quotas": tuple(stated),
        "roles": {"buyer": BUYER},
        "users": {local_user(): user},
    }


@pytest.mark.promise("A5")
async def test_a_tool_without_a_price_is_denied_where_a_rule_bounds_it(
    make: MakeSettings, on_github: ToolSettings, github: GitHubStandIn
) -> None:
    """The reason names the table that is missing, to the caller and to whoever asks why."""
    async with Runtime.open(make(**buying(on_github))) as runtime:
        with pytest.raises(PermissionDeniedError) as refused:
            await runtime.tools.call("github.issues_list", LIST)
        tool = await runtime.tools.named("github.issues_list")
        found = await runtime.access.rules.explain(RightQuestion(user=runtime.principal.user, tool=tool))
    for text in (refused.value.message, found.verdict.reason):
        assert 'call_usd of [[quotas]] with scope = "tool" and name = "github.issues_list"' in text
    assert not github.requests


@pytest.mark.promise("A5")
@pytest.mark.parametrize(("prices", "allowed"), [((0.05,), True), ((0.0,), True), ((0.01, 0.06), False)])
async def test_a_stated_price_is_held_against_the_rule(
    make: MakeSettings, on_github: ToolSettings, prices: tuple[float, ...], allowed: bool
) -> None:
    """Free or at the bound it passes; of several prices the largest counts."""
    async with Runtime.open(make(**buying(on_github, *prices))) as runtime:
        tool = await runtime.tools.named("github.issues_list")
        question = RightQuestion(user=runtime.principal.user, tool=tool)
        found = await runtime.access.rules.explain(question)
        dear = await runtime.access.rules.explain(replace(question, cost=Money(50_001)))
        assert (found.verdict.allowed, dear.verdict.allowed) == (allowed, False)
        if allowed:
            assert not (await runtime.tools.call("github.issues_list", LIST)).is_error
            return
        with pytest.raises(PermissionDeniedError, match="it can cost 60000 micro-USD"):
            await runtime.tools.call("github.issues_list", LIST)


@pytest.mark.promise("A5")
async def test_the_caller_does_not_set_the_price(make: MakeSettings, on_github: ToolSettings) -> None:
    """A bound that comes with the call is neither believed where it is lower, nor where there is no price."""
    for prices in ((), (0.06,)):
        async with Runtime.open(make(**buying(on_github, *prices))) as runtime:
            tool = await runtime.tools.named("github.issues_list")
            call = ToolCall(id=new_id("call"), name=tool.name, arguments=LIST)
            context = Call(
                id=call.id,
                kind=CallKind.TOOL,
                name=tool.name,
                principal=runtime.principal,
                effect=tool.effect,
                category=tool.category,
                cost_bound=Money(1),
            )
            with pytest.raises(PermissionDeniedError):
                await runtime.tools.executor.execute(call, context)
