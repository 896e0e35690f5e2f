"""One OpenAPI document a suite, written as somebody would who puts these functions on the web.

Every function is an operation of its own name, described in its own words, with its own schema. Nothing
else is said of it: no extension names an effect, nothing is marked as trusted. How the methods were chosen,
before anything was run, by the first word of a function's name and by what the function changes:

- `get`, `list`, `read`, `search`, `check`: GET, for they give something back. Two of them leave a trace
  that an owner would not call a change: unread mails that were fetched count as read, and a web page notes
  its visits.
- `delete`, `remove`: DELETE, for what they name is gone afterwards.
- `update`, `reschedule`: PATCH, for they change fields of something that stays.
- `add`, `append`, `cancel`, `create`, `invite`, `post`, `reserve`, `schedule`, `send`, `share`: POST, for
  they make something new, send it, or set something off. A cancelled event stays where it is, marked, and
  its guests get a mail: that is no deletion.

Arguments of GET and DELETE stand in the query, others in a body of JSON. What Interlock makes of it (read,
write or destructive) is Interlock's own judgement.
"""

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object

from .package import Function, Suite

METHODS = {
    **dict.fromkeys(("get", "list", "read", "search", "check"), "get"),
    **dict.fromkeys(("delete", "remove"), "delete"),
    **dict.fromkeys(("update", "reschedule"), "patch"),
    **dict.fromkeys(("add", "append", "cancel", "create", "invite"), "post"),
    **dict.fromkeys(("post", "reserve", "schedule", "send", "share"), "post"),
}
"""The method by the first word of a function's name."""

_SCHEMAS = "#/components/schemas/{model}"


def method_of(function: str) -> str:
    """The method of a function."""
    return METHODS[function.partition("_")[0]]


def document_of(suite: Suite) -> JsonObject:
    """The document of a suite."""
    shared: JsonObject = {}
    paths: JsonObject = {
        f"/{each.name}": {method_of(each.name): _operation(each, shared)} for each in suite.tools
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": suite.name.capitalize(), "version": "1"},
        "paths": paths,
        "components": {"schemas": shared},
    }


def schema_of(function: Function) -> JsonObject:
    """The schema of a function's arguments."""
    return as_object(function.parameters.model_json_schema(ref_template=_SCHEMAS))


def _operation(function: Function, shared: JsonObject) -> JsonObject:
    schema = schema_of(function)
    shared |= as_object(schema.pop("$defs", {}))
    properties, required = as_object(schema.get("properties")), as_array(schema.get("required"))
    operation: JsonObject = {
        "operationId": function.name,
        "summary": function.description.partition("\n")[0],
        "description": function.description,
        "responses": {"200": {"description": "What it gives back."}},
    }
    if method_of(function.name) in {"get", "delete"}:
        operation["parameters"] = [
            _parameter(name, as_object(properties[name]), required=name in required) for name in properties
        ]
    else:
        body: JsonObject = {"type": "object", "properties": properties, "required": required}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _parameter(name: str, schema: JsonObject, *, required: bool) -> Json:
    said = schema.pop("description", "")
    return {"name": name, "in": "query", "required": required, "description": said, "schema": schema}
