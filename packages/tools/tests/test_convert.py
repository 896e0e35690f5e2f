"""Operations become tools: arguments, names, effects, descriptions, and requests that can be made of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Effect, Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_object
from interlock_tools import Conversion, ConvertOptions, openapi_to_tool_specs
from interlock_tools.openapi import Wording

RICH = ConvertOptions(wording=Wording())


def document(paths: JsonObject, **more: Json) -> JsonObject:
    """A document with these paths."""
    return {"openapi": "3.1.0", "info": {"title": "Notes"}, "paths": paths, **more}


def operation(value: JsonObject, *, path: str = "/notes", method: str = "post", **more: Json) -> Conversion:
    """What becomes of one operation."""
    return openapi_to_tool_specs(document({path: {method: value}}, **more), options=RICH)


def with_body(schema: Json, *, required: bool = True, media: str = "application/json") -> JsonObject:
    """An operation with a body."""
    return {"requestBody": {"required": required, "content": {media: {"schema": schema}}}}


def properties(conversion: Conversion) -> JsonObject:
    """Schemas of the arguments of the first tool."""
    return as_object(conversion.tools[0].parameters["properties"])


def test_a_whole_operation_becomes_one_tool() -> None:
    """Everything that a model and a person are told, as one value."""
    conversion = operation(
        {
            "operationId": "createNote",
            "summary": "Create a note",
            "description": "Create a note. It is **private** at first. See https://docs.example for more.",
            "tags": ["notes"],
            "parameters": [
                {
                    "name": "book",
                    "in": "path",
                    "description": "Id of the book",
                    "schema": {"type": "integer"},
                },
                {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
            ],
            **with_body({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
        },
        path="/books/{book}/notes",
    )
    tool = conversion.tools[0]
    assert conversion.skipped == ()
    assert tool.name == "notes.create_note"
    assert tool.description == "Create a note. It is private at first."
    assert tool.effect is Effect.WRITE
    assert (tool.namespace, tool.operation_id, tool.category) == ("notes", "createNote", "notes")
    assert tool.endpoint == "POST /books/{book}/notes"
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "book": {"type": "integer", "description": "Id of the book"},
            "X-Trace": {"type": "string"},
            "text": {"type": "string"},
        },
        "required": ["book", "text"],
    }


def test_arguments_that_would_share_a_name_say_where_they_go() -> None:
    """The path keeps the plain name; the document's names stay in the plan."""
    conversion = operation(
        {
            "parameters": [
                {"name": "id", "in": "path", "schema": {"type": "string"}},
                {"name": "id", "in": "query", "schema": {"type": "string"}},
                {"name": "filter[id]", "in": "query", "schema": {"type": "string"}},
                {"name": "$top", "in": "query", "schema": {"type": "integer"}},
            ],
            **with_body({"type": "object", "properties": {"id": {}, "": {}, "id_query": {}}}),
        },
        path="/notes/{id}",
    )
    assert list(properties(conversion)) == [
        "id",
        "id_query",
        "filter_id",
        "top",
        "id_body",
        "argument",
        "id_query_body_2",
    ]
    plan = conversion.entries[0].plan
    assert [slot.parameter.name for slot in plan.slots] == ["id", "id", "filter[id]", "$top"]


def test_parameters_of_the_path_hold_unless_the_operation_says_otherwise() -> None:
    """The operation's own parameter of the same name and place wins."""
    shared: Json = {"name": "q", "in": "query", "schema": {"type": "string"}}
    own: Json = {"name": "q", "in": "query", "required": True, "schema": {"type": "integer"}}
    paths: JsonObject = {"/a": {"parameters": [shared], "get": {}, "put": {"parameters": [own]}}}
    tools = {tool.endpoint: tool for tool in openapi_to_tool_specs(document(paths))}
    assert as_object(tools["GET /a"].parameters["properties"])["q"] == {"type": "string"}
    assert tools["PUT /a"].parameters["required"] == ["q"]


def test_a_path_item_may_stand_elsewhere() -> None:
    """Operations behind the reference and beside it are both found."""
    conversion = openapi_to_tool_specs(
        document(
            {
                "/a": {"$ref": "#/components/pathItems/A", "post": {}},
                "/b": {"$ref": "#/components/pathItems/B"},
            },
            components={"pathItems": {"A": {"get": {"operationId": "a"}}}},
        )
    )
    assert {tool.endpoint for tool in conversion} == {"GET /a", "POST /a"}
    assert [item.operation for item in conversion.skipped] == ["* /b"]


def test_a_name_in_the_path_that_nothing_describes_is_a_text() -> None:
    """It is needed for the call, so it is an argument; the author is told."""
    conversion = operation({}, path="/notes/{id}")
    assert properties(conversion) == {"id": {"type": "string"}}
    assert "{id}" in conversion.problems[0].message


