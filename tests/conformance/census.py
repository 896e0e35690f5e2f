"""A census of OpenAPI documents: what a document declares, and what became of it.

The reading (`declared`) is its own: it shares no code with the loader and converter that are judged. What a
vendor is sent is taken as it is rendered, and held against the document and against two validators.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from .declared import LONGEST, Declared, Object, Reading, arr, obj, parsed, plain

LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
DATA = {"enum", "const", "default", "examples"}
MAPS = {"properties", "$defs", "patternProperties", "dependentSchemas"}
METASCHEMA = "https://json-schema.org/draft/2020-12/schema"
SECOND_OPINION_EVERY = 25

Tools = Mapping[str, Sequence[object]]
"""The tools of a document as each vendor is sent them, by the vendor's dialect, all in one order."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a document.

    Attributes:
        endpoints: Method and path of each tool.
        skipped: Endpoint and reason of each operation that became none.
        tools: The tools as each vendor is sent them.
    """

    endpoints: Sequence[str]
    skipped: Sequence[tuple[str, str]]
    tools: Tools


@dataclass(slots=True)
class Tally:
    """Counts, and up to a hundred faults with their places."""

    counts: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])

    def fault(self, kind: str, place: str) -> None:
        """Count a fault."""
        self.counts[kind] += 1
        if len(self.faults) < 100:
            self.faults.append(f"{kind}: {place}")

    def add(self, other: "Tally") -> None:
        """Take in another's counts."""
        self.counts.update(other.counts)
        self.faults += other.faults[: max(0, 100 - len(self.faults))]

    def faulty(self) -> dict[str, int]:
        """The faults by kind."""
        return {kind: self.counts[kind] for kind in FAULTS if self.counts[kind]}


FAULTS = (
    *("skipped without reason", "vanished", "invented", "illegal name", "duplicate name", "invalid schema"),
    *("does not compile", "second validator disagrees", "dangling reference", "parameter lost", "body lost"),
    *("required parameter lost", "required property lost", "no description", "undescribed"),
    *("too large", "foreign keyword"),
)
"""Every kind of fault that is looked for."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One tool as a vendor is sent it."""

    name: str
    description: str
    schema: Object
    size: int


def rendered(tool: object) -> Rendered:
    """Name, description and schema, wherever a dialect writes them."""
    outer = obj(tool)
    inner = obj(outer.get("function")) or outer
    schema = inner.get("parameters") or inner.get("input_schema") or inner.get("parameter_definitions")
    size = len(json.dumps(tool, ensure_ascii=False, separators=(",", ":")))
    return Rendered(str(inner.get("name")), str(inner.get("description") or ""), obj(schema), size)


class Second(Protocol):
    """The second validator."""

    def is_valid(self, instance: object) -> bool:
        """Whether it accepts a value."""
        ...


