"""Arguments for a tool: valid ones in three sizes, and mutants of them that are wrong in one place.

Drawn by a seeded generator from the schema, so that every run makes the same calls.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from interlock_core import Json, JsonObject

from .round_trip import Field, RawOperation, arr, judge, obj

Size: TypeAlias = Literal["minimal", "typical", "maximal"]
SIZES: tuple[Size, ...] = ("minimal", "typical", "maximal")

_SHARES: dict[Size, float] = {"minimal": 0.0, "typical": 0.4, "maximal": 1.0}
_TRIES = 40
_DEEPEST = 5
_WORDS = ("alpha", "beta7", "gamma-x", "delta_9", "Épsilon ζ", "o'neil & sons", "50% + 1", "x")
_FITTING = (
    *("alpha", "Z2l0aHVi", f"sha256:{'a1' * 32}", "https://hooks.example/x", "https://github.com/a/b"),
    *("ssh-rsa AAAAB3", "ssh-ed25519 AAAAC3", "deadbeef", f"{'a1' * 20}", "2026-01-02", "1.2.3", "A", "12"),
    *("refs/heads/main", "pkg:npm/left@1.2.3"),
)
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "uri": "https://hooks.example/a?b=c",
    "url": "https://hooks.example/a",
    "email": "ann@example.org",
    "uuid": "7b0e6f5c-1d2e-4f30-8a41-52637485a6b7",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "api.example.org",
    "decimal": "12.5",
    "repo.nwo": "octo/cat",
}
_FILE = {"base64": "Z2l0aHVi", "content_type": "application/octet-stream"}
_JOINED = ("allOf", "anyOf", "oneOf")


@dataclass
class Maker:
    """Makes values of one schema.

    Attributes:
        root: The schema; its references point into it.
        size: How much is given.
        dice: The source of choices.
        share: How many of the optional members of objects are given.
    """

    root: JsonObject
    size: Size
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    share: float = 1.0

    def arguments(self) -> JsonObject:
        """Valid arguments.

        Raises:
            AssertionError: None were found.
        """
        judging = judge(self.root)
        made: JsonObject = {}
        for tries in range(_TRIES):
            # What must not stand together is found by leaving more and more out.
            self.share = _SHARES[self.size] * (1 - tries / _TRIES)
            made = obj(self.made(self.root, 0))
            if judging.is_valid(made):
                return made
        said = [error.message[:200] for error in judging.iter_errors(made)]
        raise AssertionError(f"no valid arguments found: {said[:3]}")

    def made(self, schema: Json, depth: int) -> Json:
        """A value that most likely fits a schema."""
        whole = self._joined(self._deref(schema))
        if "const" in whole:
            return whole["const"]
        if arr(whole.get("enum")):
            return self.dice.choice(arr(whole["enum"]))
        kinds = whole.get("type", "object" if "properties" in whole else "string")
        kind = self.dice.choice(arr(kinds)) if isinstance(kinds, list) else kinds
        if isinstance(kinds, list) and self.size == "typical":
            kind = next((one for one in kinds if one != "null"), "null")
        match kind:
            case "object":
                return self._object(whole, depth)
            case "array":
                return self._array(whole, depth)
            case "integer" | "number":
                return self._number(whole, whole=kind == "integer")
            case "boolean":
                return self.dice.random() < 0.5
            case "null":
                return None
            case _:
                return self._text(whole)

    def _deref(self, schema: Json) -> JsonObject:
        for _ in range(20):
            target = obj(schema).get("$ref")
            if not isinstance(target, str):
                break
            beside = {key: item for key, item in obj(schema).items() if key != "$ref"}
            found: Json = self.root
            for step in target.removeprefix("#/").split("/"):
                found = obj(found)[step.replace("~1", "/").replace("~0", "~")]
            schema = {**obj(found), **beside}
        return obj(schema)

    def _joined(self, schema: JsonObject) -> JsonObject:
        """A schema with one way through its alternatives taken."""
        for _ in range(10):
            key = next((one for one in _JOINED if one in schema), None)
            if key is None:
                break
            branches = arr(schema[key])
            chosen = branches if key == "allOf" else [self.dice.choice(branches)]
            rest = {name: item for name, item in schema.items() if name != key}
            for branch in chosen:
                rest = _merged(rest, self._deref(branch))
            schema = rest
        return schema

    def _object(self, schema: JsonObject, depth: int) -> Json:
        known = obj(schema.get("properties"))
        required = {str(name) for name in arr(schema.get("required"))}
        share = self.share if depth <= _DEEPEST else 0.0
        names = [name for name in known if name in required or self.dice.random() < share]
        # A form has no way to write an object without members, so there is one wherever there may be.
        names = names or [name for name in known if 0 < depth <= _DEEPEST][:1]
        made = {name: self.made(known[name], depth + 1) for name in names if known[name] is not False}
        made |= {name: text for name, text in _FILE.items() if name in made and "base64" in known}
        more = schema.get("additionalProperties")
        least = schema.get("minProperties", 0)
        free = not known and more is not False and (share > 0 or (isinstance(least, int) and least > 0))
        if free:
            made["key"] = self.made(more if isinstance(more, dict) else {"type": "string"}, depth + 1)
        return made

    def _array(self, schema: JsonObject, depth: int) -> Json:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        least = least if isinstance(least, int) else 0
        most = most if isinstance(most, int) else 3
        wanted = max(least, min(most, 2)) if self.size == "maximal" else max(least, min(most, 1))
        wanted = wanted if depth <= _DEEPEST else least
        ordered = arr(schema.get("prefixItems"))
        items = schema.get("items", {"type": "string"})
        made: list[Json] = []
        for number in range(_TRIES):
            if len(made) >= wanted:
                break
            one = self.made(ordered[number] if number < len(ordered) else items, depth + 1)
            if one not in made or schema.get("uniqueItems") is not True:
                made.append(one)
        return made

    def _number(self, schema: JsonObject, *, whole: bool) -> Json:
        least, most = schema.get("minimum"), schema.get("maximum")
        low = least if isinstance(least, int | float) else 1
        high = most if isinstance(most, int | float) else low + 1000
        if whole:
            return self.dice.randint(int(low), max(int(high), int(low)))
        return round(self.dice.uniform(low, high), 3)

    def _text(self, schema: JsonObject) -> Json:
        pattern, form = schema.get("pattern"), schema.get("format")
        if isinstance(pattern, str):
            fitting = [one for one in _FITTING if re.search(pattern, one)]
            assert fitting, f"no text is known that fits {pattern}"
            return self.dice.choice(fitting)
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form]
        text = self.dice.choice(_WORDS)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        text = text.ljust(least if isinstance(least, int) else 0, "x")
        return text[:most] if isinstance(most, int) else text


def _merged(one: JsonObject, other: JsonObject) -> JsonObject:
    made = {**one, **other}
    if "properties" in one and "properties" in other:
        made["properties"] = {**obj(one["properties"]), **obj(other["properties"])}
    if "required" in one and "required" in other:
        made["required"] = [*arr(one["required"]), *arr(other["required"])]
    if "enum" in one and "enum" in other:
        made["enum"] = [item for item in arr(one["enum"]) if item in arr(other["enum"])]
    return made


@dataclass(frozen=True)
class Mutant:
    """Arguments that are wrong in one place.

    Attributes:
        kind: What was done to them.
        argument: Where.
        arguments: The arguments.
    """

    kind: str
    argument: str
    arguments: JsonObject


def mutants(
    raw: RawOperation, valid: JsonObject, names: dict[tuple[str, str], str], dice: random.Random
) -> Iterator[Mutant]:
    """Calls that the raw document forbids.

    Args:
        raw: The operation.
        valid: Arguments that it allows.
        names: The tool's argument for each place and name of the document.
        dice: The source of choices.
    """
    fields = [one for one in (*raw.fields, *raw.properties()) if (one.location, one.name) in names]
    for one in fields:
        argument = names[one.location, one.name]
        others = (names[f.location, f.name] for f in fields if f.location == "body" and f is not one)
        optional = one.location == "body" and not raw.needs_body and not any(name in valid for name in others)
        only = len(arr(obj(raw.deref(one.schema)).get("enum"))) == 1
        if one.required and argument in valid and not optional and not only:
            yield Mutant("missing", argument, {k: v for k, v in valid.items() if k != argument})
    for one in dice.sample(fields, min(len(fields), 4)):
        argument = names[one.location, one.name]
        for kind, value in wrong_values(raw, one):
            if raw.faults(value, one.schema):
                yield Mutant(kind, argument, {**valid, argument: value})
    yield Mutant("unknown argument", "not_an_argument", {**valid, "not_an_argument": 1})


def wrong_values(raw: RawOperation, one: Field) -> Iterator[tuple[str, Json]]:
    """Values of which most schemas forbid some."""
    schema = obj(raw.deref(one.schema))
    yield "null", None
    yield "type", {"wrong": {"type": True}} if schema.get("type") != "object" else "text"
    yield "type", [[["deep"]]]
    if schema.get("type") in {"integer", "number", "boolean"}:
        yield "type", "many"
    if "enum" in schema:
        yield "enum", "certainly-not-in-it"
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float):
        yield "range", least - 1
    if isinstance(most, int | float):
        yield "range", most + 1
    if isinstance(longest := schema.get("maxLength"), int):
        yield "length", "x" * (longest + 1)
    if "pattern" in schema:
        yield "pattern", "\u2603 \u2603"
    items = obj(raw.deref(schema.get("items", {})))
    if schema.get("type") == "array" and items.get("type") in {"string", "integer"}:
        yield "item", [{"wrong": 1}]
    for name in arr(schema.get("required"))[:1]:
        yield f"inner missing {name}", {}
    if schema.get("additionalProperties") is False and schema.get("type") == "object":
        yield "inner unknown", {"certainly_not_known": 1}
