"""A document becomes tools: each operation a neutral `ToolSpec` and a plan of its request."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject
from interlock_core.toolspec import ToolSpec
from interlock_tools.openapi._arguments import TOLD, ArgumentMaker, Arguments, Wording
from interlock_tools.openapi._describe import described
from interlock_tools.openapi._effect import effect_of
from interlock_tools.openapi._fold import Folded, Folding, folded
from interlock_tools.openapi._ir import Document, Operation, Skipped
from interlock_tools.openapi._load import LoadedDocument, load_file, load_object
from interlock_tools.openapi._names import LONGEST_NAMESPACE, namespace_of, snake_case, tool_names
from interlock_tools.openapi._plan import RequestPlan
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._prose import Prose
from interlock_tools.openapi._read import read_document
from interlock_tools.openapi._references import References
from interlock_tools.openapi._responses import Responses
from interlock_tools.openapi._schema import SchemaBuilder

if TYPE_CHECKING:
    from interlock_core.schema import Validator

_CHARACTERS_PER_TOKEN = 4
_AROUND = 200
_LONGEST_SUMMARY = 120

_TOLD_EVERY = 64

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told of a document's source how many of how many of its operations are converted."""

AnyDocument: TypeAlias = LoadedDocument | JsonObject | Path | str
"""A document that is loaded, parsed, or a file's path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """How tools are worded and how large they may be.

    Attributes:
        max_tool_tokens: About the most tokens (four characters each) of one tool; deeper parts are
            folded above it. None folds nothing.
        wording: How long descriptions may be; None makes them shorter the more operations there are.
        allow: Patterns of the operations that are wanted; each is compared with a tool's name, with and
            without namespace, with the operation's id and with its endpoint (`GET /users*`).
        deny: Patterns, compared alike, of those that are not, whatever `allow` says.
    """

    max_tool_tokens: int | None = 4_000
    wording: Wording | None = None
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()

    def wants(self, name: str, operation: Operation) -> bool:
        """Whether an operation is wanted."""
        known = (name, name.partition(".")[2], operation.operation_id or "", operation.endpoint)
        return matches(known, self.allow) and not matches(known, self.deny)


def matches(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether one of the names fits one of the patterns (`*`, `?`, `[…]`)."""
    wanted = tuple(patterns)
    return "*" in wanted or any(fnmatchcase(name, pattern) for name in names for pattern in wanted)


