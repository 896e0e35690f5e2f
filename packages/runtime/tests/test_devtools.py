"""Tools for developers, joined: offered for the folder that the operator names, guarded like all others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core import Call, CallKind, Effect, JsonObject, ToolCall
from interlock_core.errors import ConfigurationError, NotFoundError, PermissionDeniedError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import ScriptedApprover
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import Runtime, Settings, load_settings
from interlock_runtime._access import local_user
from interlock_runtime.settings import ApprovalSettings, ProviderSettings, ToolSettings, UserSettings
from interlock_tools.testing.github import GitHubStandIn

pytestmark = pytest.mark.promise("O12")

NOTHING: dict[str, str] = {}
GOOD = "from pkg.a import f\n\n\ndef test_f():\n    assert f() == 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the data folder in it."""
    place = tmp_path / "work"
    (place / "pkg").mkdir(parents=True)
    (place / "tests").mkdir()
    (place / "pkg" / "a.py").write_text("import os\n\n\ndef f( ):\n    return 1\n", "utf-8")
    return place


def settings_of(folder: Path, **tables: object) -> Settings:
    """Settings with the tools for that folder."""
    dev = ToolSettings(source="builtin:dev", folder=str(folder))
    return replace(Settings(home=folder / ".home", tools={"dev": dev}), **tables)


async def called(runtime: Runtime, name: str, **arguments: object) -> JsonObject:
    """What a tool answers."""
    result = await runtime.tools.call(f"dev.{name}", json.dumps(arguments))
    assert not result.is_error, result.text
    return as_object(result.structured)


async def test_the_tools_work_on_the_folder_that_the_settings_name(folder: Path) -> None:
    """Linting reads, formatting writes, and the data folder inside is not a part of it."""
    async with Runtime.open(settings_of(folder), environment=NOTHING) as runtime:
        names = [tool.name for tool in (await runtime.tools.catalog()).list(["dev.*"])]
        assert len(names) == 16
        lint = await called(runtime, "lintCode", path=".", select=["F"])
        assert lint["counts"] == {"F401": 1}
        made = await called(runtime, "formatCode", path="pkg", apply=True)
        assert (made["changed"], made["applied"]) == (["pkg/a.py"], True)
        kinds = [(row["kind"], row["name"]) for row in await runtime.trail.tail()]
        assert ("intent", "dev.formatCode") in kinds
    assert (folder / "pkg" / "a.py").read_text("utf-8") == "import os\n\n\ndef f():\n    return 1\n"


async def test_a_table_offers_what_it_allows_under_its_own_name(folder: Path) -> None:
    """Several folders, each with its own operations; without a table there are none."""
    mine = ToolSettings(source="builtin:dev", folder=str(folder), allow=("lint*", "mine.run*"))
    settings = settings_of(folder, tools={"mine": mine})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        catalog = await runtime.tools.catalog()
        assert [tool.name for tool in catalog.list(["mine.*"])] == ["mine.lintCode", "mine.runTests"]
        with pytest.raises(NotFoundError):
            catalog.get("dev.lintCode")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[tools.dev]\nsource = "builtin:dev"\n', "lacks 'folder'"),
        ('[tools.shop]\nsource = "shop.yaml"\nfolder = "."\n', "only builtin:dev takes"),
    ],
)
def test_a_folder_and_its_source_go_together(tmp_path: Path, table: str, said: str) -> None:
    """The file is refused with its place and a remedy."""
    file = tmp_path / "config.toml"
    file.write_text(table, "utf-8")
    with pytest.raises(ConfigurationError, match=said):
        load_settings({"INTERLOCK_HOME": str(tmp_path / "home")}, config=str(file))


