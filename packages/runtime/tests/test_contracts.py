"""Documents from servers: pinned by hash, and held back where their tools became others."""

import hashlib
import json
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core import JsonObject
from interlock_core.errors import (
    ApprovalDeniedError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
)
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_runtime import Runtime, Settings
from interlock_runtime._access import local_user
from interlock_runtime.settings import ToolSettings, UserSettings

NOTHING: dict[str, str] = {}


class Shop(LoopbackServer):
    """A server with a document that changes, and with what it describes."""

    def __init__(self) -> None:
        super().__init__(self._answered)
        self.paths: JsonObject = {
            "/orders": {"get": {"operationId": "list"}, "post": {"operationId": "create"}},
            "/orders/{id}": {
                "get": {"operationId": "get", "parameters": [{"name": "id", "in": "path", "required": True}]}
            },
        }
        self.more: JsonObject = {
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
            "security": [{"key": []}],
        }

    @property
    def address(self) -> str:
        """Where the document is."""
        return f"{self.url}/shop.json"

    @property
    def content(self) -> bytes:
        """The document as it is now."""
        root: JsonObject = {"openapi": "3.1.0", "info": {"title": "S"}, "paths": self.paths, **self.more}
        return json.dumps(root).encode()

    def change(self, operation: JsonObject, *, path: str = "/orders", method: str = "get") -> None:
        """Change what the document says of an operation."""
        known = as_object(self.paths[path])
        self.paths = {**self.paths, path: {**known, method: {**as_object(known[method]), **operation}}}

    def move(self, path: str, to: str) -> None:
        """Put the operations of a path under another one."""
        self.paths = {(to if each == path else each): item for each, item in self.paths.items()}

    def _answered(self, request: ReceivedRequest) -> Answer:
        return Answer(body=self.content if request.target == "/shop.json" else b'{"done":true}')


@pytest_asyncio.fixture
async def shop() -> AsyncGenerator[Shop, None]:
    """The server."""
    async with Shop() as server:
        yield server


def settings_for(home: Path, shop: Shop, **entry: str) -> Settings:
    """Settings that declare the document."""
    return Settings(home=home, tools={"shop": ToolSettings(source=shop.address, **entry)})  # pyright: ignore[reportArgumentType] - the test names the fields


async def offered(runtime: Runtime) -> set[str]:
    """The names of the tools that are offered, without their namespace."""
    found = (await runtime.tools.catalog()).list(["shop.*"])
    return {tool.name.removeprefix("shop.") for tool in found}


async def waiting(runtime: Runtime) -> dict[str, str]:
    """Why each tool is held back."""
    state = await runtime.tools.held.of("shop")
    return {str(entry["name"]): str(entry["why"]) for entry in map(as_object, as_array(state["withheld"]))}


async def fingerprints(runtime: Runtime) -> list[tuple[str, str]]:
    """What is held back, as it is shown."""
    state = await runtime.tools.held.of("shop")
    rows = [as_object(entry) for entry in as_array(state["withheld"])]
    return [(str(row["name"]), str(row["fingerprint"])) for row in rows]


async def changes(runtime: Runtime) -> list[str]:
    """What the audit log says of documents, the oldest first."""
    found: list[str] = []
    for record in await runtime.trail.tail(50):
        change = str(as_object(record["data"]).get("name") or "")
        if change.startswith("tools."):
            found.append(change)
    return found


@pytest.mark.promise("O1")
async def test_the_first_use_of_a_document_approves_it_and_is_recorded(home: Path, shop: Shop) -> None:
    """Once: the next start finds what was approved."""
    settings = settings_for(home, shop)
    for _ in range(2):
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            assert await offered(runtime) == {"list", "create", "get"}
            assert await waiting(runtime) == {}
            assert await changes(runtime) == ["tools.first-use"]


def become_another(shop: Shop, what: str) -> None:
    """Change one fact of the operation `get`."""
    path = "/orders/{id}"
    if what == "path":
        shop.paths["/admin/{id}"] = shop.paths.pop(path)
    elif what == "method":
        shop.paths[path] = {"delete": as_object(shop.paths[path])["get"]}
    elif what == "server":
        shop.change({"servers": [{"url": "https://elsewhere.example"}]}, path=path)
    elif what == "security":
        shop.change({"security": []}, path=path)
    elif what == "scheme":
        scheme: JsonObject = {"type": "apiKey", "in": "query", "name": "key"}
        shop.change({"security": [{"other": []}]}, path=path)
        known = as_object(as_object(shop.more["components"])["securitySchemes"])
        shop.more["components"] = {"securitySchemes": {**known, "other": scheme}}
    else:
        shop.change({"x-interlock-effect": "destructive"}, path=path)


