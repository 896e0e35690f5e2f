"""The attacks on secrets, runs and local files, through the public runtime and the command line.

Cases that other tests run are named with the file that runs them, and those that nothing can run yet with
the reason; both are counted, so that neither list grows unseen.
"""

import base64
import json
import logging
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import quote

import pytest

from interlock_core.errors import ConfigurationError, InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer
from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse
from interlock_runtime import KeyRequest, Question, Runtime, Settings, SpecificationJob
from interlock_runtime.jobs import JobResult
from interlock_runtime.settings import ProviderSettings, ToolSettings
from interlock_tools.testing.github import GitHubStandIn

Case: TypeAlias = dict[str, object]
Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
CASES = cast(
    "list[Case]", tomllib.loads((Path(__file__).parent / "cases.toml").read_text(encoding="utf-8"))["case"]
)
BY_ID = {str(case["id"]): case for case in CASES if case["surface"] not in {"key", "wire"}}
"""The cases by id, but for those on the gateway's own surfaces, which have a file of their own."""
CANARY = "canary-7c3310fe92ab"
NOTHING: dict[str, str] = {}

TOOLS = "tests/attacks/test_tools_cases.py"
AUDIT = "tests/attacks/test_audit_cases.py"
DOCUMENTS = "tests/attacks/test_document_cases.py"
ELSEWHERE = {
    **{name: TOOLS for name, case in BY_ID.items() if case["surface"] in {"parameter", "server", "redirect"}},
    **{name: DOCUMENTS for name, case in BY_ID.items() if case["surface"] == "document"},
    **{name: AUDIT for name, case in BY_ID.items() if case["surface"] == "audit"},
    "I02": "packages/providers/tests/local",
    "L03": "packages/security/tests/test_secrets.py",
    "L06": "packages/providers/tests/local",
    "L07": "packages/skills/tests",
}
"""Cases that other tests run, with where."""

NOT_YET = {
    "I08": "the console does not exist yet, so there is no page on which a title could be a script",
}
"""Cases on surfaces that are not built yet, each with its reason."""


def test_every_case_is_run_here_or_elsewhere_or_has_a_reason() -> None:
    """No case is forgotten, and few wait."""
    here = {
        name
        for surface in ("secret", "injection", "local")
        for name, case in BY_ID.items()
        if case["surface"] == surface
    } - {*ELSEWHERE, *NOT_YET}
    assert here == {*SECRET, *INJECTION, *LOCAL}
    assert {*here, *ELSEWHERE, *NOT_YET} == set(BY_ID)
    assert len(NOT_YET) == 1
    assert not [place for place in set(ELSEWHERE.values()) if not (ROOT / place).exists()]


# ---- what the cases share


def forms() -> list[str]:
    """The canary in the six encodings that are searched for."""
    raw = CANARY.encode()
    return [
        CANARY,
        CANARY[::-1],
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "".join(f"%{byte:02X}" for byte in raw),
        quote(CANARY),
    ]


def holds_none(*texts: str | bytes) -> bool:
    """Whether no form of the canary stands in any of the texts."""
    whole = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts)
    return not [form for form in forms() if form.encode() in whole]


def stored(home: Path) -> bytes:
    """Every byte below a data folder."""
    return b"\n".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


# ---- secret


