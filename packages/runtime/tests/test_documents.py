"""Documents that commands add are kept whole: with their other files and overlays, and through a reload."""

import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core import JsonObject
from interlock_core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.store import Store
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, postgres_database
from interlock_runtime import Runtime, Settings
from interlock_runtime._access import local_user
from interlock_runtime._documents import DocumentStore, StoredDocument
from interlock_runtime._join import BRANCHES
from interlock_runtime._mounting import bundle_of
from interlock_runtime.settings import EgressSettings, ToolSettings, UserSettings

NOTHING: dict[str, str] = {}
KINDS = ["sqlite", *(["postgres"] if "INTERLOCK_TEST_POSTGRES_URL" in os.environ else [])]


def document(*names: str) -> JsonObject:
    """A document whose operations take a parameter from another file."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop"},
        "paths": {
            f"/{name}": {"get": {"operationId": name, "parameters": [{"$ref": "more.json#/P"}]}}
            for name in names
        },
    }


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A document over two files, with an overlay beside them."""
    (tmp_path / "more.json").write_text('{"P": {"name": "q", "in": "query", "schema": {"type": "integer"}}}')
    overlay: JsonObject = {
        "overlay": "1.0.0",
        "actions": [{"target": "$.paths.*.get", "update": {"summary": "From the overlay"}}],
    }
    (tmp_path / "overlay.json").write_text(json.dumps(overlay))
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(document("a", "b")))
    return path


def rewritten(path: Path, *names: str) -> None:
    """The document with other operations."""
    path.write_text(json.dumps(document(*names)))


def spoiled(path: Path) -> None:
    """No document any more."""
    path.write_text("no document")


async def added(runtime: Runtime, source: str | Path, *overlays: Path) -> JsonObject:
    """Add a document as `shop`."""
    return await runtime.tools.add(
        str(source),
        namespace="shop",
        base_url="",
        credential="",
        allow=(),
        overlays=[str(overlay) for overlay in overlays],
    )


async def shown(runtime: Runtime) -> list[str]:
    """Names and arguments of the document's tools."""
    tools = (await runtime.tools.catalog()).list(["shop.*"])
    return [f"{tool.name}: {tool.summary} {tool.parameters['properties']}" for tool in tools]


