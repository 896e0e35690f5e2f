"""An independent reading of what vendors publish about strict schemas; it shares nothing with the codecs.

OpenAI: "Structured model outputs", supported schemas. Anthropic: "Structured outputs", JSON Schema
limitations, and the limits on strict tools. Cohere: "Structured outputs", parameter types support.
"""

from collections.abc import Iterator

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object

_FORBIDDEN = {
    *("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "default"),
    *("patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems", "prefixItems"),
    *("contains", "minContains", "maxContains", "uniqueItems", "minProperties", "maxProperties"),
    *("minLength", "maxLength"),
}
_RANGES = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_ALSO = {
    "openai": set[str](),
    "anthropic-messages": _RANGES | {"maxItems", "pattern"},
    "mistral-chat": _RANGES | {"maxItems", "minItems", "pattern", "format"},
    "cohere-chat": _RANGES | {"maxItems", "minItems"},
}
_DATES = {"date-time", "time", "date", "uuid"}
_FORMATS = {
    "openai": _DATES | {"duration", "email", "hostname", "ipv4", "ipv6"},
    "anthropic-messages": _DATES | {"duration", "email", "hostname", "uri", "ipv4", "ipv6"},
    "mistral-chat": set[str](),
    "cohere-chat": _DATES,
}
_KINDS = {"object", "array", "string", "number", "integer", "boolean", "null"}


def broken_strict_rules(schema: JsonObject, vendor: str) -> list[str]:
    """Every published rule of strict mode that a tool's schema breaks, in words.

    Args:
        schema: The schema of the tool's arguments as the vendor is sent it.
        vendor: `openai`, `anthropic-messages`, `mistral-chat` or `cohere-chat`.
    """
    return list(_broken(schema, vendor))


def _broken(schema: JsonObject, vendor: str) -> Iterator[str]:
    if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "enum", "not", "$ref"} & schema.keys():
        yield "the root is no plain object"
    definitions = as_object(schema.get("$defs"))
    nodes = list(_nodes(schema, "#"))
    for path, node in nodes:
        yield from _of_node(path, node, definitions, vendor)
    if vendor in {"anthropic-messages", "mistral-chat"} and _cycle(definitions):
        yield "it recurs"
    yield from _limits(schema, [node for _, node in nodes], definitions, vendor)


def _nodes(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield path, schema
    node = as_object(schema)
    for word in ("properties", "$defs"):
        for name, part in as_object(node.get(word)).items():
            yield from _nodes(part, f"{path}/{word}/{name}")
    for index, part in enumerate(as_array(node.get("anyOf"))):
        yield from _nodes(part, f"{path}/anyOf/{index}")
    if "items" in node:
        yield from _nodes(node["items"], f"{path}/items")


def _of_node(path: str, schema: Json, definitions: JsonObject, vendor: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{path} is no schema object"
        return
    if "$ref" in schema:
        if schema.keys() != {"$ref"} or str(schema["$ref"]).removeprefix("#/$defs/") not in definitions:
            yield f"{path} refers badly"
        return
    for word in sorted(schema.keys() & (_FORBIDDEN | _ALSO[vendor])):
        yield f"{path} has {word}"
    if "anyOf" in schema:
        if not as_array(schema["anyOf"]):
            yield f"{path} has no alternative"
        return
    yield from _of_type(path, schema, vendor)
    if any(isinstance(value, dict | list) for value in as_array(schema.get("enum"))):
        yield f"{path} enumerates more than scalars"


def _of_type(path: str, schema: JsonObject, vendor: str) -> Iterator[str]:
    kinds = as_array(schema["type"]) if isinstance(schema.get("type"), list) else [schema.get("type")]
    if not kinds or any(kind not in _KINDS for kind in kinds):
        yield f"{path} has no type"
    if isinstance(schema.get("type"), list) and vendor in {"cohere-chat", "mistral-chat"}:
        yield f"{path} has a list of types"
    if "format" in schema and schema["format"] not in _FORMATS[vendor]:
        yield f"{path} has a format that is not known"
    if "object" in kinds:
        yield from _of_object(path, schema, vendor)
    if "array" in kinds and "items" not in schema:
        yield f"{path} has no items"
    if vendor == "anthropic-messages" and schema.get("minItems", 0) not in (0, 1):
        yield f"{path} has minItems beyond one"
    pattern = str(schema.get("pattern", ""))
    if vendor == "cohere-chat" and any(sign in pattern for sign in ("^", "$", "?=", "?!")):
        yield f"{path} has an anchored pattern"


def _of_object(path: str, schema: JsonObject, vendor: str) -> Iterator[str]:
    properties, required = as_object(schema.get("properties")), as_array(schema.get("required"))
    if schema.get("additionalProperties") is not False:
        yield f"{path} is open"
    if any(name not in properties for name in required):
        yield f"{path} requires what it does not name"
    if vendor == "openai" and {*properties} != {str(name) for name in required}:
        yield f"{path} leaves properties optional"
    if vendor == "cohere-chat" and not required:
        yield f"{path} requires nothing"


def _limits(schema: JsonObject, nodes: list[Json], definitions: JsonObject, vendor: str) -> Iterator[str]:
    objects = [as_object(node) for node in nodes]
    properties = [name for node in objects for name in as_object(node.get("properties"))]
    values = [value for node in objects for value in as_array(node.get("enum"))]
    if vendor == "openai":
        texts = [*properties, *definitions, *(value for value in values if isinstance(value, str))]
        texts += [str(node["const"]) for node in objects if isinstance(node.get("const"), str)]
        if len(properties) > 5_000 or len(values) > 1_000 or sum(map(len, texts)) > 120_000:
            yield "it is too large"
        if _depth(schema, definitions, frozenset()) > 10:
            yield "it is too deep"
        long = [as_array(node.get("enum")) for node in objects if len(as_array(node.get("enum"))) > 250]
        if any(sum(len(value) for value in some if isinstance(value, str)) > 15_000 for some in long):
            yield "it has a long enumeration"
    if vendor == "cohere-chat" and len(properties) > 200:
        yield "it has too many fields"
    if vendor == "anthropic-messages":
        open_ones = sum(
            len(as_object(node.get("properties"))) - len(as_array(node.get("required"))) for node in objects
        )
        unions = sum(
            isinstance(node.get("type"), list) or len(as_array(node.get("anyOf"))) > 1 for node in objects
        )
        if open_ones > 24 or unions > 16:
            yield "it has too many optional properties or unions"


def _depth(schema: Json, definitions: JsonObject, within: frozenset[str]) -> int:
    node = as_object(schema)
    if "$ref" in node:
        name = str(node["$ref"]).removeprefix("#/$defs/")
        return 0 if name in within else _depth(definitions.get(name), definitions, within | {name})
    inside = [*as_object(node.get("properties")).values(), *as_array(node.get("anyOf"))]
    inside += [node["items"]] if "items" in node else []
    here = 1 if {"properties", "items"} & node.keys() else 0
    return here + max((_depth(part, definitions, within) for part in inside), default=0)


def _cycle(definitions: JsonObject) -> bool:
    return any(_reaches(part, definitions, frozenset({name}), name) for name, part in definitions.items())


def _reaches(schema: Json, definitions: JsonObject, seen: frozenset[str], goal: str) -> bool:
    for _, node in _nodes(schema, ""):
        name = str(as_object(node).get("$ref", "")).removeprefix("#/$defs/")
        if name == goal:
            return True
        if name and name not in seen and _reaches(definitions.get(name), definitions, seen | {name}, goal):
            return True
    return False
