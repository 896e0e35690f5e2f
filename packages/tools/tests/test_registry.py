"""A registry holds the tools of many documents and of this process, and changes while it runs."""

import asyncio
import json
from pathlib import Path

import pytest

from interlock_core import Effect, Json, JsonObject, ToolCall
from interlock_core.errors import ConfigurationError, InterlockError, InvalidRequestError, NotFoundError
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    ReceivedRequest,
    client_for,
    json_answer,
    make_call,
)
from interlock_tools import DocumentBundle, DocumentOptions, ToolExecutor, ToolRegistry, builtin_document


def document(*names: str, title: str = "Notes") -> JsonObject:
    """A document with these operations."""
    paths: JsonObject = {
        f"/{name}": {"get": {"operationId": name, "summary": f"Do {name}"}} for name in names
    }
    return {"openapi": "3.1.0", "info": {"title": title}, "paths": paths}


def written(folder: Path, name: str, value: Json) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


async def test_documents_are_merged_each_under_its_namespace(tmp_path: Path) -> None:
    """From files and URLs; made-up namespaces never clash."""
    async with LoopbackServer(lambda _: Answer(body=json.dumps(document("c")).encode())) as server:
        client = client_for(server)
        registry = ToolRegistry(client=client)
        await registry.add(written(tmp_path, "a.json", document("a")))
        await registry.add(str(written(tmp_path, "b.json", document("b", "a"))), namespace="books")
        info = await registry.add(f"{server.url}/openapi.json")
        await client.aclose()
    assert [tool.name for tool in registry.list()] == ["books.a", "books.b", "notes.a", "notes_2.c"]
    assert [tool.name for tool in registry.list(["*.a", "notes_2.*"])] == ["books.a", "notes.a", "notes_2.c"]
    assert [tool.name for tool in registry.list(["nothing"])] == []
    assert (info.namespace, info.tools, info.operations) == ("notes_2", 1, 1)
    assert [one.namespace for one in registry.documents()] == ["notes", "books", "notes_2"]


def test_a_tool_is_found_by_its_name_or_the_nearest_are_named() -> None:
    """Both for one that is missing and for a document that is."""
    registry = ToolRegistry()
    registry.add_document(document("list_notes", "create_note"))
    assert registry.get("notes.list_notes").endpoint == "GET /list_notes"
    with pytest.raises(NotFoundError, match=r"notes\.list_notes"):
        registry.get("notes.list_note")
    with pytest.raises(NotFoundError, match="There is no tool"):
        registry.get("nothing")


@pytest.mark.parametrize("namespace", ["notes", "code"])
async def test_a_namespace_is_given_once(tmp_path: Path, namespace: str) -> None:
    """Neither to two documents nor to a document and functions of this process."""
    registry = ToolRegistry()

    async def run() -> str:
        return "done"

    registry.add_document(document("a"), namespace="notes")
    registry.register(run, name="code.run")
    with pytest.raises(InvalidRequestError, match="is taken"):
        registry.add_document(document("b"), namespace=namespace)
    with pytest.raises(InvalidRequestError, match="is taken"):
        await registry.add(tmp_path / "absent.json", namespace=namespace)
    with pytest.raises(InvalidRequestError, match="is taken"):
        registry.register(run, name=f"{namespace}.run")


async def test_a_reload_changes_what_changed_and_says_so(tmp_path: Path) -> None:
    """Added, changed and removed tools by name; search sees them at once."""
    path = written(tmp_path, "api.json", document("same", "changed", "removed"))
    registry = ToolRegistry()
    await registry.add(path, namespace="n")
    assert registry.search("added") == []
    new = document("same", "changed", "added")
    changed = new["paths"]
    assert isinstance(changed, dict)
    changed["/changed"] = {"get": {"operationId": "changed", "summary": "Now different"}}
    written(tmp_path, "api.json", new)
    reload = await registry.reload("n")
    assert (reload.added, reload.changed, reload.removed) == (("n.added",), ("n.changed",), ("n.removed",))
    assert reload.info.tools == 3
    assert [tool.name for tool in registry.search("added")] == ["n.added"]


async def test_a_reload_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """A broken file, a missing one, and a document that has none."""
    path = written(tmp_path, "api.json", document("a"))
    registry = ToolRegistry()
    await registry.add(path, namespace="n")
    registry.add_document(document("b"), namespace="object")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidRequestError):
        await registry.reload("n")
    path.unlink()
    with pytest.raises(NotFoundError):
        await registry.reload("n")
    with pytest.raises(InvalidRequestError, match="given as an object"):
        await registry.reload("object")
    with pytest.raises(NotFoundError, match="no document nope"):
        await registry.reload("nope")
    assert [tool.name for tool in registry.list()] == ["n.a", "object.b"]


