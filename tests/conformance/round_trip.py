"""A judge of requests and calls that reads the raw document alone, and shares nothing with the converter.

What the document says is taken as it stands: parameters by their place and style, bodies by their media
type. Values are judged by `jsonschema`, another implementation than the one that the tools use.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from typing import Protocol, cast
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator

from interlock_core import Json, JsonObject

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_KEY = re.compile(r"\[([^\]]*)\]")


def obj(value: Json) -> JsonObject:
    """A value that is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def arr(value: Json) -> list[Json]:
    """A value that is a list, else an empty one."""
    return value if isinstance(value, list) else []


def slim(document: JsonObject) -> JsonObject:
    """The document as the mock server can read it in seconds: each answer is an empty 200.

    Left out are what no request needs, and `nullable` without a type, with which it accepts any body: it
    stands in a branch of the choice instead. A
    parameter's `oneOf` is an `anyOf`, because a text is many things.
    """
    copy: JsonObject = json.loads(json.dumps(document))
    copy.pop("x-webhooks", None)
    copy.pop("webhooks", None)
    for item in obj(copy["paths"]).values():
        _soften_choices(obj(item).get("parameters"))
        for method, operation in obj(item).items():
            if method in METHODS:
                obj(operation)["responses"] = {"200": {"description": "ok"}}
                _soften_choices(obj(operation).get("parameters"))
    _soften_choices(list(obj(obj(copy.get("components")).get("parameters")).values()))
    _drop_idle_nullable(copy)
    components = obj(copy.get("components"))
    wanted = _reachable(copy["paths"], components)
    copy["components"] = {
        kind: {
            name: one
            for name, one in obj(held).items()
            if kind == "securitySchemes" or (kind, name) in wanted
        }
        for kind, held in components.items()
    }
    return copy


def _soften_choices(parameters: Json) -> None:
    """Let a text be both a number and a text: as such `12` arrives where a path or query has either."""
    for one in arr(parameters):
        schema = obj(obj(one).get("schema"))
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")


def _drop_idle_nullable(value: Json) -> None:
    if isinstance(value, dict):
        idle = "nullable" in value and "type" not in value and isinstance(value["nullable"], bool)
        if idle and value.pop("nullable") is True:
            # Said of a choice, it is said of the first of its branches that has a type.
            branches = [obj(one) for key in ("oneOf", "anyOf") for one in arr(value.get(key))]
            for one in [one for one in branches if "type" in one and "enum" not in one][:1]:
                one["nullable"] = True
        for inner in value.values():
            _drop_idle_nullable(inner)
    elif isinstance(value, list):
        for inner in value:
            _drop_idle_nullable(inner)


def _reachable(start: Json, components: JsonObject) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    left = list(_references(start))
    while left:
        kind, _, name = left.pop().removeprefix("#/components/").partition("/")
        if (kind, name) not in found:
            found.add((kind, name))
            left += _references(obj(components.get(kind)).get(name))
    return found


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str):
            yield target
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _modern(value: Json) -> Json:
    """A schema of OpenAPI 3.0 as one of JSON Schema 2020-12."""
    if isinstance(value, list):
        return [_modern(item) for item in value]
    if not isinstance(value, dict):
        return value
    made: JsonObject = {key: _modern(item) for key, item in value.items()}
    for bound, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(bound), bool) and made.pop(bound) is True:
            made[bound] = made.pop(plain, None)
    if made.pop("nullable", None) is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


@dataclass(frozen=True)
class Sent:
    """A request as it arrived."""

    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Field:
    """One value that an operation takes.

    Attributes:
        name: Its name on the wire.
        location: `path`, `query`, `header`, `cookie` or `body`, for a property of the body.
        required: It must be given.
        schema: As the document writes it, in JSON Schema 2020-12.
        explode: Lists are written as one pair for each item.
    """

    name: str
    location: str
    required: bool
    schema: Json
    explode: bool = True


class Fault(Protocol):
    """What is wrong with a value."""

    message: str


