"""Documents and tools: what is declared, added, removed, redirected, called, refused."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core import Call, CallKind, Effect, JsonObject, Principal, ToolCall, ToolCatalog
from interlock_core.errors import (
    ApprovalDeniedError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SchemaError,
    UnsupportedError,
)
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, ScriptedApprover, json_answer
from interlock_runtime import RightQuestion, Runtime, Settings, SpecificationJob
from interlock_runtime._access import local_user
from interlock_runtime.settings import ApprovalSettings, AuditSettings, ToolSettings, UserSettings
from interlock_tools.testing.github import GitHubStandIn

NOTHING: dict[str, str] = {}
TOKEN = "shop-token-88ab17"


def document(url: str = "https://shop.example") -> JsonObject:
    """A document with a read, a write and a destructive operation."""
    parameters: JsonObject = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }
    done: JsonObject = {"200": {"description": "Done."}}
    operations: JsonObject = {
        "get": {"operationId": "getItem", "responses": done},
        "put": {"operationId": "putItem", "responses": done},
        "delete": {"operationId": "dropItem", "responses": done},
        "parameters": [parameters],
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": url}],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
        "paths": {"/items/{id}": operations},
    }


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The document as a file."""
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(document()))
    return file


def names(catalog: ToolCatalog) -> list[str]:
    """Names in a catalogue, but for those of the document that is shipped."""
    return [tool.name for tool in catalog.list(["shop.*", "more.*"])]


async def add(runtime: Runtime, source: str, **given: str) -> JsonObject:
    """Add a document."""
    return await runtime.tools.add(
        source,
        namespace=given.get("namespace", ""),
        base_url=given.get("base_url", ""),
        credential=given.get("credential", ""),
        allow=(),
    )


async def test_a_declared_document_gives_its_tools_and_no_others(home: Path, shop: Path) -> None:
    """The allowlist leaves the rest out; the document that is shipped is there as well."""
    tools = {"shop": ToolSettings(source="shop.json", allow=("shop.get*",))}
    settings = Settings(home=home, file=shop.parent / "config.toml", tools=tools)
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        catalog = await runtime.tools.catalog()
        assert names(catalog) == ["shop.getItem"] or names(catalog) == ["shop.get_item"]
        assert catalog.list(["github.*"])
        assert not await runtime.tools.has_credential("shop")
        nothing = await runtime.tools.catalog_for([])
        assert (list(nothing.list()), list(nothing.search("x"))) == ([], [])
        with pytest.raises(NotFoundError):
            nothing.get("shop.getItem")
        with pytest.raises(NotFoundError, match="No tool fits"):
            await runtime.tools.catalog_for(["absent.*"])


async def test_a_call_carries_the_credential_and_nothing_shows_it(home: Path, shop: Path) -> None:
    """The server gets it; the result that repeats it and the prepared request do not hold it."""
    async with LoopbackServer(
        lambda request: json_answer({"said": request.header("authorization")})
    ) as server:
        tools = {"shop": ToolSettings(source=str(shop), base_url=server.url, credential="env:SHOP_TOKEN")}
        settings = Settings(home=home, tools=tools)
        async with Runtime.open(settings, environment={"SHOP_TOKEN": TOKEN}) as runtime:
            (name,) = [tool.name for tool in (await runtime.tools.catalog()).list(["shop.get*"])]
            prepared = await runtime.tools.prepare(name, '{"id": "7"}')
            assert prepared["url"] == f"{server.url}/items/7"
            assert server.requests == []
            result = await runtime.tools.call(name, '{"id": "7"}')
            tail = await runtime.trail.tail()
            assert await runtime.tools.has_credential("shop")
        assert server.requests[0].header("authorization") == f"Bearer {TOKEN}"
    assert not result.is_error
    assert TOKEN not in f"{result}{prepared}{tail}"
    assert [(row["kind"], row["outcome"]) for row in tail] == [("intent", None), ("outcome", "ok")]