class Judge:
    """Holds tools against a document.

    Args:
        name: The document's name, for faults.
        reading: The document.
        largest: Most characters of one tool.
    """

    def __init__(self, name: str, reading: Reading, *, largest: int) -> None:
        self._name = name
        self._reading = reading
        self._largest = largest
        self._known: set[str] = set()
        self._compared: set[tuple[str, str]] = set()
        self.tally = Tally()

    def judge(self, converted: Converted) -> Tally:
        """Everything that is wrong, counted."""
        declared = {operation.endpoint: operation for operation in self._reading.operations()}
        skipped = dict(converted.skipped)
        self.tally.counts.update(
            documents=1, operations=len(declared), tools=len(converted.endpoints), skipped=len(skipped)
        )
        raw = {endpoint: (item, operation) for endpoint, item, operation, _ in self._reading.items()}
        for endpoint in skipped:
            if endpoint not in raw or self._reading.misplaced(*raw[endpoint]):
                continue
            if not self._reading.broken(list(raw[endpoint])):
                self._fault("skipped without reason", f"{endpoint}: {skipped[endpoint][:160]}")
        for endpoint in declared.keys() - {*converted.endpoints, *skipped}:
            self._fault("vanished", endpoint)
        for endpoint in {*converted.endpoints, *skipped} - declared.keys():
            self._fault("invented", endpoint)
        for dialect, tools in converted.tools.items():
            self._dialect(dialect, [rendered(tool) for tool in tools], converted.endpoints, declared)
        return self.tally

    def _fault(self, kind: str, place: str) -> None:
        self.tally.fault(kind, f"{self._name} {place}")

    def _dialect(
        self, dialect: str, tools: list[Rendered], endpoints: Sequence[str], declared: Mapping[str, Declared]
    ) -> None:
        assert len(tools) == len(endpoints)
        self.tally.counts[f"tools of {dialect}"] += len(tools)
        taken: set[str] = set()
        for tool, endpoint in zip(tools, endpoints, strict=True):
            place = f"{endpoint} as {dialect}"
            if not LEGAL_NAME.fullmatch(tool.name):
                self._fault("illegal name", place)
            if tool.name in taken:
                self._fault("duplicate name", place)
            taken.add(tool.name)
            if tool.size > self._largest:
                self._fault("too large", f"{place}: {tool.size} characters")
            if not tool.description.strip():
                self._fault("no description", place)
            written = json.dumps(tool.schema)
            self._schema(tool.schema, written, place)
            if endpoint in declared:
                self._count(declared[endpoint])
                if (endpoint, written) not in self._compared:
                    self._compared.add((endpoint, written))
                    self._arguments(tool.schema, declared[endpoint], place)

    def _count(self, declared: Declared) -> None:
        self.tally.counts["parameters"] += len(declared.parameters)
        self.tally.counts["required parameters"] += len(declared.required)
        self.tally.counts["bodies"] += declared.body

    def _schema(self, schema: Object, written: str, place: str) -> None:
        """Valid, compilable and closed in itself; equal schemas of several vendors are looked at once."""
        if written in self._known:
            return
        self._known.add(written)
        self.tally.counts["schemas"] += 1
        import jsonschema_rs

        try:
            jsonschema_rs.meta.validate({"$schema": METASCHEMA, **schema})
        except (ValueError, jsonschema_rs.ValidationError) as exc:
            self._fault("invalid schema", f"{place}: {str(exc)[:160]}")
        names = {f"#/$defs/{name}" for name in obj(schema.get("$defs"))}
        for reference in references(schema):
            if reference not in names:
                self._fault("dangling reference", f"{place}: {reference}")
        for keyword in foreign(schema):
            self._fault("foreign keyword", f"{place}: {keyword}")
        try:
            first = jsonschema_rs.Draft202012Validator(written, validate_formats=True).is_valid({})
        except (ValueError, jsonschema_rs.ValidationError) as exc:
            self._fault("does not compile", f"{place}: {str(exc)[:160]}")
            return
        if self.tally.counts["schemas"] % SECOND_OPINION_EVERY == 0:
            self._second_opinion(schema, place, first)

    def _second_opinion(self, schema: Object, place: str, first: bool) -> None:
        from jsonschema import Draft202012Validator

        self.tally.counts["second opinions"] += 1
        judges = cast("Callable[[object], Second]", Draft202012Validator)
        if not judges(cast("object", Draft202012Validator.META_SCHEMA)).is_valid(schema):
            self._fault("second validator disagrees", f"{place}: it is no schema")
            return
        second = judges(schema).is_valid({})
        if first is not second:
            self._fault("second validator disagrees", f"{place}: an empty object")

    def _arguments(self, schema: Object, declared: Declared, place: str) -> None:
        properties = obj(schema.get("properties"))
        rest = obj(schema.get("additionalProperties")).get("description", "")
        names = {plain(name) for name in properties} | {plain(name) for name in named(str(rest))}
        required = {plain(name) for name in arr(schema.get("required"))}
        for where, name in declared.parameters:
            if not among(name, names):
                self._fault("parameter lost", f"{place}: {where} {name}")
        for name in declared.required:
            if not among(name, required):
                self._fault("required parameter lost", f"{place}: {name}")
            elif not self._described(properties, name, declared):
                self._fault("undescribed", f"{place}: {name}")
        if declared.body:
            self._body(properties, names, required, declared, place)

    def _described(self, properties: Object, name: str, declared: Declared) -> bool:
        """Whether something is said of a parameter where the document says more than its name does."""
        found = [value for known, value in properties.items() if plain(known) == plain(name)]
        if not found:
            return True
        schema = obj(found[0])
        telling = schema.keys() & {"description", "enum", "format", "$ref", "examples", "default", "const"}
        said = re.sub(
            r"\]\([^)]*\)|<[^>]*>|https?://\S+", " ", html.unescape(declared.described.get(name, ""))
        )
        said = re.sub(r"\b(For (more|further)|See|Learn more)\b[^.]*", " ", said)
        return bool(telling) or not words(said) - words(f"{name} {declared.around}", apart=True) - IDLE

    def _body(
        self, properties: Object, names: set[str], required: set[str], declared: Declared, place: str
    ) -> None:
        spread = declared.properties and all(among(name, names) for name in declared.properties)
        others = len(properties) - len({plain(name) for _, name in declared.parameters})
        if not spread and others < 1:
            self._fault("body lost", place)
        if spread and others > 1 and declared.body_required:
            for name in declared.needed:
                if not among(name, required):
                    self._fault("required property lost", f"{place}: {name}")