async def test_a_broken_document_takes_no_other_down(tmp_path: Path) -> None:
    """It is named, and the rest stands."""
    registry = ToolRegistry()
    registry.add_document(document("a"), namespace="n")
    with pytest.raises(InvalidRequestError, match=r"broken\.json"):
        await registry.add(written(tmp_path, "broken.json", []))
    assert len(registry.list()) == 1


def test_tools_of_a_removed_namespace_are_gone() -> None:
    """Of documents and of this process."""
    registry = ToolRegistry()

    async def run() -> str:
        return "done"

    registry.add_document(document("a"), namespace="n")
    registry.register(run, name="code.run")
    assert registry.validator("code.run") is registry.validator("code.run")
    registry.remove("n")
    registry.remove("code")
    assert registry.list() == []
    assert registry.search("run") == []
    with pytest.raises(NotFoundError):
        registry.remove("n")


def test_only_allowed_operations_are_offered() -> None:
    """The rest is counted, and cannot be called by guessing its name."""
    registry = ToolRegistry()
    options = DocumentOptions(allow=("list_*", "GET /read_note"), deny=("list_secrets",))
    info = registry.add_document(
        document("list_notes", "list_secrets", "read_note", "drop_all"), namespace="n", options=options
    )
    assert [tool.name for tool in registry.list()] == ["n.list_notes", "n.read_note"]
    assert (info.operations, info.tools, info.excluded) == (4, 2, 2)
    with pytest.raises(NotFoundError):
        registry.tool("n.drop_all")


def test_results_of_a_trusted_document_taint_nothing() -> None:
    """The operator says which."""
    registry = ToolRegistry()
    registry.add_document(document("a"), namespace="n", options=DocumentOptions(trusted=True))
    registry.add_document(document("a"), namespace="m")
    assert not registry.get("n.a").untrusted
    assert registry.get("m.a").untrusted


@pytest.mark.parametrize("base_url", ["ftp://x.example", "https://user:pw@x.example", "http://x y/"])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    """Not only when the first call is made."""
    with pytest.raises(InterlockError):
        ToolRegistry().add_document(document("a"), options=DocumentOptions(base_url=base_url))


async def test_the_built_in_document_is_whole() -> None:
    """Every operation becomes a tool; its credentials may go to its own API."""
    path, origin = builtin_document("github")
    registry = ToolRegistry()
    info = await registry.add(path, namespace="github")
    assert info.skipped == ()
    assert info.problems == ()
    assert origin == "https://api.github.com"
    assert registry.get("github.issues_create").effect is Effect.WRITE
    with pytest.raises(NotFoundError, match="github"):
        builtin_document("gitub")


def test_whole_schemas_and_answers_are_known_by_name() -> None:
    """For people who want to see more than a model is shown."""
    registry = ToolRegistry()

    async def run(a: int) -> int:
        return a

    registry.register(run, name="code.run")
    schema: Json = {"type": "object", "properties": {"id": {"type": "integer"}}}
    answers: Json = {
        "200": {"content": {"application/json": {"schema": schema}}},
        "404": {"$ref": "#/nowhere"},
    }
    registry.add_document(
        {"openapi": "3.0.0", "paths": {"/x": {"get": {"operationId": "x", "responses": answers}}}},
        namespace="n",
    )
    assert registry.parameters("n.x") == {"type": "object", "properties": {}, "additionalProperties": False}
    assert registry.parameters("code.run")["required"] == ["a"]
    assert registry.responses("n.x") == schema
    assert registry.responses("n.x", status=404) is None
    assert registry.responses("code.run") is None
    assert registry.validator("n.x").problems({"b": 1})


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("create issue", "github.issues_create"),
        ("create label", "github.issues_create_label"),
        ("open a new issue", "github.issues_create"),
        ("list the labels of a repository", "github.issues_list_labels"),
        ("add a comment to an issue", "github.issues_create_comment"),
        ("milestones", "github.issues_list_milestones"),
        ("close or edit an issue", "github.issues_update"),
        ("repository information", "github.repos_get"),
    ],
)
async def test_search_finds_what_is_meant(query: str, best: str) -> None:
    """First, or among the first three, by words of every field, and by words that mean the same."""
    registry = ToolRegistry()
    await registry.add(builtin_document("github")[0], namespace="github")
    found = [tool.name for tool in registry.search(query, limit=3)]
    assert best in found
    assert not query.startswith("create") or found[0] == best