class OpenApiTool:
    """One operation as a tool, with everything that calling it needs.

    Attributes:
        spec: What a model is shown. Its schemas are shared with other tools: never change them.
        folded: `spec.parameters` shows less than `parameters`.
    """

    def __init__(self, *, spec: ToolSpec, folded: bool, detail: "Callable[[], Detail]") -> None:
        self.spec = spec
        self.folded = folded
        self._detail_of = detail
        self._answer_validators: dict[int, Validator | None] = {}

    @cached_property
    def _detail(self) -> "Detail":
        """What only a call needs. A tool that comes from the cache reads its document for it."""
        return self._detail_of()

    @property
    def plan(self) -> RequestPlan:
        """How arguments become a request."""
        return self._detail.arguments.plan

    @cached_property
    def parameters(self) -> JsonObject:
        """The whole JSON Schema of the arguments: nothing folded, no other arguments allowed."""
        return self._detail.whole()

    def described(self, pointer: str = "", *, max_tokens: int) -> JsonObject:
        """A part of `parameters`, in more words than a model is shown at first; see `described`.

        Raises:
            NotFoundError: The pointer leads nowhere.
        """
        return described(self._detail.told(), pointer, max_tokens=max_tokens)

    @cached_property
    def validator(self) -> "Validator":
        """Checks arguments against `parameters`; compiled when it is first asked for.

        Raises:
            InvalidRequestError: The document's schema cannot be compiled.
        """
        from interlock_core.schema import validator

        return validator(self.parameters)

    def answer_validator(self, status: int) -> "Validator | None":
        """Checks answers of this status; None where the document describes none that can be checked."""
        if status not in self._answer_validators:
            self._answer_validators[status] = self._compiled_answer(status)
        return self._answer_validators[status]

    def _compiled_answer(self, status: int) -> "Validator | None":
        from interlock_core.schema import validator

        schema = self.responses.schema(self.plan.operation, status)
        if schema is None:
            return None
        try:
            return validator(schema)
        except InvalidRequestError:
            return None

    @property
    def document(self) -> Document:
        """The document that it comes from."""
        return self._detail.document

    @property
    def references(self) -> References:
        """Resolves the references of the document."""
        return self._detail.builder.references

    @property
    def responses(self) -> Responses:
        """What the document says of its answers."""
        return self._detail.responses


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of a document. Iterating it gives its `ToolSpec`s.

    Attributes:
        source: What the document was asked for by.
        namespace: What stands before the dot of each name.
        title: The document's title.
        version: Version of its form, such as `3.1`.
        entries: The tools with their plans, in the document's order.
        skipped: Operations that could not become a tool, each with a reason.
        problems: What was tolerated.
        document: What the document says.
        excluded: Operations that were not wanted.
    """

    source: str
    namespace: str
    title: str
    version: str
    entries: tuple[OpenApiTool, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]
    document: Document
    excluded: int = 0

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools, in the document's order."""
        return tuple(entry.spec for entry in self.entries)

    @property
    def operations(self) -> int:
        """How many operations the document has."""
        return len(self.entries) + len(self.skipped) + self.excluded

    @property
    def folded(self) -> int:
        """How many tools show a model less than the whole schema."""
        return sum(entry.folded for entry in self.entries)

    def __iter__(self) -> Iterator[ToolSpec]:
        return iter(self.tools)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What calling one tool needs beside what a model is shown.

    Attributes:
        arguments: Its arguments.
        document: The document that it comes from.
        builder: Converts the document's schemas.
        responses: What the document says of answers.
        told: The whole schema of the arguments with all that the document says of them.
    """

    arguments: Arguments
    document: Document
    builder: SchemaBuilder
    responses: Responses
    told: "Callable[[], JsonObject]"

    def whole(self) -> JsonObject:
        """The whole JSON Schema of the arguments: nothing folded, no other arguments allowed.

        Raises:
            InvalidRequestError: A schema cannot be converted.
        """
        arguments = self.arguments
        definitions = self.builder.definitions(arguments.refs)
        shown = Folded(properties=arguments.properties, definitions=definitions)
        return {**shown.schema(arguments.required), "additionalProperties": False}


def openapi_to_tool_specs(
    document: AnyDocument, *, namespace: str | None = None, options: ConvertOptions | None = None
) -> Conversion:
    """Convert every operation of a document.

    Args:
        document: A loaded document, a parsed one, or the path of a file. (`load_document` reads URLs.)
        namespace: Stands before the dot of each tool's name; made of the title or file name by default.
        options: Wording and size.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no OpenAPI document, or the namespace is no name.
    """
    return converted(_loaded(document), namespace=namespace, options=options or ConvertOptions())


def converted(
    loaded: LoadedDocument,
    *,
    namespace: str | None,
    options: ConvertOptions,
    taken: Collection[str] = (),
    progress: Progress | None = None,
) -> Conversion:
    """As `openapi_to_tool_specs`; a namespace that is made up is none of those `taken`."""
    read = read_document(loaded)
    name = checked_namespace(namespace) if namespace is not None else default_namespace(read, taken)
    named = [(op.operation_id, op.method, op.path) for op in read.operations]
    wanted = [
        (operation, tool_name)
        for operation, tool_name in zip(read.operations, tool_names(named, name), strict=True)
        if options.wants(tool_name, operation)
    ]
    making = Making(loaded, read, options, operations=len(wanted))
    entries: list[OpenApiTool] = []
    skipped = list(read.skipped)
    for number, (operation, tool_name) in enumerate(wanted):
        if progress is not None and number % _TOLD_EVERY == 0:
            progress(read.source, number, len(wanted))
        try:
            entries.append(making.tool(operation, tool_name))
        except InvalidRequestError as exc:
            reason = str(Problem.of(exc, source=f"{read.source}#{operation.pointer}"))
            skipped.append(Skipped(operation=operation.endpoint, reason=reason))
        except RecursionError:
            reason = f"{read.source}#{operation.pointer}: nested too deeply. Use references."
            skipped.append(Skipped(operation=operation.endpoint, reason=reason))
    if progress is not None:
        progress(read.source, len(wanted), len(wanted))
    return Conversion(
        source=read.source,
        namespace=name,
        title=read.title,
        version=read.version,
        entries=tuple(entries),
        skipped=tuple(skipped),
        problems=read.problems,
        document=read,
        excluded=len(read.operations) - len(wanted),
    )


def checked_namespace(name: str) -> str:
    """A namespace as given.

    Raises:
        InvalidRequestError: It is not made of letters, digits and underscores, or too long.
    """
    legal = name.replace("-", "").replace("_", "")
    if not legal.isascii() or not legal.isalnum() or len(name) > LONGEST_NAMESPACE:
        raise InvalidRequestError(
            f"{name[:60]!r} cannot be a namespace.",
            field="namespace",
            remedy=f"Use letters, digits, `_` and `-`, at most {LONGEST_NAMESPACE}.",
        )
    return name


def _loaded(document: AnyDocument) -> LoadedDocument:
    if isinstance(document, LoadedDocument):
        return document
    return load_object(document) if isinstance(document, dict) else load_file(document)


def default_namespace(document: Document, taken: Collection[str]) -> str:
    """The title where there is one that says something, else the file's name; numbered when it is taken."""
    title = snake_case(document.title)
    name = namespace_of(document.title if title else Path(document.source).name.partition(".")[0])
    candidate, number = name, 2
    while candidate in taken:
        tail = f"_{number}"
        candidate, number = name[: LONGEST_NAMESPACE - len(tail)] + tail, number + 1
    return candidate


