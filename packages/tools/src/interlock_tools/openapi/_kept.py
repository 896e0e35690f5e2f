"""Documents become tools through the cache: what a list, a search and a prompt need is read from it.

What only a call needs (how its request is made, the whole schema, what answers look like) is made from the
document itself when the first call wants it, by the code that makes it without a cache.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache as once
from pathlib import Path
from typing import TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools.openapi._bundle import DocumentBundle
from interlock_tools.openapi._cache import DocumentCache
from interlock_tools.openapi._convert import (
    Conversion,
    ConvertOptions,
    Detail,
    Making,
    OpenApiTool,
    Progress,
    converted,
    default_namespace,
)
from interlock_tools.openapi._ir import Document, Skipped
from interlock_tools.openapi._load import load_bundle
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._read import read_document
from interlock_tools.openapi._source import LoadLimits

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What became of a document, made just now or before.

    Attributes:
        namespace: What stands before the dot of each name.
        source: What the document was asked for by.
        title: The document's title.
        version: Version of its form, such as `3.1`.
        operations: How many operations the document has.
        excluded: Operations that were not wanted.
        folded: How many tools show a model less than the whole schema.
        skipped: Operations that could not become a tool, each with a reason.
        problems: What was tolerated.
        tools: The tools by name, in the document's order.
        key: Names everything that it was made of; empty when that is not known.
    """

    namespace: str
    source: str
    title: str
    version: str
    operations: int
    excluded: int
    folded: int
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]
    tools: Mapping[str, OpenApiTool]
    key: str = ""


def as_converted(conversion: Conversion, key: str = "") -> Converted:
    """A fresh conversion in the form that one from the cache has too."""
    return Converted(
        namespace=conversion.namespace,
        source=conversion.source,
        title=conversion.title,
        version=conversion.version,
        operations=conversion.operations,
        excluded=conversion.excluded,
        folded=conversion.folded,
        skipped=conversion.skipped,
        problems=conversion.problems,
        tools={entry.spec.name: entry for entry in conversion.entries},
        key=key,
    )


def converted_bundle(
    bundle: DocumentBundle,
    *,
    namespace: str | None,
    options: ConvertOptions,
    limits: LoadLimits,
    cache: DocumentCache | None,
    taken: Collection[str] = (),
    progress: Progress | None = None,
) -> Converted:
    """Convert a document, or take what became of it before.

    Args:
        bundle: The document.
        namespace: Stands before the dot of each tool's name; made of the title by default.
        options: Wording and size.
        limits: How much it may be.
        cache: Where conversions are kept; None for nowhere.
        taken: A namespace that is made up is none of these.
        progress: Told how far the conversion is.

    Raises:
        InvalidRequestError: It is no OpenAPI document, or breaks a limit.
    """
    key = _key(bundle, namespace, options, limits) if cache is not None else ""

    def anew(name: str | None, others: Collection[str] = (), told: Progress | None = None) -> Converted:
        loaded = load_bundle(bundle, limits=limits)
        conversion = converted(loaded, namespace=name, options=options, taken=others, progress=told)
        own = namespace is not None or conversion.namespace == default_namespace(conversion.document, ())
        if cache is not None and own:
            cache.put(key, _packed(conversion))
        return as_converted(conversion, key)

    kept = cache.get(key) if cache is not None else None
    if kept is not None:
        found = _unpacked(kept, key, _Reading(bundle, options, limits), lambda name: anew(name).tools)
        if found is not None and found.namespace not in taken:
            return found
    return anew(namespace, taken, progress)