def test_search_gives_nothing_for_nothing() -> None:
    """Neither for words that no tool has, nor from an empty registry, nor with a limit of none."""
    registry = ToolRegistry()
    assert registry.search("anything") == []
    registry.add_document(document("list_boxes", "get_classes", "list_queries"), namespace="n")
    assert registry.search("zebra") == []
    assert registry.search("box", limit=0) == []
    assert [tool.name for tool in registry.search("box")] == ["n.list_boxes"]
    assert [tool.name for tool in registry.search("class")] == ["n.get_classes"]
    assert [tool.name for tool in registry.search("query")] == ["n.list_queries"]


def test_a_name_of_a_function_must_be_a_tools_name() -> None:
    """Namespace, dot, operation."""

    async def run() -> str:
        return ""

    for name in ("run", "a.b.c", "a b.c", "a." + "x" * 80, "ä.b"):
        with pytest.raises(ConfigurationError, match="cannot be a tool's name"):
            ToolRegistry().register(run, name=name)


@pytest.mark.promise("O1")
async def test_a_server_is_asked_only_for_what_changed() -> None:
    """With what it said of the version; while nothing changed, nothing is sent and nothing is read."""
    served: dict[str, JsonObject] = {"": document("list_notes")}

    def serve(request: ReceivedRequest) -> Answer:
        tag = f'"{len(str(served))}"'
        if request.header("if-none-match") == tag:
            return Answer(status=304)
        return Answer(headers=(("etag", tag),), body=json.dumps(served[""]).encode())

    async with LoopbackServer(serve) as server, client_for(server) as client:
        registry = ToolRegistry(client=client)
        await registry.add(f"{server.url}/api.json", namespace="n")
        same = await registry.reload("n")
        assert (same.added, same.changed, same.removed) == ((), (), ())
        assert len(server.requests) == 2
        served[""] = document("list_notes", "read_note")
        change = await registry.reload("n", client=client)
        assert change.added == ("n.read_note",)
        assert len(server.requests) == 4
        assert [tool.name for tool in registry.list()] == ["n.list_notes", "n.read_note"]


async def test_a_call_under_way_goes_on_while_its_document_is_read_again() -> None:
    """It ends as it began, and the next call sees the document as it is now."""
    reached, onward = asyncio.Event(), asyncio.Event()

    async def serve(request: ReceivedRequest) -> Answer:
        reached.set()
        await onward.wait()
        return json_answer({"path": request.path})

    async with LoopbackServer(serve) as server:
        registry = ToolRegistry()
        registry.add_bundle(bundle("list_notes"), namespace="n", options=DocumentOptions(base_url=server.url))
        executor = ToolExecutor(registry)
        call = ToolCall(id="c", name="n.list_notes", arguments="{}")
        under_way = asyncio.create_task(executor.execute(call, make_call()))
        await reached.wait()
        change = registry.replace("n", bundle("read_note"))
        assert (change.added, change.removed) == (("n.read_note",), ("n.list_notes",))
        onward.set()
        assert "list_notes" in (await under_way).text
        assert (await executor.execute(call, make_call())).is_error
        await executor.aclose()


@pytest.mark.promise("O2")
def test_files_that_are_no_document_replace_nothing() -> None:
    """Everything stays as it was; the same files change nothing either."""
    registry = ToolRegistry()
    registry.add_bundle(bundle("list_notes"), namespace="n")
    with pytest.raises(InvalidRequestError):
        registry.replace("n", DocumentBundle(source="s", uri="", files={"": b"[]"}))
    assert [tool.name for tool in registry.list()] == ["n.list_notes"]
    same = registry.replace("n", bundle("list_notes"))
    assert (same.added, same.changed, same.removed) == ((), (), ())
    with pytest.raises(NotFoundError):
        registry.replace("m", bundle("list_notes"))
    with pytest.raises(InvalidRequestError, match="taken"):
        registry.add_bundle(bundle("list_notes"), namespace="n")


def bundle(*operations: str) -> DocumentBundle:
    """A document as its files."""
    return DocumentBundle(source="s", uri="", files={"": json.dumps(document(*operations)).encode()})
