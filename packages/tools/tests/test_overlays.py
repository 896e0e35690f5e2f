"""Overlays change a document before it is read: update, remove, copy, in order, within bounds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.errors import InterlockError, InvalidRequestError
from interlock_core.jsontypes import as_object
from interlock_core.testing import Answer, LoopbackServer, client_for
from interlock_tools import LoadedDocument, LoadLimits, convert_documents, load_bundle, load_document
from interlock_tools.openapi import DocumentBundle


def document() -> JsonObject:
    """A document with two operations."""
    filters: list[Json] = [{"name": "filter", "in": "query"}, {"name": "page", "in": "query"}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Notes", "description": "Old."},
        "paths": {
            "/notes": {"get": {"operationId": "list", "tags": ["a", "b"], "parameters": filters}},
            "/admin": {"get": {"operationId": "admin", "x-internal": True}},
        },
    }


def overlay(*actions: Json, version: str = "1.0.0") -> bytes:
    """An overlay of these actions."""
    return json.dumps({"overlay": version, "info": {"title": "o"}, "actions": [*actions]}).encode()


def laid(
    *overlays: bytes, root: JsonObject | None = None, limits: LoadLimits | None = None
) -> LoadedDocument:
    """The document with overlays laid over it."""
    bundle = DocumentBundle(
        source="api.json",
        uri="",
        files={"": json.dumps(root or document()).encode()},
        overlays=tuple((f"o{number}.yaml", data) for number, data in enumerate(overlays)),
    )
    return load_bundle(bundle, limits=limits)


def at(loaded: LoadedDocument, *keys: str | int) -> Json:
    """The value behind these keys."""
    value: Json = loaded.root
    for key in keys:
        if isinstance(value, dict):
            value = value.get(str(key))
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key]
    return value


@pytest.mark.promise("O1")
def test_an_update_is_merged_into_each_object() -> None:
    """New properties come in, plain ones are replaced, lists grow, the rest stays."""
    action: Json = {
        "target": "$.paths['/notes'].get",
        "update": {"summary": "All notes", "operationId": "notes", "tags": ["c"]},
    }
    get = at(laid(overlay(action)), "paths", "/notes", "get")
    assert isinstance(get, dict)
    assert (get["summary"], get["operationId"], get["tags"]) == ("All notes", "notes", ["a", "b", "c"])
    assert len(str(get["parameters"])) > 2


def test_an_update_of_a_list_appends() -> None:
    """An object becomes one more entry, a list that many."""
    one: Json = {"target": "$.paths['/notes'].get.parameters", "update": {"name": "x", "in": "query"}}
    two: Json = {"target": "$.paths['/notes'].get.tags", "update": ["c", "d"]}
    loaded = laid(overlay(one, two))
    assert at(loaded, "paths", "/notes", "get", "parameters", 2, "name") == "x"
    assert at(loaded, "paths", "/notes", "get", "tags") == ["a", "b", "c", "d"]


def test_what_is_selected_is_removed() -> None:
    """Objects by a filter, entries of lists by their own value, from the last to the first."""
    loaded = laid(
        overlay(
            {"target": "$.paths[?@.get['x-internal'] == true]", "remove": True},
            {"target": "$.paths['/notes'].get.tags[0, 1, 0]", "remove": True},
            {"target": "$.paths.*.get.parameters[?@.name == 'filter']", "remove": True},
        )
    )
    assert list(as_object(at(loaded, "paths"))) == ["/notes"]
    assert at(loaded, "paths", "/notes", "get", "tags") == []
    assert at(loaded, "paths", "/notes", "get", "parameters", 0, "name") == "page"


def test_version_1_1_updates_plain_values_and_copies() -> None:
    """The copy is one of its own, even where it is put into what it was taken from."""
    loaded = laid(
        overlay(
            {"target": "$.info.description", "update": "New."},
            {"target": "$.paths", "update": {"/copy": {}}},
            {"target": "$.paths['/copy']", "copy": "$.paths['/notes']"},
            {"target": "$.paths['/copy'].get", "update": {"operationId": "copied"}},
            version="1.1.0",
        )
    )
    assert at(loaded, "info", "description") == "New."
    assert at(loaded, "paths", "/copy", "get", "operationId") == "copied"
    assert at(loaded, "paths", "/notes", "get", "operationId") == "list"


def test_overlays_are_laid_on_in_order() -> None:
    """Each sees what the one before made; the whole document may be the target."""
    first = overlay({"target": "$", "update": {"info": {"title": "First"}}})
    second = overlay({"target": "$.info[?@ == 'First']", "update": "Second"})
    assert at(laid(first, second), "info", "title") == "Second"


def test_aliases_of_yaml_are_changed_where_they_stand_alone() -> None:
    """What two places share is changed in the one that is meant."""
    text = "openapi: 3.1.0\npaths:\n  /a: &p {get: {summary: old}}\n  /b: *p\n"
    bundle = DocumentBundle(
        source="a.yaml",
        uri="",
        files={"": text.encode()},
        overlays=(("o", overlay({"target": "$.paths['/a'].get.summary", "update": "new"})),),
    )
    loaded = load_bundle(bundle)
    assert at(loaded, "paths", "/a", "get", "summary") == "new"
    assert at(loaded, "paths", "/b", "get", "summary") == "old"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"target": "$.nowhere", "update": {}}, "Nothing fits the target '$.nowhere'"),
        ({"target": "$.info"}, "neither updates nor removes nor copies"),
    ],
)
def test_an_action_that_does_nothing_is_a_problem(action: Json, said: str) -> None:
    """It is told with its place, and the document goes on."""
    (problem,) = laid(overlay(action)).problems
    assert said in problem.message
    assert (problem.source, problem.pointer) == ("o0.yaml", "/actions/0")


@pytest.mark.promise("O2")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}", "no `overlay` key"),
        (b'{"overlay": "2.0.0"}', "version 2.0.0"),
        (b'{"overlay": "1.0.0"}', "no actions"),
        (b"overlay: [", "neither JSON nor YAML"),
        (overlay("x"), "no `target`"),
        (overlay({"target": 5}), "no `target`"),
        (overlay({"target": "$.info[", "remove": True}), "no JSONPath"),
        (overlay({"target": "info", "remove": True}), "no JSONPath"),
        (overlay({"target": "$." + "a" * 5_000, "remove": True}), "too long"),
        (overlay({"target": "$", "remove": True}), "cannot be removed"),
        (overlay({"target": "$['info', 'openapi']", "update": {}}), "several kinds"),
        (overlay({"target": "$.info", "update": "x"}), "a plain value in place of an object"),
        (overlay({"target": "$.info.title", "update": {}}), "an object in place of a plain value"),
        (overlay({"target": "$.info", "update": {"title": []}}), "a list in place of a plain value"),
        (overlay({"target": "$.info", "copy": "$.paths.*"}), "selects 2 values"),
        (overlay({"target": "$.info", "copy": "$.nowhere"}), "selects 0 values"),
    ],
)
def test_an_overlay_that_does_not_fit_is_an_error_with_its_place(data: bytes, said: str) -> None:
    """Naming the overlay, and the action by its pointer."""
    with pytest.raises(InvalidRequestError, match=said) as caught:
        laid(data)
    assert "o0.yaml" in str(caught.value.field)
    assert caught.value.remedy


@pytest.mark.promise("O2")
@pytest.mark.parametrize(
    "actions",
    [
        [{"target": "$..*..*..*..*", "update": {}}],
        [{"target": "$" + "[*,*,*,*]" * 12, "remove": True}],
        [{"target": "$..[?@..[?@..[?@..a]]]", "remove": True}],
        [{"target": "$..[?count($..*) > 5]", "remove": True}],
        [{"target": "$.paths", "copy": "$"}] * 60,
    ],
)
def test_a_query_or_a_copy_without_end_is_refused(actions: list[Json]) -> None:
    """Steps, what is selected and what is copied are counted over all actions together."""
    deep: JsonObject = {"a": 1}
    for _ in range(12):
        deep = {"a": deep, "b": [deep, {"c": 1}]} if len(str(deep)) < 50_000 else deep
    root: JsonObject = {**document(), "x-deep": deep}
    with pytest.raises(InvalidRequestError, match=r"too many steps|selects too much|too large"):
        laid(overlay(*actions), root=root, limits=LoadLimits(max_nodes=200_000))


def test_patterns_of_a_query_take_linear_time() -> None:
    """A regular expression that backtracks elsewhere ends at once; one that is none fits nothing."""
    root: JsonObject = {**document(), "x-long": "a" * 50_000 + "!"}
    hostile: Json = {"target": "$[?match(@, '(a+)+')]", "update": "x"}
    broken: Json = {"target": "$[?search(@, '(')]", "update": "x"}
    number: Json = {"target": "$[?search(@.paths, 1)]", "update": "x"}
    found: Json = {"target": "$.info[?search(@, '^Not')]", "update": "Found"}
    loaded = laid(overlay(hostile, broken, number, found), root=root)
    assert [problem.pointer for problem in loaded.problems] == ["/actions/0", "/actions/1", "/actions/2"]
    assert at(loaded, "info", "title") == "Found"


def test_a_document_that_is_too_deep_for_an_overlay_is_refused() -> None:
    """With the limit of the walk, not with a crash."""
    deep: JsonObject = {}
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(InvalidRequestError):
        laid(overlay({"target": "$..b", "remove": True}), root={**document(), "x": deep})
    text = '{"openapi": "3.1.0", "x": ' + "[" * 3_000 + "]" * 3_000 + "}"
    bundle = DocumentBundle(
        source="a", uri="", files={"": text.encode()}, overlays=(("o", overlay({"target": "$.x"})),)
    )
    with pytest.raises(InvalidRequestError, match="nested too deeply for an overlay"):
        load_bundle(bundle)


async def test_overlays_come_from_files_and_addresses(tmp_path: Path) -> None:
    """In the order given; `convert` lays them over each document."""
    api = tmp_path / "api.json"
    api.write_text(json.dumps(document()))
    near = tmp_path / "near.yaml"
    near.write_bytes(overlay({"target": "$.info", "update": {"title": "Near"}}))
    far = overlay({"target": "$.info[?@ == 'Near']", "update": "Far"})
    async with LoopbackServer(lambda _: Answer(body=far)) as server, client_for(server) as client:
        overlays = [near, f"{server.url}/far.json?key=hidden"]
        loaded = await load_document(api, client=client, overlays=overlays)
        assert at(loaded, "info", "title") == "Far"
        report = await convert_documents([api], client=client, overlays=overlays)
    assert report.documents[0].namespace == "far"


def test_queries_see_lists_and_objects_as_they_are() -> None:
    """Slices, lengths, and comparisons of whole lists."""
    root: JsonObject = {**document(), "x-l": [[1, 2], [1, 3], [], "a"], "x-o": {"a": {"b": 1}, "c": {"b": 2}}}
    loaded = laid(
        overlay(
            {"target": "$['x-l'][3]", "update": "changed"},
            {"target": "$['x-l'][0:2]", "update": 9},
            {"target": "$['x-l'][?length(@) == 0]", "update": 0},
            {"target": "$['x-l'][?@ == $['x-l'][0]]", "update": [8]},
            {"target": "$['x-o'][?length(@) == 1 && @ == $['x-o'].a]", "update": {"same": True}},
        ),
        root=root,
    )
    assert loaded.root["x-l"] == [[1, 2, 9, 8], [1, 3, 9], [0], "changed"]
    assert loaded.root["x-o"] == {"a": {"b": 1, "same": True}, "c": {"b": 2}}


def test_more_than_can_be_meant_is_not_selected() -> None:
    """A hundred thousand values are no selection."""
    zeros: list[Json] = [0 for _ in range(100_001)]
    root: JsonObject = {**document(), "x": zeros}
    with pytest.raises(InvalidRequestError, match="selects too much"):
        laid(overlay({"target": "$.x[*]", "remove": True}), root=root)


@pytest.mark.promise("O2")
@given(
    target=st.text(alphabet="$.@*[]?()'=<&|!0123:,pathsget/ -", max_size=24).map("$".__add__),
    update=st.recursive(
        st.none() | st.booleans() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=6,
    ),
    kind=st.sampled_from(["update", "copy", "remove"]),
)
def test_whatever_an_action_says_it_is_applied_or_refused(target: str, update: Json, kind: str) -> None:
    """The overlay is named, and what is wrong with it."""
    action: JsonObject = {"target": target, kind: {"update": update, "copy": target, "remove": True}[kind]}
    refusal: InterlockError | None = None
    try:
        laid(overlay(action), limits=LoadLimits(max_nodes=5_000))
    except InterlockError as error:
        refusal = error
    assert refusal is None or refusal.remedy
