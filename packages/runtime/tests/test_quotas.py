"""Quotas of the settings, of commands and of keys, around models and tools, against a simulated vendor."""

import json
import sqlite3
import time
from contextlib import aclosing, closing
from pathlib import Path
from typing import cast

import pytest

from interlock_core import (
    Call,
    CallKind,
    CompletionRequest,
    JsonObject,
    Money,
    Principal,
    ResponseFormat,
    new_id,
)
from interlock_core.errors import (
    AnswerFormatError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    StoreError,
)
from interlock_core.jsontypes import as_object
from interlock_core.messages import user
from interlock_core.testing import Answer, LoopbackServer
from interlock_providers.testing import Failure, OpenAIChatServer, RawReply, Say
from interlock_runtime import KeyRequest, Runtime, load_settings
from interlock_runtime.settings import (
    AlertSettings,
    ModelSettings,
    PolicySettings,
    QuotaSettings,
    ToolSettings,
)

from .conftest import MakeSettings

PRICED = ModelSettings(input_usd=1.0, output_usd=2.0)
BOTH = {"acme/small": PRICED, "acme/large": PRICED}
EACH = QuotaSettings(scope="user", day_usd=1.0)
ADA = Principal(user="ada", roles=frozenset({"developer"}), team="core", organisation="acme")
GARBAGE = RawReply(body=b"[1, 2]")


def asked(principal: Principal, model: str = "acme/small") -> tuple[CompletionRequest, Call]:
    """A request with its call."""
    request = CompletionRequest(model=model, messages=(user("hello there"),), max_tokens=100)
    return request, Call(id=new_id("call"), kind=CallKind.MODEL, name=model, principal=principal)


async def used(runtime: Runtime, scope: str = "user", name: str = "ada") -> tuple[float, float]:
    """Micro-dollars spent and set aside today."""
    rows = await runtime.quotas.usage(scope=scope, name=name)
    row = next(row for row in rows if row["period"] == "day")
    return (
        round(cast("float", row["spent_usd"]) * 1_000_000),
        round(cast("float", row["reserved_usd"]) * 1_000_000),
    )


def bodies(vendor: OpenAIChatServer) -> list[JsonObject]:
    """What the vendor was sent."""
    return [cast("JsonObject", json.loads(request.body)) for request in vendor.requests]