def test_a_folder_begins_at_the_configuration_file(tmp_path: Path) -> None:
    """As every path of a setting does."""
    file = tmp_path / "config.toml"
    file.write_text('[tools.dev]\nsource = "builtin:dev"\nfolder = "work"\n', "utf-8")
    settings = load_settings({"INTERLOCK_HOME": str(tmp_path / "home")}, config=str(file))
    assert settings.path(settings.tools["dev"].folder) == tmp_path / "work"


async def test_who_may_only_read_lints_and_does_not_format(folder: Path) -> None:
    """The effect of each tool is what permissions go by."""
    users = {local_user(): UserSettings(roles=("readonly",))}
    async with Runtime.open(settings_of(folder, users=users), environment=NOTHING) as runtime:
        assert (await called(runtime, "lintCode", path=".", select=["F"]))["total"] == 1
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.call("dev.formatCode", '{"path": ".", "apply": true}')
    assert "f( )" in (folder / "pkg" / "a.py").read_text("utf-8")


async def test_a_model_writes_tests_through_its_own_guards(
    folder: Path, vendor: OpenAIChatServer, acme: ProviderSettings
) -> None:
    """The router chooses it, the call is counted, and the tests are kept because they pass."""
    answer = {"files": [{"path": "tests/test_a.py", "content": GOOD}]}
    vendor.then(Say(json.dumps(answer)))
    settings = settings_of(folder, providers={"acme": acme})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        made = await called(runtime, "generateTests", path="pkg/a.py", model="acme/small", apply=True)
        assert (made["kept"], made["model"]) == (True, "acme/small")
    assert (folder / "tests" / "test_a.py").read_text("utf-8") == GOOD


async def test_issues_are_created_by_calls_that_are_audited_themselves(
    folder: Path, github: GitHubStandIn, on_github: ToolSettings
) -> None:
    """One approval for the call that was asked for; an intent for each issue that is created."""
    settings = settings_of(folder, approvals=ApprovalSettings(require="write"))
    settings = replace(settings, tools={**settings.tools, "github": on_github})
    approver = ScriptedApprover(True)
    async with Runtime.open(settings, environment=NOTHING, approver=approver) as runtime:
        wanted = {"owner": "acme", "repo": "notes", "issues": [{"title": "One"}, {"title": "Two"}]}
        context = Call(
            id="call_1",
            kind=CallKind.TOOL,
            name="dev.createIssues",
            principal=runtime.principal,
            run="run_1",
            effect=Effect.WRITE,
        )
        call = ToolCall(id="call_1", name="dev.createIssues", arguments=json.dumps(wanted))
        result = await runtime.tools.executor.execute(call, context)
        assert len(as_array(as_object(result.structured)["created"])) == 2
        rows = [(row["kind"], row["name"]) for row in await runtime.trail.tail()]
    assert [issue.title for issue in github.issues] == ["One", "Two"]
    assert rows.count(("intent", "github.issues_create")) == 2
    assert [kind for kind, _ in rows].count("approved") == 1


async def test_who_may_not_call_github_creates_no_issue_through_another_tool(
    folder: Path, github: GitHubStandIn, on_github: ToolSettings
) -> None:
    """A permission for the one tool is none for what stands behind it."""
    settings = settings_of(
        folder,
        users={local_user(): UserSettings(roles=("developer-of-one-tool",))},
        roles={"developer-of-one-tool": {"allow": ["tool:dev.*"]}},
    )
    settings = replace(settings, tools={**settings.tools, "github": on_github})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.call(
                "dev.createIssues",
                '{"owner": "acme", "repo": "notes", "issues": [{"title": "One"}]}',
            )
    assert github.issues == ()


async def test_previews_end_with_the_process_and_outlive_a_reload(folder: Path) -> None:
    """Another document that comes or goes does not take them down."""
    async with Runtime.open(settings_of(folder), environment=NOTHING) as runtime:
        preview = await called(runtime, "deployPreview", path="pkg")
        await runtime.tools.redirect("github", "http://127.0.0.1:9")
        assert await called(runtime, "listPreviews") == {"previews": [preview]}