class Judge(Protocol):
    """The other implementation of JSON Schema."""

    def is_valid(self, instance: Json) -> bool:
        """Whether a value fits."""
        ...

    def iter_errors(self, instance: Json) -> Iterator[Fault]:
        """What is wrong with it."""
        ...


def judge(schema: JsonObject) -> Judge:
    """Judges values of a schema."""
    return cast("Judge", Draft202012Validator(schema))


class RawOperation:
    """One operation, as the raw document writes it.

    Args:
        document: The document.
        components: Its components in JSON Schema 2020-12.
        method: Lower case.
        path: The template.
    """

    def __init__(self, document: JsonObject, components: Json, method: str, path: str) -> None:
        self._document = document
        self._components = components
        self.method = method
        self.path = path
        item = obj(obj(document["paths"])[path])
        operation = obj(item[method])
        both = [*arr(item.get("parameters")), *arr(operation.get("parameters"))]
        fields = (self._field(self.deref(one)) for one in both)
        self.fields = list({(one.location, one.name): one for one in fields}.values())
        body = obj(self.deref(operation.get("requestBody") or {}))
        content = obj(body.get("content"))
        self.media = next((kind for kind in ("application/json", MULTIPART, FORM) if kind in content), "")
        self.media = self.media or next(iter(content), "")
        self.needs_body = body.get("required") is True
        self.body = _modern(obj(content.get(self.media)).get("schema", {}))

    def deref(self, value: Json) -> Json:
        """What stands behind a reference."""
        for _ in range(20):
            target = obj(value).get("$ref")
            if not isinstance(target, str):
                break
            kind, _, name = target.removeprefix("#/components/").partition("/")
            where = self._components if kind == "schemas" else self._document["components"]
            value = obj(obj(where).get(kind)).get(name, {})
        return value

    def _field(self, raw: Json) -> Field:
        parameter = obj(raw)
        location = str(parameter["in"])
        style = parameter.get("style", "form" if location in {"query", "cookie"} else "simple")
        explode = parameter.get("explode", style == "form")
        return Field(
            str(parameter["name"]),
            location,
            parameter.get("required") is True,
            _modern(parameter.get("schema", {})),
            explode is True,
        )

    def properties(self) -> list[Field]:
        """The properties of the body, where it is an object that names them."""
        schema = obj(self.deref(self.body))
        required = arr(schema.get("required"))
        return [
            Field(name, "body", name in required, inner)
            for name, inner in obj(schema.get("properties")).items()
            if obj(self.deref(inner)).get("readOnly") is not True
        ]

    def faults(self, value: Json, schema: Json) -> list[str]:
        """What is wrong with a value."""
        whole: JsonObject = {"allOf": [schema], "components": self._components}
        return [str(error.message)[:200] for error in judge(whole).iter_errors(value)]

    # ---- reading what arrived

    def read(self, value: Json, schema: Json) -> Json:
        """Texts of a query, path or form as the values that the schema means."""
        schema = self.deref(schema)
        inner = obj(schema)
        for key in ("anyOf", "oneOf"):
            for branch in arr(inner.get(key)):
                found = self.read(value, branch)
                if not self.faults(found, branch):
                    return found
        if isinstance(value, str) and inner.get("type") == "array":
            value = [value]
        if isinstance(value, str):
            return _scalar(value, inner.get("type"))
        if not isinstance(value, dict | list):
            return value
        if isinstance(value, dict):
            if inner.get("type") == "array" and all(name.isdigit() for name in value):
                return [self.read(item, inner.get("items", {})) for item in value.values()]
            known, other = obj(inner.get("properties")), inner.get("additionalProperties", {})
            return {name: self.read(item, known.get(name, other)) for name, item in value.items()}
        return [self.read(item, inner.get("items", {})) for item in arr(value)]

    def problems(self, sent: Sent) -> list[str]:
        """What the raw document says against a request; empty when it may be sent."""
        found, texts = self._path(sent)
        pairs = parse_qsl(sent.target.partition("?")[2], keep_blank_values=True)
        texts |= {("query", name): value for name, value in self._nested(pairs, "query").items()}
        texts |= {("header", name.lower()): value for name, value in sent.headers.items()}
        for one in self.fields:
            key = (one.location, one.name.lower() if one.location == "header" else one.name)
            if key not in texts:
                found += [f"{one.name} is missing"] if one.required else []
                continue
            value = self.read(texts.pop(key), one.schema)
            found += [f"{one.name}: {fault}" for fault in self.faults(value, one.schema)]
        found += [f"{name} in the {where} is unknown" for where, name in texts if where in {"query", "path"}]
        return found + self._body_problems(sent)

    def _path(self, sent: Sent) -> tuple[list[str], dict[tuple[str, str], Json]]:
        names = re.findall(r"\{([^}]*)\}", self.path)
        pattern = "([^/]+)".join(re.escape(piece) for piece in re.split(r"\{[^}]*\}", self.path))
        match = re.fullmatch(pattern, sent.target.partition("?")[0])
        if match is None:
            return [f"{sent.target} is not {self.path}"], {}
        return [], {("path", name): unquote(text) for name, text in zip(names, match.groups(), strict=True)}

    def _body_problems(self, sent: Sent) -> list[str]:
        kind = sent.headers.get("content-type", "").partition(";")[0]
        if not kind:
            return ["the body is missing"] if self.needs_body else []
        if kind == "application/json":
            value: Json = json.loads(sent.body)
        elif kind == FORM:
            pairs = parse_qsl(sent.body.decode(), keep_blank_values=True, strict_parsing=bool(sent.body))
            value = self.read(self._nested(pairs, "body"), self.body)
        elif kind == MULTIPART:
            value = self.read(_parts(sent), self.body)
        else:
            value = sent.body.decode("latin-1")
        return [f"body: {fault}" for fault in self.faults(value, self.body)]

    def _nested(self, pairs: list[tuple[str, str]], location: str) -> dict[str, Json]:
        """Pairs such as `a[b][0]=c` as one value; a name that comes more than once is a list."""
        lists = {one.name for one in self.fields if one.location == location and self._is_list(one.schema)}
        made: dict[str, Json] = {}
        for name, text in pairs:
            first, keys = name.partition("[")[0], _KEY.findall(name)
            known = any(one.name == name and one.location == location for one in self.fields)
            if known or not keys:
                held = made.get(name)
                repeated = name in lists or held is not None
                made[name] = [*arr(held), text] if repeated else text
                continue
            where = made.setdefault(first, {})
            for key in keys[:-1]:
                where = obj(where).setdefault(key, {})
            obj(where)[keys[-1]] = text
        return made

    def _is_list(self, schema: Json) -> bool:
        return obj(self.deref(schema)).get("type") == "array"