@pytest.mark.promise("O1")
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("path", "changed: path"),
        ("method", "changed: method, effect"),
        ("server", "changed: server"),
        ("security", "changed: security"),
        ("scheme", "changed: security"),
        ("effect", "changed: effect"),
    ],
)
async def test_a_tool_that_became_another_is_held_back(home: Path, shop: Shop, what: str, why: str) -> None:
    """At a reload, and at every later start, and that tool alone; whoever wants it is told why."""
    settings = settings_for(home, shop)
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        await offered(runtime)
        become_another(shop, what)
        report = await runtime.tools.reload("shop")
        (document,) = (as_object(each) for each in as_array(report["documents"]))
        assert [as_object(each)["name"] for each in as_array(document["withheld"])] == ["shop.get"]
        assert (document["added"], document["removed"]) == ([], [])
        assert await offered(runtime) == {"list", "create"}
        assert await waiting(runtime) == {"shop.get": why}
        with pytest.raises(ApprovalDeniedError, match="withheld"):
            await runtime.tools.call("shop.get", '{"id": "1"}')
        assert await changes(runtime) == ["tools.first-use"]
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert await offered(runtime) == {"list", "create"}
        assert "tools.withheld" in json.dumps(await runtime.trail.tail(10))
    assert [request.target for request in shop.requests] == ["/shop.json"] * 3


@pytest.mark.promise("O1")
async def test_words_arguments_and_answers_may_change(home: Path, shop: Shop) -> None:
    """An approval is about where a call goes and what it may do there."""
    async with Runtime.open(settings_for(home, shop), environment=NOTHING) as runtime:
        await offered(runtime)
        query: JsonObject = {"name": "q", "in": "query", "schema": {"type": "string"}}
        shop.change({"summary": "Lists them", "parameters": [query]})
        await runtime.tools.reload("shop")
        assert await offered(runtime) == {"list", "create", "get"}
        assert (await runtime.tools.named("shop.list")).summary == "Lists them"


@pytest.mark.promise("O1")
async def test_an_approval_offers_exactly_what_was_shown(home: Path, shop: Shop) -> None:
    """One tool of several, by its fingerprint; in every process, and for good."""
    settings = settings_for(home, shop)
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        await offered(runtime)
        shop.paths["/all"] = {"delete": {"operationId": "drop"}}
        become_another(shop, "security")
        await runtime.tools.reload("shop")
        assert await waiting(runtime) == {"shop.get": "changed: security", "shop.drop": "new"}
        shown = await fingerprints(runtime)
        with pytest.raises(ConflictError, match="not held back as it was shown"):
            await runtime.tools.held.approve("shop", [("shop.get", "0" * 64)])
        with pytest.raises(NotFoundError, match="Nothing of shops waits"):
            await runtime.tools.held.approve("shops", shown)
        async with Runtime.open(settings, environment=NOTHING) as other:
            await offered(other)
            await other.tools.held.approve("shop", [entry for entry in shown if entry[0] == "shop.get"])
            assert await offered(other) == {"list", "create", "get"}
        assert await offered(runtime) == {"list", "create", "get"}
        assert await waiting(runtime) == {"shop.drop": "new"}
        assert (await changes(runtime))[-1] == "tools.approve"
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        await runtime.tools.held.approve("shop", await fingerprints(runtime))
        assert await offered(runtime) == {"list", "create", "get", "drop"}


@pytest.mark.promise("O1")
async def test_a_search_does_not_find_what_is_held_back(home: Path, shop: Shop) -> None:
    """Also where its index was kept before, and it is found again after the approval."""
    settings = settings_for(home, shop)

    async def found(runtime: Runtime) -> set[str]:
        return {tool.name for tool, _ in await runtime.tools.find("get orders", namespace="shop")}

    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert "shop.get" in await found(runtime)
    become_another(shop, "effect")
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert "shop.get" not in await found(runtime)
        await runtime.tools.held.approve("shop", await fingerprints(runtime))
        assert "shop.get" in await found(runtime)


@pytest.mark.promise("O1")
async def test_a_document_cannot_change_the_server_that_is_written(home: Path, shop: Shop) -> None:
    """With `base_url` the document's server counts for nothing; without it, it is looked at again."""
    async with Runtime.open(settings_for(home, shop), environment=NOTHING) as runtime:
        await offered(runtime)
    shop.more["servers"] = [{"url": "https://elsewhere.example"}]
    async with Runtime.open(settings_for(home, shop, base_url=shop.url), environment=NOTHING) as runtime:
        assert await offered(runtime) == {"list", "create", "get"}
        assert (await runtime.tools.call("shop.list", "{}")).text == '{"done":true}'
    async with Runtime.open(settings_for(home, shop), environment=NOTHING) as runtime:
        assert await offered(runtime) == set()
        assert set((await waiting(runtime)).values()) == {"changed: server"}


