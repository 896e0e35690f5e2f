"""What an OpenAPI document declares, by a reading of its own that shares no code with any other."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
NEGOTIATED = {
    *("accept", "content-type", "authorization", "proxy-authorization", "cookie", "host", "connection"),
    *(
        "keep-alive",
        "proxy-connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
    ),
}
"""Headers that what sends a request sets: a document may declare them, an argument need not be given."""

PLACES_2 = ("formData", "body")
PLACES_3 = ("cookie", "querystring")
LONGEST = 40

Object = dict[str, object]
"""An object as the parser of JSON or YAML gives it."""


def parsed(path: Path) -> Object:
    """A document, read by the plain parsers; every scalar of YAML stays a text."""
    if path.suffix == ".json":
        return obj(json.loads(path.read_bytes()))
    import yaml

    return obj(yaml.load(path.read_bytes(), Loader=yaml.CBaseLoader))


def obj(value: object) -> Object:
    """The value when it is an object, else an empty one."""
    return cast("Object", value) if isinstance(value, dict) else {}


def arr(value: object) -> list[object]:
    """The value when it is a list, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def true(value: object) -> bool:
    """Whether a flag is set, in JSON or in YAML."""
    return value is True or value == "true"


def plain(name: object) -> str:
    """A name without punctuation and case, as far as names are kept."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())[:LONGEST]


@dataclass(frozen=True, slots=True)
class Declared:
    """What one operation declares.

    Attributes:
        endpoint: Method and path.
        parameters: Place and name of each.
        required: Those of them that must be given and are not negotiated.
        body: There can be a body.
        body_required: There must be one.
        properties: Names of the body's properties that can be sent, where it is an object.
        needed: Those of them that must be given.
        described: What is said of each required parameter whose name is none of another's.
        around: Id, path and summary, whose words need not be said again.
    """

    endpoint: str
    parameters: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    body: bool
    body_required: bool
    properties: frozenset[str]
    needed: frozenset[str]
    described: Mapping[str, str]
    around: str


class Reading:
    """One document, read by hand.

    Args:
        root: The document.
    """

    def __init__(self, root: Object) -> None:
        self.root = root

    def behind(self, value: object) -> Object:
        """An object behind its local references; empty when one leads elsewhere or nowhere."""
        for _ in range(40):
            found = obj(value)
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return found
            value = self.at(reference)
        return {}

    def at(self, reference: str) -> object:
        """What a local reference points to; None for nothing."""
        if reference == "#":
            return self.root
        if not reference.startswith("#/"):
            return None
        value: object = self.root
        for token in reference[2:].split("/"):
            step = unquote(token).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list):
                items = arr(cast("object", value))
                value = items[int(step)] if step.isdigit() and int(step) < len(items) else None
            else:
                value = obj(value).get(step, obj(value).get(token))
        return value

    def broken(self, value: object) -> bool:
        """Whether something that a value reaches is a reference that leads nowhere in this file."""
        seen: set[str] = set()
        waiting = [value]
        while waiting:
            item = waiting.pop()
            waiting.extend(arr(item))
            for key, part in obj(item).items():
                if key == "$ref" and isinstance(part, str) and part not in seen:
                    seen.add(part)
                    target = self.at(part)
                    if target is None:
                        return True
                    waiting.append(target)
                waiting.append(part)
        return False

    def misplaced(self, item: Object, operation: Object) -> bool:
        """Whether a parameter stands where its version of the specification knows no place."""
        places = {"path", "query", "header", *(PLACES_2 if "swagger" in self.root else PLACES_3)}
        listed = [*arr(item.get("parameters")), *arr(operation.get("parameters"))]
        return any(self.behind(raw).get("in") not in places for raw in listed)

    def items(self) -> Iterator[tuple[str, Object, Object, str]]:
        """Endpoint, path item, operation and its method, of each operation."""
        for path, raw in obj(self.root.get("paths")).items():
            item = self.behind(raw)
            merged = {**item, **{key: value for key, value in obj(raw).items() if key != "$ref"}}
            operations = {**merged, **obj(merged.get("additionalOperations"))}
            for method in (*METHODS, *obj(merged.get("additionalOperations"))):
                operation = operations.get(method)
                if isinstance(operation, dict) and not path.startswith("x-"):
                    yield f"{method.upper()} {path}", merged, obj(cast("object", operation)), method

    def operations(self) -> Iterator[Declared]:
        """What each operation declares."""
        for endpoint, item, operation, _ in self.items():
            yield self.declared(endpoint, item, operation)

    def declared(self, endpoint: str, item: Object, operation: Object) -> Declared:
        """What an operation declares."""
        found: dict[tuple[str, str], Object] = {}
        whole: Object = {}
        for raw in [*arr(item.get("parameters")), *arr(operation.get("parameters"))]:
            parameter = self.behind(raw)
            where, name = parameter.get("in"), parameter.get("name")
            if where == "body":
                whole = parameter
            elif isinstance(where, str) and isinstance(name, str):
                found[where, name] = parameter
        needed = [
            (place, name)
            for (place, name), parameter in found.items()
            if (true(parameter.get("required")) or place == "path")
            and not (place == "header" and name.lower() in NEGOTIATED)
        ]
        body, required, schema = self._body(operation, whole)
        properties, wanted = self.properties(schema)
        return Declared(
            endpoint=endpoint,
            parameters=tuple(found),
            required=tuple(name for _, name in needed),
            body=body,
            body_required=required,
            properties=frozenset(properties),
            needed=frozenset(wanted),
            described={
                name: self._said(found[place, name])
                for place, name in needed
                if sum(plain(name) == plain(other) for _, other in found) == 1
            },
            around=f"{operation.get('operationId')} {endpoint} {operation.get('summary')}",
        )

    def _body(self, operation: Object, whole: Object) -> tuple[bool, bool, object]:
        if whole:
            return True, true(whole.get("required")), whole.get("schema")
        body = self.behind(operation.get("requestBody"))
        content = obj(body.get("content"))
        for name, media in content.items():
            if "json" in name:
                return True, true(body.get("required")), obj(media).get("schema")
        return bool(content), true(body.get("required")), None

    def properties(self, schema: object, depth: int = 0) -> tuple[set[str], set[str]]:
        """Names of the properties of an object that can be sent, and of those that must be."""
        known = self.behind(schema)
        names = {
            name
            for name, raw in obj(known.get("properties")).items()
            if not true(self.behind(raw).get("readOnly")) and not true(obj(raw).get("readOnly"))
        }
        needed = {name for name in arr(known.get("required")) if isinstance(name, str)}
        if depth < 8:
            for part in arr(known.get("allOf")):
                more, wanted = self.properties(part, depth + 1)
                names |= more
                needed |= wanted
        return names, needed & names

    def _said(self, parameter: Object) -> str:
        said = parameter.get("description") or self.behind(parameter.get("schema")).get("description")
        return said if isinstance(said, str) else ""