IDLE = {
    *("a", "an", "the", "of", "for", "to", "in", "on", "by", "with", "and", "or", "is", "are", "be", "this"),
    *("that", "which", "it", "its", "from", "as", "at", "into", "your", "you", "parameter", "argument"),
    *("value", "field", "property", "param", "identifier", "more", "information", "see", "learn", "about"),
    *("documentation", "which", "name", "id"),
}
"""Words that say nothing by themselves."""


def named(text: str) -> Iterator[str]:
    """The names in a list of names; `a_{b, c}` stands for two."""
    for prefix, tails, alone in re.findall(r"([^\s,{}]*)\{([^{}]*)\}|([^\s,{}]+)", text):
        if alone:
            yield alone
        for tail in str(tails).split(", ") if tails else ():
            yield f"{prefix}{tail}"


def words(text: str, *, apart: bool = False) -> set[str]:
    """The words of a text in the singular, and those that are written as one apart if that is asked for."""
    split = f"{text} {re.sub(r'(?<=[a-z0-9])(?=[A-Z])', ' ', text)}" if apart else text
    found = re.findall(r"[a-z0-9]+", split.lower())
    return {word if word in IDLE else word.removesuffix("s") for word in found}


def among(name: object, known: set[str]) -> bool:
    """Whether a name is among others, be it with its place behind it."""
    short = plain(name) or "argument"
    places = ("", "query", "header", "cookie", "path", "body", "formdata", "querystring")
    return any(f"{short}{place}"[:LONGEST] in known for place in places) or any(
        candidate.startswith(short) and short for candidate in known
    )


def references(schema: object) -> Iterator[str]:
    """Every reference of a schema."""
    return (value for key, value, _ in keywords(schema) if key == "$ref" and isinstance(value, str))


def foreign(schema: object) -> Iterator[str]:
    """Keywords of OpenAPI that are none of JSON Schema."""
    strange = {"nullable", "discriminator", "xml", "example", "externalDocs", "collectionFormat"}
    return (key for key, _, _ in keywords(schema) if key in strange)


def keywords(schema: object) -> Iterator[tuple[str, object, Object]]:
    """Every keyword of a schema and of those inside it, with its value and where it stands."""
    waiting = [schema]
    while waiting:
        known = obj(waiting.pop())
        for key, value in known.items():
            yield key, value, known
            if key in MAPS:
                waiting.extend(obj(value).values())
            elif key not in DATA:
                waiting.extend(cast("list[object]", value) if isinstance(value, list) else [value])


Convert = Callable[[Path], Converted]
"""The code that is judged."""


def counted(path: Path, convert: Convert, *, largest: int) -> Tally:
    """What is wrong with the tools of a file, or that they cannot be had."""
    return Judge(path.name, Reading(parsed(path)), largest=largest).judge(convert(path))