def test_a_path_parameter_that_the_path_does_not_have_is_left_out_and_said() -> None:
    """It could not be sent anywhere."""
    conversion = operation({"parameters": [{"name": "ghost", "in": "path", "schema": {"type": "string"}}]})
    assert properties(conversion) == {}
    assert "ghost" in conversion.problems[0].message


@pytest.mark.parametrize("name", ["Authorization", "host", "Content-Length", "Transfer-Encoding"])
def test_headers_that_no_argument_sets_say_so(name: str) -> None:
    """They stay visible, are not required, and are not sent."""
    conversion = operation({"parameters": [{"name": name, "in": "header", "required": True, "schema": {}}]})
    assert "Not sent" in str(as_object(properties(conversion)[name])["description"])
    assert "required" not in conversion.tools[0].parameters


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"parameters": {}}, "`parameters` is no list"),
        ({"parameters": [{"name": "q"}]}, "no `name` or no `in`"),
        ({"parameters": [{"name": "q", "in": "nowhere"}]}, "cannot be in 'nowhere'"),
        ({"parameters": ["q"]}, "no `name` or no `in`"),
        ({"requestBody": []}, "request body is no object"),
        ({"requestBody": {"$ref": "#/nothing"}}, "nothing at that place"),
        (with_body({"$ref": "#/components/schemas/Absent"}), "nothing at that place"),
        (
            with_body({"type": "array", "items": {"$ref": "#/components/schemas/Half"}}),
            "nothing at that place",
        ),
        (with_body({"type": "array", "items": {"$ref": "#/components/schemas/Round"}}), "in a circle"),
        (with_body({"allOf": ["x", 5], "items": [5]}), "neither an object nor a boolean"),
        ("text", "operation is no object"),
    ],
)
def test_a_broken_part_costs_its_operation_and_is_named(broken: Json, said: str) -> None:
    """The reason names file, JSON pointer, what and remedy; the next operation stands."""
    conversion = openapi_to_tool_specs(
        document(
            {"/a": {"post": broken, "get": {"operationId": "fine"}}},
            components={
                "schemas": {
                    "Half": {"properties": {"x": {"$ref": "#/components/schemas/Absent"}}},
                    "Round": {"$ref": "#/components/schemas/Square"},
                    "Square": {"$ref": "#/components/schemas/Round"},
                }
            },
        )
    )
    assert [tool.name for tool in conversion] == ["notes.fine"]
    skipped = conversion.skipped[0]
    assert skipped.operation == "POST /a"
    assert said in skipped.reason
    assert skipped.reason.startswith("document#/")


def test_a_parameter_without_a_schema_is_a_text() -> None:
    """It is tolerated and said."""
    conversion = operation({"parameters": [{"name": "q", "in": "query"}]})
    assert properties(conversion) == {"q": {"type": "string"}}
    assert "no schema" in conversion.problems[0].message


def test_null_where_a_list_or_body_could_stand_is_nothing() -> None:
    """Generators write it for absent parts."""
    conversion = openapi_to_tool_specs(
        document({"/a": {"get": {"parameters": None, "requestBody": None, "responses": None}, "put": None}})
    )
    assert [tool.endpoint for tool in conversion] == ["GET /a"]
    assert conversion.skipped == ()


def test_paths_that_are_no_objects_are_noted() -> None:
    """The rest of the document stands."""
    conversion = openapi_to_tool_specs(
        document({"/a": [], "/b": {"get": {}}, "/c": None, "x-own": {"get": {}}})
    )
    assert len(conversion) == 1
    assert "no object" in conversion.skipped[0].reason
    with pytest.raises(InvalidRequestError, match="`paths` is no object"):
        openapi_to_tool_specs({"openapi": "3.1.0", "paths": []})


@pytest.mark.parametrize(
    ("method", "operation_id", "hint", "effect"),
    [
        ("get", "listNotes", None, Effect.READ),
        ("head", None, None, Effect.READ),
        ("options", None, None, Effect.READ),
        ("post", "searchNotes", None, Effect.WRITE),
        ("post", "deleteNotes", None, Effect.DESTRUCTIVE),
        ("delete", "listNotes", None, Effect.DESTRUCTIVE),
        ("put", "replaceNote", None, Effect.WRITE),
        ("get", "GET_TerminateInstances", None, Effect.DESTRUCTIVE),
        ("get", "RebootInstances", None, Effect.WRITE),
        ("post", "searchNotes", "read", Effect.READ),
        ("get", "listNotes", "destructive", Effect.DESTRUCTIVE),
        ("post", "searchNotes", "harmless", Effect.WRITE),
    ],
)
def test_the_effect_follows_method_name_and_hint(
    method: str, operation_id: str | None, hint: str | None, effect: Effect
) -> None:
    """A verb can only make it graver; the document's own word counts most."""
    value: JsonObject = {"operationId": operation_id, "x-interlock-effect": hint}
    assert operation(value, method=method).tools[0].effect is effect