@pytest.mark.promise("O1")
async def test_an_added_document_keeps_its_other_files_and_its_overlays(home: Path, shop: Path) -> None:
    """They count in every process, when the files are long gone."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        report = await added(runtime, shop, shop.parent / "overlay.json")
        assert (report["operations"], report["converted"], report["skipped"]) == (2, 2, [])
    for path in shop.parent.glob("*.json"):
        path.unlink()
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        kind = "{'q': {'type': 'integer'}}"
        assert await shown(runtime) == [f"shop.{name}: From the overlay {kind}" for name in ("a", "b")]
    assert list((home / "cache" / "documents").glob("*.entry"))


async def test_a_document_of_an_older_version_is_still_read(home: Path) -> None:
    """One file as it was, without overlays."""
    root: JsonObject = {"openapi": "3.1.0", "paths": {"/old": {"get": {"operationId": "old"}}}}
    async with await Store.open(f"sqlite:///{home / 'old.db'}", branches=BRANCHES) as store:
        kept = DocumentStore(store)
        content = json.dumps(root).encode()
        await kept.put(StoredDocument(namespace="shop", source="shop.json", content=content))
        (found,) = await kept.all()
    assert found.overlays == ()
    assert bundle_of(found).first == content
    far = StoredDocument(namespace="far", source="https://x.example/api.json", content=b"{}")
    assert bundle_of(far).uri == "https://x.example/api.json"


@pytest_asyncio.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Store, None]:
    """A database of each kind, with every table."""
    if request.param == "sqlite":
        async with await Store.open(f"sqlite:///{tmp_path / 'x.db'}", branches=BRANCHES) as opened:
            yield opened
        return
    async with postgres_database() as url, await Store.open(url, branches=BRANCHES) as opened:
        yield opened


async def test_documents_are_kept_in_every_kind_of_database(store: Store) -> None:
    """Bytes, overlays and patterns come back as they went in; a second one of a name takes its place."""
    kept = DocumentStore(store)
    first = StoredDocument(
        namespace="n", source="s", content=b"\0\xff", allow=("a*",), overlays=("o", "p"), credential="env:X"
    )
    await kept.put(first)
    assert list(await kept.all()) == [first]
    second = StoredDocument(namespace="n", source="t", content=b"x")
    await kept.put(second)
    assert list(await kept.all()) == [second]
    assert await kept.remove("n")
    assert list(await kept.all()) == []


@pytest.mark.promise("O1")
async def test_an_added_document_is_read_again_in_place(home: Path, shop: Path) -> None:
    """What changed is told; one that cannot be read stays as it was, in the store too."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        await added(runtime, shop, shop.parent / "overlay.json")
        catalog = await runtime.tools.catalog()
        rewritten(shop, "b", "c")
        told: list[str] = []
        runtime.tools.changed.append(lambda: told.append("changed"))
        report = await runtime.tools.reload("shop")
        (change,) = [as_object(each) for each in as_array(report["documents"])]
        assert (change["added"], change["changed"], change["removed"]) == (["shop.c"], [], ["shop.a"])
        assert [tool.name for tool in catalog.list(["shop.*"])] == ["shop.b", "shop.c"]
        assert "changed" in told
        spoiled(shop)
        with pytest.raises(InvalidRequestError):
            await runtime.tools.reload("shop")
        everything = await runtime.tools.reload()
        said = {as_object(each)["namespace"]: as_object(each) for each in as_array(everything["documents"])}
        assert "error" in said["shop"]
        assert said["github"]["changed"] == []
        with pytest.raises(NotFoundError, match="no document absent"):
            await runtime.tools.reload("absent")
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        assert [line.partition(":")[0] for line in await shown(runtime)] == ["shop.b", "shop.c"]


async def test_a_declared_document_is_read_again_with_its_overlays(home: Path, shop: Path) -> None:
    """Paths begin at the settings' file."""
    entry = ToolSettings(source="shop.json", overlays=("overlay.json",))
    settings = Settings(home=home, file=shop.parent / "config.toml", tools={"shop": entry})
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert all("From the overlay" in line for line in await shown(runtime))
        rewritten(shop, "a", "b", "c")
        report = await runtime.tools.reload("shop")
        assert as_object(as_array(report["documents"])[0])["added"] == ["shop.c"]


async def test_a_server_says_that_nothing_changed(home: Path) -> None:
    """Documents at addresses, declared and added, are asked for by their version."""
    root: JsonObject = {"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a"}}}}

    def serve(request: ReceivedRequest) -> Answer:
        if request.header("if-none-match") == '"1"':
            return Answer(status=304)
        return Answer(headers=(("etag", '"1"'),), body=json.dumps(root).encode())

    async with LoopbackServer(serve) as server:
        entry = ToolSettings(source=f"{server.url}/declared.json")
        settings = Settings(home=home, tools={"more": entry}, egress=EgressSettings())
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            await added(runtime, f"{server.url}/added.json")
            await shown(runtime)
            before = len(server.requests)
            report = await runtime.tools.reload()
            assert all(as_object(each)["added"] == [] for each in as_array(report["documents"]))
        assert [request.header("if-none-match") for request in server.requests[before:]] == ['"1"', '"1"']


async def test_one_who_may_only_read_reloads_nothing(home: Path, shop: Path) -> None:
    """Neither the store nor the tools change."""
    users = {local_user(): UserSettings(roles=("readonly",))}
    async with Runtime.open(Settings(home=home, users=users), environment=NOTHING) as runtime:
        with pytest.raises(PermissionDeniedError):
            await runtime.tools.reload()


async def test_documents_are_converted_with_overlays(home: Path, shop: Path) -> None:
    """They are laid over each document; the conversion is kept."""
    overlay = str(shop.parent / "overlay.json")
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        for _ in range(2):
            report = await runtime.tools.convert([str(shop)], overlays=[overlay])
            assert "From the overlay" in json.dumps(report)