def on(github: GitHubStandIn) -> ToolSettings:
    """The stand-in as a document of the settings."""
    return ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in whose token is the canary."""
    with GitHubStandIn(owner="acme", repo="notes", token=CANARY) as server:
        yield server


SECRET = ("X01", "X02", "X03", "X04", "X05", "X06", "X07", "X08", "X09", "X10", "X11")


def with_vendor(home: Path, vendor: OpenAIChatServer, **tools: ToolSettings) -> Settings:
    """A provider whose key is the canary."""
    acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url, api_key=CANARY)
    return Settings(home=home, providers={"acme": acme}, tools=tools)


async def test_a_key_in_a_prompt_a_stream_or_an_error_stays_here(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """X01, X05, X06: neither upstream nor in the database, the log, the metrics or the error."""
    caplog.set_level(logging.DEBUG)
    async with OpenAIChatServer(models=("small",), key=CANARY) as vendor:
        pieces = [Say(CANARY, pieces=(CANARY[:cut], CANARY[cut:])) for cut in (1, 7, 16)]
        vendor.then(Say("x"), *pieces, Failure(status=401, message=f"Incorrect API key provided: {CANARY}"))
        async with Runtime.open(with_vendor(home, vendor), environment=NOTHING) as runtime:
            await runtime.ask(f"my key is {CANARY}", model="acme/small")
            told: list[str] = []
            for _ in pieces:
                question = Question(prompt="hi", model="acme/small")
                told += [repr(item) async for item in runtime.ask_events(question) if hasattr(item, "kind")]
            with pytest.raises(InterlockError) as raised:
                await runtime.ask("hi", model="acme/small")
            metrics = await runtime.records.prometheus()
        bodies = [request.body for request in vendor.requests]
    assert holds_none(
        *bodies, *told, str(raised.value), repr(raised.value), metrics, caplog.text, stored(home)
    )


async def test_a_credential_in_arguments_and_results_is_nowhere(
    home: Path, github: GitHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """X02, X03, X04: in every encoding, neither in a store, nor in a log, nor in the model's sight."""
    caplog.set_level(logging.DEBUG)
    for form in forms():
        github.add_issue(f"leak {form}", body=form)
    arguments = json.dumps({"owner": "acme", "repo": "notes", "title": f"hide {CANARY}"})
    async with OpenAIChatServer(models=("small",)) as vendor:
        acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url)
        settings = Settings(home=home, providers={"acme": acme}, tools={"github": on(github)})
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            await runtime.tools.call("github.issues_create", arguments)
            question = Question(prompt="Which?", model="acme/small", tools=("github.issues_list",))
            vendor.then(Say("first"))
            assert [item async for item in runtime.ask_events(question)]
            tool = as_object(as_array(as_object(vendor.requests[-1].json())["tools"])[0])
            name = str(as_object(tool["function"])["name"])
            vendor.then(Say(calls=(ToolUse(name, '{"owner": "acme", "repo": "notes"}'),)), Say("Many."))
            items = [repr(item) async for item in runtime.ask_events(question)]
            tail = json.dumps(list(await runtime.trail.tail()))
        bodies = [request.body for request in vendor.requests]
    assert b"[redacted:" in bodies[-1]
    assert holds_none(*bodies, *items, tail, caplog.text, stored(home))


async def test_a_password_in_an_address_is_refused_without_being_shown(home: Path) -> None:
    """X07: at the configuration."""
    url = f"http://user:{CANARY}@127.0.0.1:9/v1"
    provider = ProviderSettings(kind="openai-compatible", base_url=url)
    with pytest.raises(ConfigurationError) as raised:
        async with Runtime.open(Settings(home=home, providers={"acme": provider}), environment=NOTHING):
            pass
    assert holds_none(str(raised.value), repr(raised.value))


def test_no_command_shows_a_key(home: Path, command: Command) -> None:
    """X08, X11: neither what shows the configuration, nor a failing question with every detail on."""
    (home.parent / "c.toml").write_text(
        f'[providers.acme]\nkind = "openai-compatible"\nbase_url = "http://127.0.0.1:9/v1"\n'
        f'api_key = "{CANARY}"\n'
    )
    commands = [
        *cast("list[list[str]]", BY_ID["X08"]["commands"]),
        *cast("list[list[str]]", BY_ID["X11"]["commands"]),
    ]
    for words in commands:
        done = command(home, "--config", str(home.parent / "c.toml"), *words)
        assert holds_none(done.stdout, done.stderr), words
        assert "Traceback" not in done.stderr or "--verbose" in words