async def test_reads_are_recorded_unless_the_settings_say_otherwise(home: Path, shop: Path) -> None:
    """Writes always are."""
    async with LoopbackServer(lambda _: json_answer({})) as server:
        tools = {"shop": ToolSettings(source=str(shop), base_url=server.url)}
        settings = Settings(home=home, tools=tools, audit=AuditSettings(reads=False))
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            found = {tool.effect: tool.name for tool in (await runtime.tools.catalog()).list(["shop.*"])}
            await runtime.tools.call(found[Effect.READ], '{"id": "7"}')
            assert await runtime.trail.tail() == []
            await runtime.tools.call(found[Effect.WRITE], '{"id": "7"}')
            assert len(await runtime.trail.tail()) == 2
            with pytest.raises(SchemaError):
                await runtime.tools.call(found[Effect.READ], '{"no": "7"}')


async def test_a_document_can_be_added_and_forgotten(home: Path, shop: Path) -> None:
    """It is there at once and for the next process; both changes are in the audit log."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        await runtime.tools.catalog()
        report = await add(runtime, str(shop))
        assert (report["namespace"], report["converted"]) == ("shop", 3)
        assert len(names(await runtime.tools.catalog())) == 3
    await asyncio.to_thread(shop.unlink)
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        assert len(names(await runtime.tools.catalog())) == 3
        await runtime.tools.remove("shop")
        assert names(await runtime.tools.catalog()) == []
        with pytest.raises(NotFoundError):
            await runtime.tools.remove("shop")
        changes = [row["name"] for row in await runtime.trail.tail() if row["kind"] == "intent"]
        assert changes == ["tools.add", "tools.remove"]


async def test_a_document_at_an_address_that_the_operator_wrote_can_be_added(home: Path) -> None:
    """Loopback too, because it is written out; declared ones likewise."""
    async with LoopbackServer(lambda _: json_answer(document())) as server:
        async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
            report = await add(runtime, f"{server.url}/my-shop.json", namespace="more")
            assert report["converted"] == 3
        tools = {"shop": ToolSettings(source=f"{server.url}/openapi.json")}
        async with Runtime.open(Settings(home=home, tools=tools), environment=NOTHING) as runtime:
            assert len(names(await runtime.tools.catalog())) == 6


async def test_what_is_no_document_is_not_kept(home: Path, tmp_path: Path) -> None:
    """Nor is a credential that is written out, nor a name that the file declares."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    tools = {"shop": ToolSettings(source=str(wrong))}
    async with Runtime.open(Settings(home=home, tools=tools), environment=NOTHING) as runtime:
        with pytest.raises(InvalidRequestError):
            await add(runtime, str(wrong))
        with pytest.raises(NotFoundError):
            await add(runtime, str(tmp_path / "absent.json"))
        with pytest.raises(InvalidRequestError, match="not written into the store"):
            await add(runtime, str(wrong), credential="sk-canary")
        with pytest.raises(ConflictError, match="the environment declares") as raised:
            await add(runtime, str(wrong), namespace="shop")
        assert raised.value.exit_code == 4
        with pytest.raises(ConflictError):
            await runtime.tools.remove("shop")
        assert await runtime.trail.tail() == []


async def test_one_name_in_the_file_and_the_store_is_an_error_with_a_way_out(home: Path, shop: Path) -> None:
    """It names file and line, and the added one can be forgotten."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        await add(runtime, str(shop))
    file = shop.parent / "config.toml"
    file.write_text('\n[tools.shop]\nsource = "shop.json"\n')
    settings = Settings(home=home, file=file, tools={"shop": ToolSettings(source="shop.json")})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        with pytest.raises(ConflictError, match=r"config\.toml:2"):
            await runtime.tools.catalog()
        await runtime.tools.remove("shop")
        assert len(names(await runtime.tools.catalog())) == 3


async def test_an_added_credential_is_known_before_it_is_used(home: Path, shop: Path) -> None:
    """Every start teaches it to the redactor."""
    environment = {"SHOP_TOKEN": TOKEN}
    async with LoopbackServer(lambda _: json_answer({})) as server:
        async with Runtime.open(Settings(home=home), environment=environment) as runtime:
            await add(runtime, str(shop), credential="env:SHOP_TOKEN", base_url=server.url)
            assert await runtime.tools.has_credential("shop")
        async with Runtime.open(Settings(home=home), environment=environment) as runtime:
            assert TOKEN not in runtime.redactor.text(f"x {TOKEN}")
            (name,) = [tool.name for tool in (await runtime.tools.catalog()).list(["shop.get*"])]
            await runtime.tools.call(name, '{"id": "7"}')
        assert server.requests[0].header("authorization") == f"Bearer {TOKEN}"


async def test_a_document_named_github_takes_the_place_of_the_shipped_one(home: Path, shop: Path) -> None:
    """And does not get the environment's token, which belongs to the shipped one."""
    environment = {"GITHUB_TOKEN": "ghp-environment-1"}
    async with Runtime.open(Settings(home=home), environment=environment) as runtime:
        assert await runtime.tools.has_credential("github")
        await add(runtime, str(shop), namespace="github")
        assert not await runtime.tools.has_credential("github")
    declared = {"github": ToolSettings(source=str(shop), base_url="https://shop.example")}
    async with Runtime.open(Settings(home=home / "b", tools=declared), environment=environment) as runtime:
        assert not await runtime.tools.has_credential("github")


