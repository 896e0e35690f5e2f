"""Documents that cannot be used, or not as meant: told where somebody looks, and in nobody's way."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer

from .conftest import CommandLine

DOCUMENT = """openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: "http://127.0.0.1:9"}]
paths:
  /pets:
    get: {operationId: listPets, responses: {'200': {description: all}}}
"""

BAD = {
    "absent": ("x", "nowhere.yaml", "There is no"),
    "unresolved": ("x", "http://no-such-host.invalid/api.yaml", "no-such-host.invalid"),
    "none": ("x", "none.yaml", ""),
    "illegal": ('"bad name"', "pets.yaml", "bad name"),
}


@pytest.fixture
def pets(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line with a document and a file that is none."""
    cli.folder.joinpath("pets.yaml").write_text(DOCUMENT, "utf-8")
    cli.folder.joinpath("none.yaml").write_text("just: words", "utf-8")
    cli.configure("")
    monkeypatch.setenv("INTERLOCK_CONFIG", str(cli.folder / "config.toml"))
    return cli


@pytest.mark.parametrize("kind", BAD)
def test_a_document_that_cannot_be_used_takes_no_other_down(pets: CommandLine, kind: str) -> None:
    """The list and the search warn of it with file and line, and show the rest; the doctor tells it, too."""
    name, source, said = BAD[kind]
    pets.configure(f'[tools.pets]\nsource = "pets.yaml"\n\n[tools.{name}]\nsource = "{source}"\n')
    for command in (("tools", "list"), ("tools", "search", "pets")):
        told = pets(*command)
        assert told.code == 0, told
        assert "pets.list_pets" in told.out
        assert f"] of {pets.folder / 'config.toml'}:" in told.err
        assert "cannot be used" in told.err
        assert said in told.err
    doctor = pets("doctor")
    assert doctor.code == 4
    assert "cannot be used" in doctor.err


def test_who_wants_a_tool_of_a_document_that_cannot_be_used_learns_why(pets: CommandLine) -> None:
    """A call, a prepared call, a description and a question about it are errors of the configuration."""
    pets.configure('[tools.pets]\nsource = "pets.yaml"\n\n[tools.x]\nsource = "nowhere.yaml"\n')
    for command in (
        ("tools", "call", "x.get"),
        ("tools", "call", "x.get", "--dry-run"),
        ("tools", "show", "x.get"),
        ("tools", "show", "x.get", "--full"),
        ("can", "alice", "x.get"),
        ("tools", "reload", "x"),
    ):
        told = pets(*command)
        assert told.code == 4, (command, told)
        assert "config.toml:4 cannot be used" in told.err
    assert "x stays as it was" in pets("tools", "reload").err
    assert pets("tools", "call", "pets.nothing").code == 2


def test_a_document_that_is_replaced_is_named(pets: CommandLine) -> None:
    """One that was added before, and one that is shipped."""
    assert "replaced" not in pets("tools", "add", "pets.yaml", "--name", "pets").out
    pets.folder.joinpath("other.yaml").write_text(DOCUMENT, "utf-8")
    again = pets("tools", "add", "other.yaml", "--name", "pets")
    assert f"; replaced {pets.folder / 'pets.yaml'}" in again.out
    shipped = pets("tools", "add", "pets.yaml", "--name", "github", "--json")
    assert shipped.document["replaced"] == "builtin:github"


def test_an_overlay_that_hits_nothing_is_told(pets: CommandLine) -> None:
    """On standard error by both commands, and in the report of what was added."""
    pets.folder.joinpath("o.json").write_text(
        '{"overlay": "1.0.0", "info": {"title": "o", "version": "1"},'
        ' "actions": [{"target": "$.paths[\'/absent\']", "remove": true}]}',
        "utf-8",
    )
    converted = pets("tools", "convert", "pets.yaml", "--overlay", "o.json")
    assert "warning: o.json#/actions/0" in converted.err
    added = pets("tools", "add", "pets.yaml", "--overlay", "o.json", "--json")
    assert "o.json#/actions/0" in added.err
    assert len(as_array(added.document["problems"])) == 1


def test_a_credential_that_will_not_be_sent_is_warned_of(pets: CommandLine) -> None:
    """Without the address that it is for, and from a variable that is not set."""
    silent = pets("tools", "add", "pets.yaml")
    assert "warning" not in silent.err
    told = pets("tools", "add", "pets.yaml", "--credential", "env:ABSENT_TOKEN")
    assert "--base-url" in told.err
    assert "env:ABSENT_TOKEN names a variable that is not set" in told.err
    placed = pets("tools", "add", "pets.yaml", "--base-url", "https://pets.example", "--credential", "file:k")
    assert "warning" not in placed.err


@pytest.mark.parametrize(("option", "value"), [("--name", "bad name"), ("--credential", "hunter2")])
def test_a_wrong_option_of_add_is_a_usage_error(pets: CommandLine, option: str, value: str) -> None:
    """By the option's name; a credential is not repeated."""
    told = pets("tools", "add", "pets.yaml", option, value)
    assert told.code == 2
    assert option in told.err
    assert "hunter2" not in told.err


class Answering:
    """An API that answers every call with one status.

    Args:
        status: The status.
    """

    def __init__(self, status: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = LoopbackServer(lambda _: json_answer({"message": "no"}, status=status))
        asyncio.run_coroutine_threadsafe(self._server.__aenter__(), self._loop).result(60)
        self.url = self._server.url

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._server.__aexit__(None, None, None), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[Answering]:
    """An API of one answer."""
    server = Answering(int(request.param))
    yield server
    server.close()


@pytest.mark.parametrize(("api", "code"), [(401, 4), (404, 1), (500, 1)], indirect=["api"])
def test_a_refused_credential_ends_a_call_as_configuration(
    pets: CommandLine, api: Answering, code: int
) -> None:
    """What the API did not find, or broke at, is a failure."""
    pets.configure(f'[tools.pets]\nsource = "pets.yaml"\nbase_url = "{api.url}"\n')
    told = pets("tools", "call", "pets.list_pets", "--json")
    assert told.code == code, told
    assert as_object(told.document)["ok"] is False