@once
def code_version(folder: Path = Path(__file__).parent) -> str:
    """Changes whenever the code of a folder does: that which converts documents, unless another is given."""
    state = hashlib.sha256(f"{_FORMAT} {sys.version_info[:2]}".encode())
    for path in sorted(folder.glob("*.py")):
        state.update(path.name.encode())
        state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def _key(bundle: DocumentBundle, namespace: str | None, options: ConvertOptions, limits: LoadLimits) -> str:
    said = [code_version(), bundle.digest, repr(namespace), _written(options), _written(limits)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _written(value: ConvertOptions | LoadLimits) -> str:
    return repr([(each.name, getattr(value, each.name)) for each in fields(value)])


class _Reading:
    """Reads a document when a tool of it is first called."""

    def __init__(self, bundle: DocumentBundle, options: ConvertOptions, limits: LoadLimits) -> None:
        self._bundle: DocumentBundle | None = bundle
        self._options = options
        self._limits = limits
        self._lock = threading.Lock()
        self._read: tuple[Making, Document] | None = None

    def detail(self, position: int, endpoint: str, operations: int) -> Detail:
        """What calling an operation needs.

        Raises:
            InvalidRequestError: The document has no such operation: what was kept of it is damaged.
        """
        with self._lock:
            if self._read is None:
                assert self._bundle is not None
                loaded = load_bundle(self._bundle, limits=self._limits)
                document = read_document(loaded)
                making = Making(loaded, document, self._options, operations=operations)
                self._read, self._bundle = (making, document), None
            making, document = self._read
        known = document.operations[position : position + 1]
        if not known or known[0].endpoint != endpoint:
            raise _damaged(document.source)
        return making.detail(known[0])


class _KeptTools(Mapping[str, OpenApiTool]):
    """The tools of a document from the cache; each is made when it is asked for."""

    def __init__(
        self, rows: Mapping[str, "_Row"], schemas: memoryview, reading: _Reading, anew: "_Anew"
    ) -> None:
        self._rows = rows
        self._schemas = schemas
        self._reading = reading
        self._anew = anew
        self._made: dict[str, OpenApiTool] = {}

    def __getitem__(self, name: str) -> OpenApiTool:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._tool(name, self._rows[name])
        return made

    def _fresh(self, name: str) -> OpenApiTool:
        """A tool of the document itself, where what is kept of it is damaged."""
        tools = self._anew(name.partition(".")[0])
        if name not in tools:
            raise _damaged(name)
        self._made.update({each: tool for each, tool in tools.items() if each in self._rows})
        return tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _tool(self, name: str, row: "_Row") -> OpenApiTool:
        try:
            parameters = as_object(json.loads(bytes(self._schemas[row.start : row.end])))
        except (ValueError, RecursionError):
            return self._fresh(name)
        return OpenApiTool(
            spec=ToolSpec(
                name=name,
                description=row.description,
                parameters=parameters,
                effect=row.effect,
                namespace=name.partition(".")[0],
                operation_id=row.operation_id,
                endpoint=row.endpoint,
                category=row.category,
                tags=row.tags,
                summary=row.summary,
            ),
            folded=row.folded,
            detail=lambda: self._reading.detail(row.position, row.endpoint, len(self._rows)),
        )


@dataclass(slots=True)
class _Row:
    """What the cache knows of a tool."""

    description: str
    effect: Effect
    operation_id: str | None
    endpoint: str
    category: str
    tags: tuple[str, ...]
    summary: str
    folded: bool
    position: int
    start: int
    end: int


def _packed(conversion: Conversion) -> bytes:
    """A conversion as bytes: a line of JSON, then the schema of each tool."""
    positions = {id(operation): at for at, operation in enumerate(conversion.document.operations)}
    schemas = [dump_json(entry.spec.parameters).encode() for entry in conversion.entries]
    rows: list[Json] = []
    end = 0
    for entry, schema in zip(conversion.entries, schemas, strict=True):
        spec, start, end = entry.spec, end, end + len(schema)
        said: list[Json] = [spec.name, spec.description, spec.effect.value, spec.operation_id]
        tags: list[Json] = [*spec.tags]
        said += [spec.endpoint, spec.category, tags, spec.summary, entry.folded]
        rows.append([*said, positions[id(entry.plan.operation)], start, end])
    problems: list[Json] = [[p.source, p.pointer, p.message, p.remedy] for p in conversion.problems]
    head: JsonObject = {
        "namespace": conversion.namespace,
        "source": conversion.source,
        "title": conversion.title,
        "version": conversion.version,
        "operations": conversion.operations,
        "excluded": conversion.excluded,
        "folded": conversion.folded,
        "skipped": [[skipped.operation, skipped.reason] for skipped in conversion.skipped],
        "problems": problems,
        "tools": rows,
    }
    return dump_json(head).encode() + b"\n" + b"".join(schemas)


_Anew: TypeAlias = Callable[[str], Mapping[str, OpenApiTool]]


def _unpacked(body: memoryview, key: str, reading: _Reading, anew: _Anew) -> Converted | None:
    """What `_packed` wrote; None when the bytes are something else."""
    text = bytes(body)
    end = text.find(b"\n")
    try:
        head = as_object(json.loads(text[:end]))
        rows = [as_array(row) for row in as_array(head["tools"])]
        skipped = [as_array(each) for each in as_array(head["skipped"])]
        problems = [as_array(each) for each in as_array(head["problems"])]
        kept = {str(row[0]): _row(row) for row in rows}
        schemas = memoryview(text)[end + 1 :]
        _check_places(kept, len(schemas), _whole(head["operations"]))
        return Converted(
            namespace=str(head["namespace"]),
            source=str(head["source"]),
            title=str(head["title"]),
            version=str(head["version"]),
            operations=_whole(head["operations"]),
            excluded=_whole(head["excluded"]),
            folded=_whole(head["folded"]),
            skipped=tuple(Skipped(operation=str(one), reason=str(why)) for one, why in skipped),
            problems=tuple(
                Problem(source=str(source), pointer=str(pointer), message=str(said), remedy=str(remedy))
                for source, pointer, said, remedy in problems
            ),
            tools=_KeptTools(kept, schemas, reading, anew),
            key=key,
        )
    except (ValueError, KeyError, IndexError, RecursionError):
        return None


def _row(row: list[Json]) -> _Row:
    _, description, effect, operation_id, endpoint, category, tags, summary, is_folded, *places = row
    position, start, end = places
    return _Row(
        description=str(description),
        effect=Effect(str(effect)),
        operation_id=as_text(operation_id),
        endpoint=str(endpoint),
        category=str(category),
        tags=tuple(str(tag) for tag in as_array(tags)),
        summary=str(summary),
        folded=is_folded is True,
        position=_whole(position),
        start=_whole(start),
        end=_whole(end),
    )


def _check_places(rows: Mapping[str, _Row], size: int, operations: int) -> None:
    """Schemas stand one behind the other, and operations are those of the document.

    Raises:
        ValueError: They do not.
    """
    at = 0
    for row in rows.values():
        if row.start != at or row.end <= at or not 0 <= row.position < operations:
            raise ValueError
        at = row.end
    if at != size:
        raise ValueError


def _damaged(what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"What is kept of {what} in the cache is damaged.", remedy="Remove the folder of the cache."
    )


def _whole(value: Json) -> int:
    if isinstance(value, int):
        return value
    raise ValueError