@pytest.mark.promise("A8")
async def test_what_a_call_cost_is_booked_and_its_answer_was_bounded(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """A missing bound is set from the quota, sent upstream, and told."""
    quota = QuotaSettings(scope="user", day_usd=1.0, max_tokens=321)
    async with Runtime.open(make(models=BOTH, quotas=(quota,))) as runtime:
        request = CompletionRequest(model="acme/small", messages=(user("hello there"),))
        answer = await runtime.provider.complete(request, asked(ADA)[1])
        assert answer.cost is not None
        assert await used(runtime) == (answer.cost.micro_usd, 0)
        (body,) = bodies(vendor)
        assert 321 in [body.get("max_tokens"), body.get("max_completion_tokens")]
        assert any("321 tokens" in sentence for sentence in answer.adapted)


@pytest.mark.promise("A8")
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """The refusal names the limit, what is left and when it begins anew."""
    quota = QuotaSettings(scope="organisation", name="acme", day_usd=0.0001)
    async with Runtime.open(make(models=BOTH, quotas=(quota,))) as runtime:
        with pytest.raises(QuotaExceededError) as refused:
            await runtime.provider.complete(*asked(ADA))
        error = refused.value
        assert "the day quota of organisation acme is $0.000100 and $0.000100 of it is left" in str(error)
        assert error.field == "organisation:acme/day"
        assert error.retry_after is not None
        assert 0 < error.retry_after <= 86_400
        await runtime.provider.complete(*asked(Principal(user="eve", roles=frozenset({"developer"}))))
    assert len(vendor.requests) == 1


@pytest.mark.promise("A8")
async def test_an_unknown_price_is_refused_unless_a_ceiling_stands_in_for_it(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """With a ceiling, all of it is charged: nobody knows better. Who has no quota is not asked."""
    bounded = QuotaSettings(scope="user", name="ada", day_usd=1.0)
    ceiling = QuotaSettings(scope="user", name="bob", day_usd=1.0, ceiling_usd=0.25)
    async with Runtime.open(make(quotas=(bounded, ceiling))) as runtime:
        with pytest.raises(QuotaExceededError, match="Nobody knows what acme/small may cost"):
            await runtime.provider.complete(*asked(ADA))
        assert vendor.requests == []
        await runtime.provider.complete(*asked(Principal(user="bob", roles=ADA.roles)))
        assert await used(runtime, name="bob") == (250_000, 0)
        await runtime.provider.complete(*asked(Principal(user="eve", roles=ADA.roles)))


@pytest.mark.promise("A8")
async def test_every_attempt_of_the_router_is_paid_for(make: MakeSettings, vendor: OpenAIChatServer) -> None:
    """An answer that cannot be read may have been billed: its bound is charged beside the second's cost."""
    policy = PolicySettings(fallbacks=2, exclude=("local/*",))
    settings = make(models=BOTH, quotas=(EACH,), policies={"two": policy})
    async with Runtime.open(settings) as runtime:
        vendor.then(GARBAGE)
        answer = await runtime.provider.complete(*asked(ADA, "auto/two"))
        spent, held = await used(runtime)
        assert answer.cost is not None
        most = spent - answer.cost.micro_usd
        assert held == 0
        assert most > 200, "at least the 100 tokens of output at 2 dollars a million"
        assert answer.attempts == 2
        vendor.then(GARBAGE, GARBAGE)
        with pytest.raises(ProtocolError):
            await runtime.provider.complete(*asked(ADA, "auto/two"))
        assert await used(runtime) == (spent + 2 * most, 0)


@pytest.mark.promise("A8")
async def test_a_fallback_for_which_nothing_is_left_is_not_sent(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """The quota ends a call in the middle rather than be overshot."""
    policy = PolicySettings(fallbacks=2, exclude=("local/*",))
    quota = QuotaSettings(scope="user", day_usd=0.0004)
    settings = make(models=BOTH, quotas=(quota,), policies={"two": policy})
    async with Runtime.open(settings) as runtime:
        vendor.then(GARBAGE)
        with pytest.raises(QuotaExceededError):
            await runtime.provider.complete(*asked(ADA, "auto/two"))
        spent, held = await used(runtime)
    assert [request.method for request in vendor.requests].count("POST") == 1
    assert (held, 200 < spent <= 400) == (0, True)


@pytest.mark.promise("A8")
async def test_answers_of_the_wrong_form_are_paid_for_though_none_is_returned(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """Each try is booked with what it cost."""
    form = ResponseFormat(
        schema={"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    )
    request, call = asked(ADA)
    request = CompletionRequest(
        model=request.model, messages=request.messages, max_tokens=100, response_format=form
    )
    usage: JsonObject = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    async with Runtime.open(make(models=BOTH, quotas=(EACH,))) as runtime:
        vendor.then(*(Say("no JSON", usage=usage) for _ in range(3)))
        with pytest.raises(AnswerFormatError):
            await runtime.provider.complete(request, call)
        assert await used(runtime) == (3 * (10 + 2 * 5), 0)


@pytest.mark.promise("A8")
async def test_a_vendor_that_refuses_bills_nothing(make: MakeSettings, vendor: OpenAIChatServer) -> None:
    """What was set aside is given back."""
    async with Runtime.open(make(models=BOTH, quotas=(EACH,))) as runtime:
        vendor.then(Failure.invalid())
        with pytest.raises(InvalidRequestError):
            await runtime.provider.complete(*asked(ADA))
        assert await used(runtime) == (0, 0)


@pytest.mark.promise("A8")
async def test_streams_settle_at_their_end_and_are_charged_in_full_when_the_client_leaves(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """What a stream that was left cost is not known."""
    async with Runtime.open(make(models=BOTH, quotas=(EACH,))) as runtime:
        cost, held = None, 0
        async with aclosing(runtime.provider.stream(*asked(ADA))) as chunks:
            async for chunk in chunks:
                cost = chunk.cost or cost
        assert cost is not None
        assert await used(runtime) == (cost.micro_usd, 0)
        vendor.then(Say("word", endless=True))
        async with aclosing(runtime.provider.stream(*asked(ADA))) as chunks:
            async for _ in chunks:
                _, held = await used(runtime)
                break
        assert held > 200
        assert await used(runtime) == (cost.micro_usd + held, 0)


@pytest.mark.promise("A8")
async def test_vectors_are_paid_for(make: MakeSettings) -> None:
    """Their bound is that of their texts."""
    async with Runtime.open(make(models=BOTH, quotas=(EACH,))) as runtime:
        made = await runtime.provider.embed("acme/small", ["one", "two"], asked(ADA)[1])
        assert made.cost is not None
        assert await used(runtime) == (made.cost.micro_usd, 0)


@pytest.mark.promise("A8", "A9")
async def test_a_key_has_a_budget_of_its_own(make: MakeSettings) -> None:
    """It is made with the key, and counts beside the quotas of its user."""
    async with Runtime.open(make(models=BOTH)) as runtime:
        request = KeyRequest(name="ci", user="ada", role="developer", budget_day=Money(240))
        made = await runtime.access.create_key(request)
        principal = await runtime.access.authenticate(str(made["key"]))
        answer = await runtime.provider.complete(*asked(principal))
        assert answer.cost is not None
        assert await used(runtime, "key", str(made["id"])) == (answer.cost.micro_usd, 0)
        with pytest.raises(QuotaExceededError, match="the day quota of key"):
            await runtime.provider.complete(*asked(principal))
        limit = ("key", str(made["id"]), "day")
        await runtime.quotas.override(limit, 1.0, reason="release", until=time.time() + 60)
        await runtime.provider.complete(*asked(principal))


@pytest.mark.promise("A8")
async def test_a_tool_with_a_price_is_counted(make: MakeSettings, on_github: ToolSettings) -> None:
    """For the one who calls, and for all calls that the pattern names."""
    tool = QuotaSettings(scope="tool", name="github.*", day_usd=0.015, call_usd=0.01)
    settings = make(tools={"github": on_github}, quotas=(tool, EACH))
    async with Runtime.open(settings) as runtime:
        arguments = '{"owner": "acme", "repo": "notes"}'
        await runtime.tools.call("github.issues_list", arguments)
        assert await used(runtime, name=runtime.principal.user) == (10_000, 0)
        with pytest.raises(QuotaExceededError, match=r"the day quota of tool github\.\*"):
            await runtime.tools.call("github.issues_list", arguments)


@pytest.mark.promise("A8")
async def test_without_its_ledger_nothing_is_spent(make: MakeSettings, vendor: OpenAIChatServer) -> None:
    """Nobody knows what is left, so nothing is sent."""
    settings = make(models=BOTH, quotas=(EACH,))
    async with Runtime.open(settings) as runtime:
        await runtime.provider.complete(*asked(ADA))
        with sqlite3.connect(settings.home / "interlock.db") as other:
            other.execute("ALTER TABLE quotas_accounts RENAME TO away")
        with pytest.raises(StoreError) as refused:
            await runtime.provider.complete(*asked(ADA))
        assert refused.value.status == 503
        with sqlite3.connect(settings.home / "interlock.db") as other:
            other.execute("ALTER TABLE away RENAME TO quotas_accounts")
    assert len(vendor.requests) == 1


@pytest.mark.promise("A8")
async def test_quotas_are_set_shown_raised_and_cleared(make: MakeSettings) -> None:
    """Every change is in the audit log, and who may not is refused."""
    async with Runtime.open(make(models=BOTH)) as runtime:
        wanted = QuotaSettings(scope="user", name="ada", day_usd=0.0001)
        made = await runtime.quotas.set(wanted)
        assert (made["day_usd"], made["origin"]) == (0.0001, "store")
        with pytest.raises(QuotaExceededError):
            await runtime.provider.complete(*asked(ADA))
        row = await runtime.quotas.override(("user", "ada", "day"), 1, reason="launch", until=time.time() + 9)
        assert row["reason"] == "launch"
        await runtime.provider.complete(*asked(ADA))
        (usage,) = await runtime.quotas.usage(scope="user", name="ada")
        assert usage["limit_usd"] == 1.0
        assert cast("JsonObject", usage["override"])["made_by"] == runtime.principal.user
        with pytest.raises(InvalidRequestError, match="needs a reason"):
            await runtime.quotas.override(("user", "ada", "day"), 1, reason=" ", until=time.time() + 9)
        with pytest.raises(NotFoundError, match="No quota bounds the month"):
            await runtime.quotas.override(("user", "ada", "month"), 1, reason="x", until=time.time() + 9)
        await runtime.quotas.clear("user", "ada")
        with pytest.raises(NotFoundError):
            await runtime.quotas.clear("user", "ada")
        assert await runtime.quotas.list() == []
        with pytest.raises(PermissionDeniedError):
            await runtime.quotas.set(wanted, by=ADA)
        names = [row["name"] for row in await runtime.trail.tail(100) if row["kind"] == "intent"]
    assert [name for name in names if str(name).startswith("quotas.")] == [
        *("quotas.set", "quotas.override", "quotas.clear"),
    ]


@pytest.mark.promise("A8")
async def test_a_threshold_is_told_once_in_the_audit_log(make: MakeSettings) -> None:
    """Half of it was spent; that is said once."""
    quota = QuotaSettings(scope="user", day_usd=1.0, ceiling_usd=0.3, thresholds=(50,))
    async with Runtime.open(make(quotas=(quota,))) as runtime:
        for _ in range(3):
            await runtime.provider.complete(*asked(ADA))
        await runtime.quotas.told()
        notes = [row for row in await runtime.trail.tail(100) if row["kind"] == "quotas.alert"]
    assert len(notes) == 1
    assert "user:ada/day@50" in json.dumps(notes[0])


@pytest.mark.promise("A8")
async def test_a_threshold_is_told_once_to_whoever_is_told_of_alerts(
    make: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the webhook and the console, also where nothing is watched for; a restart tells nothing again."""
    quota = QuotaSettings(scope="user", day_usd=1.0, ceiling_usd=0.3, thresholds=(50, 80))
    async with LoopbackServer(lambda _: Answer()) as hook:
        alerts = AlertSettings(enabled=False, webhook=f"{hook.url}/alerts", console=True)
        for calls in (2, 1):
            async with Runtime.open(make(quotas=(quota,), alerts=alerts)) as runtime:
                for _ in range(calls):
                    await runtime.provider.complete(*asked(ADA))
    bodies_told = [as_object(json.loads(request.body)) for request in hook.requests]
    assert [(told["kind"], as_object(told["data"])["percent"]) for told in bodies_told] == [
        ("quota-threshold", 50),
        ("quota-threshold", 80),
    ]
    assert [told["subject"] for told in bodies_told] == ["user:ada"] * 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("quota: ")]
    assert lines == [f"quota: {told['message']}" for told in bodies_told]


@pytest.mark.promise("A8")
async def test_the_metric_of_quotas_shows_the_fullest_of_each_kind(make: MakeSettings) -> None:
    """By scope and period alone: no user stands in it; what cannot be measured is left out."""
    quotas = (
        QuotaSettings(scope="user", day_usd=1.0, month_usd=6.0, ceiling_usd=0.3),
        QuotaSettings(scope="team", name="core", month_usd=3.0),
        QuotaSettings(scope="organisation", name="none", day_usd=0.0),
    )
    bob = Principal(user="bob", roles=ADA.roles, team="core")
    async with Runtime.open(make(quotas=quotas)) as runtime:
        for principal in (ADA, ADA, bob):
            await runtime.provider.complete(*asked(principal))
        shown = [line for line in (await runtime.records.prometheus()).splitlines() if "quota_used" in line]
        assert shown == [
            "# HELP interlock_quota_used_ratio Spent and reserved part of the quota that is used most.",
            "# TYPE interlock_quota_used_ratio gauge",
            'interlock_quota_used_ratio{period="day",scope="user"} 0.6',
            'interlock_quota_used_ratio{period="month",scope="team"} 0.3',
            'interlock_quota_used_ratio{period="month",scope="user"} 0.1',
        ]
        await runtime.quotas.set(QuotaSettings(scope="user", name="eve", day_usd=0.5))
        with closing(sqlite3.connect(runtime.settings.home / "interlock.db")) as raw:
            raw.execute("DROP TABLE quotas_accounts")
        assert "quota_used" not in await runtime.records.prometheus()


def test_a_wrong_quota_is_refused_with_its_line(tmp_path: Path) -> None:
    """File, line, and what to write instead."""
    file = tmp_path / "config.toml"
    environment = {"INTERLOCK_HOME": str(tmp_path / "home"), "INTERLOCK_CONFIG": str(file)}

    def refused(text: str) -> ConfigurationError:
        file.write_text(text)
        with pytest.raises(ConfigurationError) as error:
            load_settings(environment)
        return error.value

    head = '[[quotas]]\nscope = "user"\nday_usd = 1\n\n'
    assert (
        f"{file}:5: [[quotas]] team core"
        in refused(
            f'{head}[[quotas]]\nscope = "team"\nname = "core"\nday_usd = 1\ntime_zone = "Mars"\n'
        ).message
    )
    assert f"{file}:5: there is a quota for user:* already, in {file}:1" in refused(head * 2).message
    assert "a day or a month" in refused('[[quotas]]\nscope = "user"\n').message
    assert "whole numbers" in str(refused(f"{head}thresholds = [0.5]\n"))
    assert refused('[[quotas]]\nscope = "user"\nday = 1\n').field == "day"


async def test_what_the_file_declares_is_read_only_elsewhere(tmp_path: Path) -> None:
    """Naming file and line; one name in both is found at the start."""
    file = tmp_path / "config.toml"
    environment = {"INTERLOCK_HOME": str(tmp_path / "home"), "INTERLOCK_CONFIG": str(file)}
    file.write_text('\n[[quotas]]\nscope = "user"\nname = "ada"\nday_usd = 1\n')
    async with Runtime.open(load_settings(environment), environment=environment) as runtime:
        with pytest.raises(ConflictError, match=f"{file}:2 declares the quota for user:ada"):
            await runtime.quotas.set(QuotaSettings(scope="user", name="ada", day_usd=2))
        await runtime.quotas.set(QuotaSettings(scope="user", name="bob", day_usd=2))
    file.write_text('[[quotas]]\nscope = "user"\nname = "bob"\nday_usd = 1\n')
    with pytest.raises(ConfigurationError, match=f"{file}:1 declares a quota for user:bob"):
        async with Runtime.open(load_settings(environment), environment=environment):
            pass