class Making:
    """Makes the tools of one document.

    Args:
        loaded: The document as it was loaded.
        document: The document as it was read.
        options: Wording and size.
        operations: How many operations become tools; the more there are, the shorter the words.
    """

    def __init__(
        self, loaded: LoadedDocument, document: Document, options: ConvertOptions, *, operations: int
    ) -> None:
        self._options = options
        self._wording = options.wording or Wording.for_size(operations)
        references = References(loaded)
        siblings = document.version not in {"2.0", "3.0"}
        self._builder = SchemaBuilder(
            references, siblings=siblings, words=self._wording.nested, prose=Prose()
        )
        self._folding = Folding(self._builder)
        self._maker = ArgumentMaker(self._builder, self._wording)
        self._document = document
        self._responses = Responses(references, siblings=siblings)
        self._loaded = loaded
        self._told: Making | None = None

    def told(self, operation: Operation) -> JsonObject:
        """The whole schema of an operation's arguments, in many words.

        Raises:
            InvalidRequestError: A schema cannot be converted.
        """
        if self._told is None:
            self._told = Making(self._loaded, self._document, ConvertOptions(wording=TOLD), operations=1)
        return self._told.detail(operation).whole()

    def detail(self, operation: Operation) -> Detail:
        """What calling an operation needs.

        Raises:
            InvalidRequestError: A schema cannot be converted.
        """
        return Detail(
            arguments=self._maker.arguments(operation),
            document=self._document,
            builder=self._builder,
            responses=self._responses,
            told=lambda: self.told(operation),
        )

    def tool(self, operation: Operation, name: str) -> OpenApiTool:
        """An operation as a tool.

        Raises:
            InvalidRequestError: A schema cannot be converted.
        """
        detail = self.detail(operation)
        arguments = detail.arguments
        prose = self._builder.prose
        description = _description(operation, prose, self._wording.tool)
        shown = folded(
            arguments.properties,
            arguments.refs,
            self._folding,
            limit=self._room(description, arguments.required),
            required=arguments.required,
        )
        spec = ToolSpec(
            name=name,
            description=description,
            parameters=shown.schema(arguments.required),
            effect=effect_of(operation),
            namespace=name.partition(".")[0],
            operation_id=operation.operation_id,
            endpoint=operation.endpoint,
            category=operation.tags[0] if operation.tags else "",
            tags=operation.tags,
            summary=prose.short(operation.summary, _LONGEST_SUMMARY),
        )
        return OpenApiTool(spec=spec, folded=shown.folded, detail=lambda: detail)

    def _room(self, description: str, required: list[str]) -> int:
        """Characters that the schema of a tool may have."""
        limit = self._options.max_tool_tokens
        if limit is None:
            return 1 << 40
        return limit * _CHARACTERS_PER_TOKEN - len(description) - _AROUND - len(str(required))


def _description(operation: Operation, prose: Prose, limit: int) -> str:
    """The summary, then the description's most telling sentences; method and path when there is neither."""
    summary = prose.short(operation.summary, limit)
    if summary.rstrip("/") in {operation.path.rstrip("/"), operation.endpoint.rstrip("/")}:
        summary = ""
    room = limit - len(summary) - 2
    said = prose.short(operation.description, limit if not summary else max(room, 0)) if room > 40 else ""
    if summary and said.lower().startswith(summary.rstrip(".").lower()):
        said, summary = prose.short(operation.description, limit), ""
    joined = f"{summary.rstrip('.')}. {said}" if summary and said else summary or said
    text = joined or prose.short(operation.endpoint, limit) or operation.method
    return f"Deprecated. {text}" if operation.deprecated else text