async def test_calls_can_be_sent_elsewhere(home: Path, github: GitHubStandIn) -> None:
    """The old connections are closed; the same address again changes nothing."""
    environment = {"GITHUB_TOKEN": github.token}
    arguments = '{"owner": "acme", "repo": "notes"}'
    async with Runtime.open(Settings(home=home), environment=environment) as runtime:
        await runtime.tools.catalog()
        await runtime.tools.redirect("github", github.url)
        first = await runtime.tools.catalog()
        await runtime.tools.redirect("github", github.url)
        assert await runtime.tools.catalog() is first
        result = await runtime.tools.call("github.repos_get", arguments)
        assert not result.is_error
        assert not (await runtime.tools.call("github.issues_list", arguments)).is_error
    assert len(github.requests) == 2


async def test_a_user_who_may_only_read_changes_nothing(home: Path, shop: Path) -> None:
    """Neither through tools nor to them; the refusal of the call is on record."""
    async with LoopbackServer(lambda _: json_answer({})) as server:
        settings = Settings(
            home=home,
            tools={"shop": ToolSettings(source=str(shop), base_url=server.url)},
            users={local_user(): UserSettings(roles=("readonly",))},
        )
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            found = {tool.effect: tool.name for tool in (await runtime.tools.catalog()).list(["shop.*"])}
            with pytest.raises(PermissionDeniedError):
                await runtime.tools.call(found[Effect.WRITE], '{"id": "7"}')
            with pytest.raises(PermissionDeniedError):
                await add(runtime, str(shop), namespace="more")
            with pytest.raises(PermissionDeniedError):
                await runtime.tools.remove("more")
            tail = await runtime.trail.tail()
            assert [row["kind"] for row in tail] == ["refused"]
            writes = (await runtime.tools.catalog()).get(found[Effect.WRITE])
            question = RightQuestion(user=local_user(), tool=writes)
            assert not (await runtime.access.rules.explain(question)).verdict.allowed
        assert server.requests == []


@pytest.mark.parametrize(
    ("require", "effect", "asked"),
    [
        ("destructive", Effect.DESTRUCTIVE, True),
        ("destructive", Effect.WRITE, False),
        ("write", Effect.WRITE, True),
        ("write", Effect.READ, False),
        ("never", Effect.DESTRUCTIVE, False),
    ],
)
async def test_the_settings_say_which_calls_of_a_run_need_a_person(
    home: Path, shop: Path, require: str, effect: Effect, asked: bool
) -> None:
    """Both answers are recorded, and a no is a refusal before anything is sent."""
    approvals = {
        "destructive": ApprovalSettings(require="destructive"),
        "write": ApprovalSettings(require="write"),
        "never": ApprovalSettings(require="never"),
    }[require]
    async with LoopbackServer(lambda _: json_answer({})) as server:
        tools = {"shop": ToolSettings(source=str(shop), base_url=server.url)}
        settings = Settings(home=home, tools=tools, approvals=approvals)
        approver = ScriptedApprover(True, False)
        async with Runtime.open(settings, environment=NOTHING, approver=approver) as runtime:
            found = {tool.effect: tool.name for tool in (await runtime.tools.catalog()).list(["shop.*"])}
            call = ToolCall(id="1", name=found[effect], arguments='{"id": "7"}')
            context = Call(
                id="call_1",
                kind=CallKind.TOOL,
                name=call.name,
                principal=runtime.principal,
                run="run_1",
                effect=effect,
            )
            await runtime.tools.executor.execute(call, context)
            assert len(server.requests) == 1
            kinds = [row["kind"] for row in await runtime.trail.tail()]
            assert kinds == [*(["approved"] if asked else []), "intent", "outcome"]
            if asked:
                with pytest.raises(ApprovalDeniedError):
                    await runtime.tools.executor.execute(call, replace(context, id="call_2"))
                assert len(server.requests) == 1
                assert (await runtime.trail.tail())[-1]["kind"] == "refused"
            await runtime.tools.call(found[effect], '{"id": "7"}')
            assert len(server.requests) == 2