def test_names_are_readable_and_depend_on_nothing_but_the_operation() -> None:
    """By id, else by method and path; they stay when the document is reordered."""
    paths: JsonObject = {
        "/users/{id}/repos": {"get": {}, "post": {"operationId": "ReposAPI.createHTTPRepo"}},
        "/": {"get": {}},
        "/x": {"get": {"operationId": "issues/create"}, "put": {"operationId": "issues-create"}},
        "/y": {
            "get": {"operationId": "列出"},
            "post": {"operationId": "a" * 80},
            "put": {"operationId": "a" * 90},
        },
    }
    names = {tool.endpoint: tool.name for tool in openapi_to_tool_specs(document(paths))}
    assert names["GET /users/{id}/repos"] == "notes.get_users_id_repos"
    assert names["POST /users/{id}/repos"] == "notes.repos_api_create_http_repo"
    assert names["GET /"] == "notes.get_root"
    assert names["GET /y"] == "notes.get_y"
    assert names["GET /x"].startswith("notes.issues_create_")
    assert len(set(names.values())) == len(names)
    assert all(len(name) <= 64 for name in names.values())
    again = dict(reversed(list(paths.items())))
    assert {t.endpoint: t.name for t in openapi_to_tool_specs(document(again))} == names


@given(st.lists(st.text(max_size=90), max_size=12))
def test_any_operation_ids_give_legal_and_unique_names(ids: list[str]) -> None:
    """Whatever authors write."""
    paths: JsonObject = {f"/p{i}": {"get": {"operationId": name}} for i, name in enumerate(ids)}
    names = [tool.name for tool in openapi_to_tool_specs(document(paths))]
    assert len(set(names)) == len(ids)
    assert all(name.replace(".", "_").replace("_", "").isascii() and len(name) <= 64 for name in names)


@pytest.mark.parametrize(
    ("title", "namespace"),
    [
        ("Notes", "notes"),
        ("GitHub v3 REST API", "git_hub_v3_rest"),
        ("The Open API of a company with a long name", "open_of_a_company_with_a"),
        ("supercalifragilisticexpialidocious", "supercalifragilisticexpi"),
        ("API", "api"),
        ("", "document"),
        ("???", "document"),
    ],
)
def test_a_namespace_is_made_of_the_title(title: str, namespace: str) -> None:
    """Words that say nothing are left out, whole words are kept while they fit."""
    assert openapi_to_tool_specs({"openapi": "3.0.0", "info": {"title": title}}).namespace == namespace


@pytest.mark.parametrize("namespace", ["", "a b", "ä", "a.b", "x" * 25])
def test_a_namespace_that_is_no_name_is_refused(namespace: str) -> None:
    """It stands in every tool's name."""
    with pytest.raises(InvalidRequestError, match="namespace"):
        openapi_to_tool_specs(document({}), namespace=namespace)


def test_descriptions_are_short_plain_and_visible() -> None:
    """No markup, no control or invisible characters, whole sentences, within the limit."""
    text = (
        "<p>Do <b>this</b>.</p> T\u200bh\u202e\u0007en [that](https://x.example/y).\n\n```\ncode\n```\n"
        "Never [!NOTE] careful &amp; slow. Read more about it elsewhere. " + "word " * 200
    )
    conversion = operation(
        {"summary": "Sum\u200bmary", "description": text, "deprecated": True},
    )
    said = conversion.tools[0].description
    assert said.startswith("Deprecated. Summary. Do this . Then that. Never careful & slow.")
    assert said.isprintable()
    assert len(said) <= 380


def test_an_operation_without_words_is_told_by_its_endpoint() -> None:
    """No description is ever empty."""
    assert operation({}).tools[0].description == "POST /notes"


def test_a_summary_that_the_description_repeats_is_said_once() -> None:
    """The longer one stands."""
    value: JsonObject = {"summary": "List notes", "description": "List notes of one book."}
    assert operation(value).tools[0].description == "List notes of one book."


def test_descriptions_that_only_repeat_a_name_are_left_out() -> None:
    """They cost tokens and say nothing."""
    schema: Json = {"type": "string"}
    conversion = operation(
        {
            "operationId": "createNote",
            "parameters": [
                {"name": "title", "in": "query", "description": "The title of the note", "schema": schema},
                {"name": "sort", "in": "query", "description": "By date or name", "schema": schema},
            ],
        }
    )
    assert properties(conversion) == {
        "title": schema,
        "sort": {"type": "string", "description": "By date or name"},
    }


def test_wording_gets_shorter_as_a_document_grows() -> None:
    """So that the whole of a large one still fits."""
    lengths = [Wording.for_size(count).tool for count in (10, 700, 5_000)]
    assert lengths == sorted(lengths, reverse=True)