async def test_a_made_key_is_shown_once(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """X09: it is in no file, log or audit record."""
    caplog.set_level(logging.DEBUG)
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        key = str((await runtime.access.create_key(KeyRequest(name="n", role="readonly")))["key"])
        shown = f"{await runtime.access.keys()}{await runtime.trail.tail()}"
    assert key not in f"{shown}{caplog.text}"
    assert key.encode() not in stored(home)


async def test_a_reference_in_an_argument_is_only_text(home: Path, tmp_path: Path) -> None:
    """X10: `env:` counts in the operator's configuration alone."""
    value = str(BY_ID["X10"]["value"])
    operation = {
        "operationId": "say",
        "parameters": [{"name": "x", "in": "query", "schema": {"type": "string"}}],
        "responses": {"200": {"description": "Done."}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "A", "version": "1"},
        "paths": {"/say": {"get": operation}},
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    async with LoopbackServer(lambda _: json_answer({})) as server:
        tools = {"a": ToolSettings(source=str(tmp_path / "a.json"), base_url=server.url)}
        settings = Settings(home=home, tools=tools)
        async with Runtime.open(settings, environment={"SECRET_OF_THE_TEST": CANARY}) as runtime:
            await runtime.tools.call("a.say", json.dumps({"x": value}))
        assert server.requests[0].query == (("x", value),)


# ---- injection

INJECTION = ("I01", "I03", "I04", "I05", "I06", "I07")


@pytest.mark.parametrize("name", ["I01", "I03", "I06"])
async def test_text_from_outside_gives_no_orders(home: Path, github: GitHubStandIn, name: str) -> None:
    """The model is shown it and obeys; only what was offered runs, and the rest is refused on record."""
    case = BY_ID[name]
    github.add_issue("An issue", body=str(case.get("text", "")))
    async with OpenAIChatServer(models=("small",)) as vendor:
        acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url)
        settings = Settings(home=home, providers={"acme": acme}, tools={"github": on(github)})
        question = Question(
            prompt="Read it.", model="acme/small", tools=tuple(cast("list[str]", case["tools"]))
        )
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            vendor.then(Say("first"))
            assert [item async for item in runtime.ask_events(question)]
            tool = as_object(as_array(as_object(vendor.requests[-1].json())["tools"])[0])
            get = str(as_object(tool["function"])["name"])
            where = '{"owner": "acme", "repo": "notes", "issue_number": 1'
            steps = [Say(calls=(ToolUse(get, f"{where}}}"),))]
            if name != "I03":
                steps.append(
                    Say(calls=(ToolUse(get.replace("_get", "_update"), f'{where}, "state": "closed"}}'),))
                )
            vendor.then(*steps, Say("Done."))
            assert [item async for item in runtime.ask_events(question)]
            kinds = [row["kind"] for row in await runtime.trail.tail()]
    assert [request.method for request in github.requests] == ["GET"]
    assert ("refused" in kinds) == (name != "I03")


@pytest.mark.parametrize("name", ["I04", "I05"])
async def test_a_specification_gives_no_orders(home: Path, tmp_path: Path, name: str) -> None:
    """Owner and repository are those of the command, each requirement is one issue, no marker is forged."""
    (tmp_path / "spec.md").write_text(f"# A\n\n{BY_ID[name]['text']}\n", encoding="utf-8")
    job = SpecificationJob(
        file=tmp_path / "spec.md", owner="acme", repo="notes", dry_run=True, model="acme/small"
    )
    async with OpenAIChatServer(models=("small",)) as vendor:
        acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url)
        async with Runtime.open(
            Settings(home=home, providers={"acme": acme}), environment=NOTHING
        ) as runtime:
            result = [item async for item in runtime.spec_to_github(job)][-1]
    assert isinstance(result, JobResult)
    (issue,) = result.issues
    assert issue.request is not None
    assert issue.request.url.endswith("/repos/acme/notes/issues")
    assert issue.draft.body.count("<!-- interlock:") == 1
    assert "R99" not in issue.draft.body.partition("<!-- interlock:")[2]
    assert not {"\u200b", "\u202e"} & set(issue.draft.title)


async def test_a_title_cannot_steer_the_terminal(home: Path, command: Command, github: GitHubStandIn) -> None:
    """I07: no escape sequence reaches what a person sees."""
    github.add_issue(str(BY_ID["I07"]["text"]))
    (home.parent / "c.toml").write_text(
        f'[tools.github]\nsource = "builtin:github"\nbase_url = "{github.url}"\ncredential = "{CANARY}"\n'
    )
    arguments = '{"owner": "acme", "repo": "notes"}'
    config = str(home.parent / "c.toml")
    done = command(home, "--config", config, "tools", "call", "github.issues_list", "--args", arguments)
    assert done.returncode == 0, done.stderr
    assert "hidden" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)


# ---- local

LOCAL = ("L01", "L02", "L04", "L05")


async def test_a_configuration_that_nobody_trusted_is_not_used(home: Path, command: Command) -> None:
    """L01, L02: before trust and after a change nothing of it counts, and the user is told so."""
    local = home.parent / "interlock.toml"
    async with LoopbackServer(lambda _: json_answer({})) as server:
        port = server.url.rpartition(":")[2]
        hostile = str(BY_ID["L01"]["text"]).replace("{port}", port)
        local.write_text(hostile)
        first = command(home, "providers", "check", OPENAI_API_KEY=CANARY)
        local.write_text(str(BY_ID["L02"]["text"]))
        assert command(home, "config", "trust").returncode == 0
        local.write_text(hostile)
        second = command(home, "providers", "list", OPENAI_API_KEY=CANARY)
        assert server.requests == []
    for done in (first, second):
        assert "interlock.toml" in done.stderr
        assert "trust" in done.stderr
        assert holds_none(done.stdout, done.stderr)


def test_a_linked_data_folder_keeps_its_files_private(home: Path, command: Command) -> None:
    """L04: at the target, and nothing is written beside it."""
    target = home.parent / "target"
    target.mkdir(mode=0o700)
    home.symlink_to(target)
    made = command(home, "roles", "grant", "ann", "readonly")
    assert made.returncode == 0, made.stderr
    files = [path for path in target.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []
    assert {path.name for path in home.parent.iterdir()} <= {"home", "target", "config"}


def test_a_specification_without_end_is_refused(home: Path, command: Command) -> None:
    """L05: a device is no file to read."""
    link = home.parent / "spec.md"
    link.symlink_to("/dev/zero")
    done = command(home, "spec-to-github", "--spec", str(link), "--owner", "a", "--repo", "b", "--dry-run")
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