async def test_nobody_there_means_no(home: Path, shop: Path) -> None:
    """Without an approver a destructive call of a run is not made."""
    tools = {"shop": ToolSettings(source=str(shop))}
    async with Runtime.open(Settings(home=home, tools=tools), environment=NOTHING) as runtime:
        (name,) = [tool.name for tool in (await runtime.tools.catalog()).list(["shop.drop*"])]
        context = Call(
            id="call_1",
            kind=CallKind.TOOL,
            name=name,
            principal=Principal(user="local:x", roles=frozenset({"admin"})),
            run="run_1",
            effect=Effect.DESTRUCTIVE,
        )
        with pytest.raises(ApprovalDeniedError, match="nobody can be asked"):
            await runtime.tools.executor.execute(
                ToolCall(id="1", name=name, arguments='{"id": "7"}'), context
            )
        prepared = await runtime.tools.executor.prepare(
            ToolCall(id="1", name=name, arguments='{"id": "7"}'), context
        )
        assert prepared.request is not None


async def test_documents_are_converted_for_those_who_ask(home: Path, shop: Path) -> None:
    """Progress is told; what this version does not write is refused."""
    told: list[int] = []
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        report = await runtime.tools.convert(
            [str(shop)], dialect="all", summary=True, progress=lambda _, done, __: told.append(done)
        )
        assert "shop" in str(report)
        assert told
        assert await runtime.tools.convert([str(shop)])
        (document,) = as_array(report["documents"])
        summary = as_object(as_object(document)["summary"])
        assert sorted(summary) == ["effects", "folded", "largest", "namespace", "problems", "tokens"]
        tools = as_object(as_object(document)["tools"])
        assert sorted(tools) == ["anthropic", "cohere", "local", "mistral", "openai"]
        assert len({len(as_array(listed)) for listed in tools.values()}) == 1
        assert "input_schema" in as_object(as_array(tools["anthropic"])[0])
        with pytest.raises(UnsupportedError, match="gemini"):
            await runtime.tools.convert([str(shop)], dialect="gemini")


@pytest.mark.promise("O5")
async def test_strict_tools_are_converted_with_what_that_means_for_each(home: Path, shop: Path) -> None:
    """For every vendor, beside the tools: the class of each, and what is not enforced."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        report = await runtime.tools.convert([str(shop)], dialect="all", strict=True)
    (document,) = (as_object(one) for one in as_array(report["documents"]))
    classes, tools = as_object(document["strict"]), as_object(document["tools"])
    assert sorted(classes) == ["anthropic", "cohere", "local", "mistral", "openai"]
    for vendor, listed in classes.items():
        assert len(as_array(listed)) == len(as_array(tools[vendor]))
        assert {str(as_object(one)["class"]) for one in as_array(listed)} == {"strict-lossless"}
    function = as_object(as_object(as_array(tools["openai"])[0])["function"])
    assert function["strict"] is True
    assert as_object(function["parameters"])["additionalProperties"] is False
    plain = as_object(as_object(as_array(tools["local"])[0])["function"])
    assert "strict" not in plain


async def test_a_missing_token_is_told_before_a_model_is_asked(home: Path, github: GitHubStandIn) -> None:
    """By its variable."""
    spec = home.parent / "spec.md"
    spec.write_text("# A\n\n- Notes can be searched.\n")
    job = SpecificationJob(file=spec, owner="acme", repo="notes", api_url=github.url)
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        with pytest.raises(ConfigurationError, match="no token"):
            [item async for item in runtime.spec_to_github(job)]
    assert github.requests == ()