def test_operations_can_be_picked_by_name_id_and_endpoint() -> None:
    """What is not wanted is neither a tool nor skipped; its name does not matter to the others."""
    paths: JsonObject = {
        "/notes": {"get": {"operationId": "listNotes"}, "post": {"operationId": "createNote"}},
        "/books": {"get": {"operationId": "listBooks"}},
    }

    def picked(*allow: str, deny: tuple[str, ...] = ()) -> set[str]:
        options = ConvertOptions(allow=allow, deny=deny)
        return {tool.name for tool in openapi_to_tool_specs(document(paths), options=options)}

    assert picked("notes.list_*") == {"notes.list_notes", "notes.list_books"}
    assert picked("createNote", "list_books") == {"notes.create_note", "notes.list_books"}
    assert picked("GET /*") == {"notes.list_notes", "notes.list_books"}
    assert picked("*", deny=("* /notes",)) == {"notes.list_books"}
    conversion = openapi_to_tool_specs(document(paths), options=ConvertOptions(allow=("list_books",)))
    assert (conversion.operations, conversion.excluded, len(conversion)) == (3, 2, 1)


def test_long_tools_are_folded_and_said_to_be() -> None:
    """A model sees less, the executor checks everything, nothing dangles."""

    def level(name: str, deeper: str) -> JsonObject:
        fields: JsonObject = {f"{name}_{i}": {"type": "string", "description": "x" * 90} for i in range(40)}
        return {
            "type": "object",
            "properties": {**fields, "deeper": {"$ref": f"#/components/schemas/{deeper}"}},
        }

    inline: JsonObject = {
        "type": "object",
        "properties": {f"f{i}": {"type": "array", "items": level(f"i{i}", "A")} for i in range(4)},
    }
    kinds: Json = {"type": "string", "enum": [f"kind{i}" for i in range(80)]}
    body = with_body(
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/components/schemas/A"}, "inline": inline, "kind": kinds},
        }
    )
    schemas: JsonObject = {"A": level("a", "B"), "B": level("b", "C"), "C": level("c", "A"), "K": kinds}
    raw = document({"/a": {"post": body}}, components={"schemas": schemas})
    whole = openapi_to_tool_specs(raw, options=ConvertOptions(max_tool_tokens=None))
    small = openapi_to_tool_specs(raw, options=ConvertOptions(max_tool_tokens=600))
    assert (whole.folded, small.folded) == (0, 1)
    shown = json.dumps(small.tools[0].parameters)
    assert len(shown) < 600 * 4 * 1.3 < len(json.dumps(whole.tools[0].parameters))
    assert "Folded" in shown
    names = {f"#/$defs/{name}" for name in as_object(small.tools[0].parameters["$defs"])}
    assert {part.partition('"')[0] for part in shown.split('"$ref": "')[1:]} <= names
    assert small.entries[0].parameters == {**whole.tools[0].parameters, "additionalProperties": False}


@pytest.mark.parametrize("value", [0, "x", [], {}, None, True])
@pytest.mark.parametrize(
    "path",
    [
        ("info",),
        ("servers",),
        ("tags",),
        ("components",),
        ("components", "schemas"),
        ("components", "schemas", "Note"),
        ("components", "securitySchemes"),
        ("components", "securitySchemes", "key"),
        ("security",),
        ("paths", "/notes", "post", "tags"),
        ("paths", "/notes", "post", "parameters"),
        ("paths", "/notes", "post", "parameters", "0"),
        ("paths", "/notes", "post", "requestBody"),
        ("paths", "/notes", "post", "requestBody", "content"),
        ("paths", "/notes", "post", "requestBody", "content", "application/json"),
        ("paths", "/notes", "post", "requestBody", "content", "application/json", "schema"),
        ("paths", "/notes", "post", "responses"),
        ("paths", "/notes", "post", "servers"),
        ("paths", "/notes", "post", "security"),
    ],
)
def test_a_node_of_the_wrong_kind_costs_at_most_its_operation(path: tuple[str, ...], value: Json) -> None:
    """Each place in turn holds something that does not belong there."""
    raw: JsonObject = document(
        {
            "/notes": {
                "post": {
                    "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
                    **with_body({"$ref": "#/components/schemas/Note"}),
                },
                "get": {},
            }
        },
        components={"schemas": {"Note": {"type": "object"}}, "securitySchemes": {"key": {"type": "http"}}},
    )
    place: Json = raw
    for key in path[:-1]:
        place = as_object(place).setdefault(key, {})
    if isinstance(place, list):
        place[0] = value
    else:
        as_object(place)[path[-1]] = value
    conversion = openapi_to_tool_specs(raw)
    assert "GET /notes" in {tool.endpoint for tool in conversion}
    assert conversion.operations == 2