def _parts(sent: Sent) -> JsonObject:
    """The parts of a multipart body: JSON where a part says so, a list where a name comes again."""
    message = message_from_bytes(f"content-type: {sent.headers['content-type']}\r\n\r\n".encode() + sent.body)
    found: dict[str, list[Json]] = {}
    for part in message.walk():
        if part is not message:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            text = content.decode("utf-8", "replace")
            value: Json = json.loads(text) if part.get_content_type() == "application/json" else text
            found.setdefault(str(part.get_param("name", header="content-disposition")), []).append(value)
    return {name: held[0] if len(held) == 1 else held for name, held in found.items()}


def _scalar(text: str, kind: Json) -> Json:
    kinds = [kind] if isinstance(kind, str) else arr(kind)
    if "boolean" in kinds and text in {"true", "false"}:
        return text == "true"
    if "integer" in kinds and re.fullmatch(r"-?\d+", text):
        return int(text)
    if "number" in kinds and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text):
        return float(text)
    return text


class RawDocument:
    """A document as it stands, that judges calls of its operations.

    Args:
        document: The document.
    """

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._components: Json = {"schemas": _modern(obj(document.get("components")).get("schemas", {}))}
        self._known: dict[tuple[str, str], RawOperation] = {}

    def operation(self, method: str, path: str) -> RawOperation:
        """One of its operations."""
        key = (method.lower(), path)
        if key not in self._known:
            self._known[key] = RawOperation(self._document, self._components, *key)
        return self._known[key]
