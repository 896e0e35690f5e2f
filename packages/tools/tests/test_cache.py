"""What became of a document is kept by the hash of all that it was made of, and believed only when whole."""

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.jsontypes import as_object
from interlock_core.testing import LoopbackServer, make_call
from interlock_tools import DocumentBundle, DocumentOptions, ToolExecutor, ToolRegistry, convert_documents
from interlock_tools.openapi._cache import DocumentCache
from interlock_tools.openapi._kept import code_version

from .test_corpus import documents

DEEP = b"[" * 100_000


def document(*operations: str, title: str = "Notes") -> JsonObject:
    """A document whose operations take one argument with a definition of its own."""
    parameter: JsonObject = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    filters: JsonObject = {"name": "f", "in": "query", "schema": {"$ref": "#/components/schemas/F"}}
    answer: Json = {"200": {"content": {"application/json": {"schema": {"type": "integer"}}}}}
    paths: JsonObject = {
        f"/{name}/{{id}}": {
            "get": {
                "operationId": name,
                "summary": f"Do {name}",
                "tags": ["t"],
                "parameters": [parameter, filters],
                "responses": answer,
            }
        }
        for name in operations
    }
    schemas: Json = {"F": {"type": "object", "properties": {"p": {"$ref": "#/components/schemas/F"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": title},
        "paths": {
            **paths,
            "/bad": {"get": {"parameters": [{"$ref": "#/nowhere"}]}},
            "/{implied}": {"put": {}},
        },
        "components": {"schemas": schemas},
    }


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder for the cache, which is not there yet."""
    return tmp_path / "cache"


@pytest.fixture
def api(tmp_path: Path) -> Path:
    """A document as a file."""
    path = tmp_path / "api.json"
    path.write_text(json.dumps(document("read", "list")))
    return path


def written(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text)


def entries(cache: Path) -> list[Path]:
    """The files of the cache."""
    return sorted(cache.iterdir())


async def ready(api: Path, cache: Path, **options: tuple[str, ...]) -> ToolRegistry:
    """A registry with the document."""
    registry = ToolRegistry(cache=cache)
    await registry.add(api, namespace="n", options=DocumentOptions(allow=options.get("allow", ("*",))))
    return registry


@pytest.mark.promise("O1")
async def test_a_document_from_the_cache_is_the_same_document(api: Path, cache: Path) -> None:
    """What is listed, what a call needs and what became of it."""
    cold = await ready(api, cache)
    warm = await ready(api, cache)
    assert warm.documents() == cold.documents()
    assert warm.documents()[0].skipped
    assert warm.documents()[0].problems
    assert list(warm.list()) == list(cold.list())
    assert [tool.name for tool in warm.search("read")] == [tool.name for tool in cold.search("read")]
    for tool in cold.list():
        assert warm.get(tool.name) == tool
        assert warm.parameters(tool.name) == cold.parameters(tool.name)
        assert warm.responses(tool.name) == cold.responses(tool.name)
        assert warm.validator(tool.name).problems({}) == cold.validator(tool.name).problems({})
    with pytest.raises(NotFoundError):
        warm.get("n.absent")


@pytest.mark.promise("O1")
async def test_real_documents_from_the_cache_are_the_same(cache: Path) -> None:
    """Every tool of the smallest real documents, cold and warm."""
    small = sorted(documents(), key=lambda path: path.stat().st_size)[:12]
    cold = await convert_documents([*small], cache=cache)
    warm = await convert_documents([*small], cache=cache)
    assert warm == cold
    assert len(entries(cache)) == len(small)


async def test_a_call_of_a_tool_from_the_cache_is_sent_as_described(api: Path, cache: Path) -> None:
    """The document itself is read for it, as it was when it was mounted, whatever its file holds now."""
    async with LoopbackServer() as server:
        await ready(api, cache)
        registry = ToolRegistry(cache=cache)
        await registry.add(api, namespace="n", options=DocumentOptions(base_url=server.url, trusted=True))
        written(api, "changed meanwhile")
        assert not registry.get("n.read").untrusted
        assert len(registry.list()) == 3
        executor = ToolExecutor(registry)
        call = ToolCall(id="c", name="n.read", arguments='{"id": "a/b", "f": {"p": {}}}')
        result = await executor.execute(call, make_call())
        await executor.aclose()
    assert not result.is_error
    assert server.requests[-1].target.startswith("/read/a%2Fb?")


async def test_every_change_of_what_a_document_is_made_of_is_seen(api: Path, cache: Path) -> None:
    """Its bytes, its other files, its overlays, its options: each makes an entry of its own."""
    await ready(api, cache)
    await ready(api, cache, allow=("read",))
    assert len(entries(cache)) == 2
    overlay = api.parent / "o.json"
    overlay.write_text('{"overlay": "1.0.0", "actions": [{"target": "$.info", "update": {"x": 1}}]}')
    registry = ToolRegistry(cache=cache)
    await registry.add(api, namespace="n", options=DocumentOptions(overlays=(overlay,)))
    await registry.add(api, namespace="other")
    assert len(entries(cache)) == 4
    root = document("read", "list")
    as_object(root["components"])["parameters"] = {"P": {"$ref": "more.json"}}
    written(api, json.dumps(root))
    await ready(api, cache)
    written(api.parent / "more.json", "{}")
    await ready(api, cache)
    assert len(entries(cache)) == 6


async def test_a_made_up_namespace_is_kept_only_where_it_is_the_documents_own(api: Path, cache: Path) -> None:
    """One that was numbered because another was there would be wrong the next time."""
    for _ in range(2):
        registry = ToolRegistry(cache=cache)
        first = await registry.add(api)
        second = await registry.add(api)
        assert (first.namespace, second.namespace) == ("notes", "notes_2")
        assert len(entries(cache)) == 1


@pytest.mark.promise("O2")
@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "other key", "no head", "empty", "other form", "link", "shared"]
)
async def test_a_damaged_or_foreign_entry_is_ignored_and_written_anew(
    api: Path, cache: Path, damage: str
) -> None:
    """Whatever stands there, the document is read, and the entry is whole again."""
    await ready(api, cache)
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    match damage:
        case "cut":
            entry.write_bytes(whole[:-1])
        case "flipped":
            entry.write_bytes(whole[:-2] + b"?" + whole[-1:])
        case "other key":
            entry.write_bytes(whole.replace(entry.stem.encode(), b"0" * 64))
        case "no head":
            entry.write_bytes(b"{}")
        case "empty":
            entry.write_bytes(b"")
        case "other form":
            DocumentCache(cache).put(entry.stem, b'{"tools": [[1]]}\n')
        case "link":
            elsewhere = cache.parent / "elsewhere"
            elsewhere.write_bytes(whole)
            entry.unlink()
            entry.symlink_to(elsewhere)
        case _:
            entry.chmod(0o666)
    registry = await ready(api, cache)
    assert [tool.name for tool in registry.list()] == ["n.list", "n.put_implied", "n.read"]
    assert entry.read_bytes() == whole
    assert not entry.is_symlink()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json\n",
        b"[]\n",
        b'{"tools": []}\n',
        b'{"tools": [["a"]], "skipped": [], "problems": []}\n',
        b'{"tools": [], "skipped": [["x"]], "problems": []}\n',
        b'{"tools": ' + DEEP + b"\n",
    ],
)
async def test_an_entry_of_another_form_is_ignored(api: Path, cache: Path, body: bytes) -> None:
    """Even when its digest is right."""
    await ready(api, cache)
    (entry,) = entries(cache)
    DocumentCache(cache).put(entry.stem, body)
    assert len((await ready(api, cache)).list()) == 3


@pytest.mark.promise("O2")
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("value", [-1, 0, 7, 10**9])
async def test_an_entry_with_wrong_places_never_gives_another_tool(
    api: Path, cache: Path, place: int, value: int
) -> None:
    """A wrong position or span: the document is read, or the call is refused."""
    cold = await ready(api, cache)
    (entry,) = entries(cache)
    head, _, schemas = entry.read_bytes().partition(b"\n")[2].partition(b"\n")
    facts = json.loads(head)
    facts["tools"][1][9 + place] = value
    DocumentCache(cache).put(entry.stem, json.dumps(facts).encode() + b"\n" + schemas)
    warm = await ready(api, cache)
    assert list(warm.list()) == list(cold.list())
    name = facts["tools"][1][0]
    with contextlib.suppress(InvalidRequestError):
        assert warm.parameters(name) == cold.parameters(name)


@pytest.mark.promise("O2")
@pytest.mark.parametrize("filler", [b"?", b"["])
async def test_an_entry_whose_schemas_are_none_is_written_anew(api: Path, cache: Path, filler: bytes) -> None:
    """That is found when a tool is first asked for."""
    cold = await ready(api, cache)
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    head, _, schemas = whole.partition(b"\n")[2].partition(b"\n")
    DocumentCache(cache).put(entry.stem, head + b"\n" + filler * len(schemas))
    assert list((await ready(api, cache)).list()) == list(cold.list())
    assert entry.read_bytes() == whole


@pytest.mark.promise("O2")
async def test_a_schema_that_is_nested_without_end_is_read_from_the_document(api: Path, cache: Path) -> None:
    """It takes no process with it; a tool that the document does not have is refused."""
    cold = await ready(api, cache)
    (entry,) = entries(cache)
    facts = json.loads(entry.read_bytes().partition(b"\n")[2].partition(b"\n")[0])
    for at, row in enumerate(facts["tools"]):
        row[10:] = [at * len(DEEP), (at + 1) * len(DEEP)]
    body = json.dumps(facts).encode() + b"\n" + DEEP * len(facts["tools"])
    DocumentCache(cache).put(entry.stem, body)
    assert list((await ready(api, cache)).list()) == list(cold.list())
    DocumentCache(cache).put(entry.stem, body.replace(b'"n.read"', b'"n.else"'))
    with pytest.raises(InvalidRequestError, match="damaged"):
        (await ready(api, cache)).get("n.else")


def test_the_least_recently_used_go_first(cache: Path) -> None:
    """When there are too many bytes; what is too large alone is never kept."""
    kept = DocumentCache(cache, max_bytes=700)
    kept.put("a", b"x" * 100)
    kept.put("b", b"x" * 100)
    for age, name in enumerate(("b", "a")):
        os.utime(cache / f"{name}.entry", (1_000 + age, 1_000 + age))
    assert bytes(kept.get("b") or b"") == b"x" * 100
    kept.put("c", b"x" * 300)
    assert kept.get("a") is None
    assert kept.get("b") is not None
    kept.put("d", b"x" * 701)
    assert kept.get("d") is None


def test_what_a_dead_process_left_is_swept_away(cache: Path) -> None:
    """Not what a living one may be writing; other files are left alone."""
    kept = DocumentCache(cache)
    kept.put("a", b"x")
    for name, age in (("old.part", 1.0), ("note.txt", 1.0)):
        (cache / name).write_bytes(b"x")
        os.utime(cache / name, (age, age))
    (cache / "new.part").write_bytes(b"x")
    DocumentCache(cache).put("b", b"x")
    assert [path.name for path in entries(cache)] == ["a.entry", "b.entry", "new.part", "note.txt"]


async def test_a_cache_that_cannot_be_written_costs_nothing(api: Path, tmp_path: Path) -> None:
    """The documents are read without it."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert len((await ready(api, blocked / "cache")).list()) == 3
    folder = tmp_path / "taken"
    DocumentCache(folder).put("a", b"x")
    (folder / "b.entry").mkdir()
    (folder / "b.entry" / "x").write_text("")
    DocumentCache(folder).put("b", b"x")
    assert DocumentCache(folder).get("b") is None
    assert [path.name for path in entries(folder)] == ["a.entry", "b.entry"]


def test_the_version_of_the_code_is_part_of_every_key() -> None:
    """It is the same for as long as the code is."""
    assert code_version() == code_version()
    assert len(code_version()) == 64


def test_a_bundle_survives_being_packed() -> None:
    """Files, overlays, what was missing and what servers said."""
    bundle = DocumentBundle(
        source="s",
        uri="https://x.example/a",
        files={"https://x.example/a": b"{}", "https://x.example/b": b"\n\0"},
        missing={"https://x.example/c": "gone"},
        overlays=(("o", b"overlay"), ("p", b"")),
    )
    again = DocumentBundle.unpacked(bundle.packed())
    assert again == bundle
    assert again.digest == bundle.digest
    assert again.first == b"{}"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"interlock-bundle 1\n",
        b"interlock-bundle 1\n{}\n",
        b"interlock-bundle 1\nno json\n",
        b'interlock-bundle 1\n{"source": "s", "uri": "u", "files": [["v", 0]]}\n',
        b'interlock-bundle 1\n{"source": "s", "uri": "u", "files": [["u", 5]]}\n{}',
        b'interlock-bundle 1\n{"source": "s", "uri": "u", "files": [["u", -1]]}\n',
        b'interlock-bundle 1\n{"source": "s", "uri": "u", "files": [5]}\n',
        b"interlock-bundle 1\n" + DEEP + b"\n",
    ],
)
def test_a_damaged_bundle_is_refused(damaged: bytes) -> None:
    """With what to do."""
    with pytest.raises(InvalidRequestError, match="damaged") as caught:
        DocumentBundle.unpacked(damaged)
    assert caught.value.remedy


@pytest.mark.parametrize("body", [None, b"no json", b'{"another": "form"}', DEEP])
async def test_the_search_index_of_a_document_is_kept_too(api: Path, cache: Path, body: bytes | None) -> None:
    """It finds the same; one that is damaged or of another form is made anew."""
    cold = [found.name for found in (await ready(api, cache)).search("read")]
    if body is not None:
        for entry in entries(cache):
            if b"namespace" not in entry.read_bytes()[:400]:
                DocumentCache(cache).put(entry.stem, body)
    assert len(entries(cache)) == 2
    warm = await ready(api, cache)
    assert [found.name for found in warm.search("read")] == cold
    assert cold[0] == "n.read"
    assert len(entries(cache)) == 2


def test_tools_that_nobody_knows_the_origin_of_are_indexed_each_time(cache: Path) -> None:
    """A document that was given as an object is kept nowhere."""
    registry = ToolRegistry(cache=cache)
    registry.add_document(document("read"), namespace="n")
    assert [found.name for found in registry.search("read")] == ["n.read"]
    assert not cache.exists()