@pytest.mark.promise("O1")
async def test_a_document_that_is_added_is_approved_by_that(home: Path, shop: Shop) -> None:
    """By a command, again after it changed; a reload approves nothing."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:

        async def add() -> None:
            await runtime.tools.add(shop.address, namespace="shop", base_url="", credential="", allow=())

        await add()
        assert await offered(runtime) == {"list", "create", "get"}
        become_another(shop, "method")
        await runtime.tools.reload("shop")
        assert await offered(runtime) == {"list", "create"}
        await add()
        assert await offered(runtime) == {"list", "create", "get"}
        assert await changes(runtime) == [
            *("tools.add", "tools.first-use", "tools.reload", "tools.add", "tools.first-use"),
        ]


@pytest.mark.promise("O1")
async def test_a_file_of_this_machine_is_the_operators_own(home: Path, shop: Shop, tmp_path: Path) -> None:
    """Nothing of it is recorded or held back."""
    file = tmp_path / "shop.json"
    file.write_bytes(shop.content)
    settings = Settings(home=home, tools={"shop": ToolSettings(source=str(file), base_url=shop.url)})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        await offered(runtime)
        become_another(shop, "method")
        file.write_bytes(shop.content)
        await runtime.tools.reload("shop")
        assert await offered(runtime) == {"list", "create", "get"}
        assert await changes(runtime) == []


@pytest.mark.promise("O1")
async def test_only_who_may_change_tools_approves_them(home: Path, shop: Shop) -> None:
    """In whoever's name it is asked."""
    settings = settings_for(home, shop)
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        await offered(runtime)
        become_another(shop, "effect")
        await runtime.tools.reload("shop")
        shown = await fingerprints(runtime)
        dora = await runtime.access.principal_of("dora")
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.held.approve("shop", shown, by=dora)
    reader = {local_user(): UserSettings(roles=("readonly",))}
    settings = Settings(home=home, tools=settings.tools, users=reader)
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert await offered(runtime) == {"list", "create"}
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.held.approve("shop", shown)
        assert await offered(runtime) == {"list", "create"}


@pytest.mark.promise("O2")
async def test_a_document_that_is_not_the_pinned_one_is_refused(home: Path, shop: Shop) -> None:
    """At the start it gives no tools, at a reload it stays as it was; both hashes are told."""
    pinned = hashlib.sha256(shop.content).hexdigest()
    settings = settings_for(home, shop, sha256=pinned.upper())
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert await offered(runtime) == {"list", "create", "get"}
        shop.change({"summary": "Another word"})
        now = hashlib.sha256(shop.content).hexdigest()
        (entry,) = (as_object(each) for each in as_array((await runtime.tools.reload())["documents"])[1:])
        assert now in str(entry["error"])
        assert await offered(runtime) == {"list", "create", "get"}
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert await offered(runtime) == set()
        with pytest.raises(ConfigurationError) as caught:
            await runtime.tools.call("shop.list", "{}")
        assert caught.value.field == "tools.shop.sha256"
        assert all(part in str(caught.value) for part in (now, pinned.upper(), "tools.shop.sha256"))
        assert caught.value.remedy == "Look at what changed; if that is right, write the new hash there."


@pytest.mark.promise("O2")
async def test_a_pin_covers_all_that_a_document_is_made_of(home: Path, shop: Shop) -> None:
    """What takes more from its server is refused, because the hash says nothing of that."""
    shop.paths["/orders"] = {"$ref": "/more.json"}
    pinned = hashlib.sha256(shop.content).hexdigest()
    async with Runtime.open(settings_for(home, shop, sha256=pinned), environment=NOTHING) as runtime:
        assert await offered(runtime) == set()
        (entry,) = await runtime.tools.unusable()
        assert "covers one file" in str(entry["error"])


async def test_what_cannot_be_recorded_is_not_offered(
    home: Path, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its record no first use approves anything."""
    async with Runtime.open(settings_for(home, shop), environment=NOTHING) as runtime:
        with closing(sqlite3.connect(home / "interlock.db")) as raw:
            raw.execute("DROP TABLE audit_records")
        with caplog.at_level(logging.WARNING, logger="interlock.runtime"):
            assert await offered(runtime) == set()
        assert set((await waiting(runtime)).values()) == {"new"}
    assert "are held back" in caplog.text
