"""The tools that exist: those of many documents, each under its namespace, and those of this process."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.jsontypes import JsonObject
from interlock_core.nearest import suggestion
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools._handlers import Handler, InProcessTool, RawHandler, raw_tool, typed_tool
from interlock_tools._search import SearchIndex
from interlock_tools.openapi._arguments import Wording
from interlock_tools.openapi._convert import (
    Conversion,
    ConvertOptions,
    OpenApiTool,
    checked_namespace,
    converted,
)
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._load import (
    LoadedDocument,
    LoadLimits,
    Source,
    is_url,
    load_document,
    load_object,
)
from interlock_tools.openapi._problem import Problem

if TYPE_CHECKING:
    from interlock_core.http import HttpClient
    from interlock_core.schema import Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOptions:
    """What the operator writes about one document.

    Attributes:
        base_url: Address of the API in place of every server of the document; allowed exactly as written.
        allow: Patterns of the operations to offer, by tool name, operation id or endpoint (`GET /users*`).
        deny: Patterns of those not to offer, whatever `allow` says.
        credential: Name of the secret for whichever security scheme the document has.
        credentials: Name of the secret for each scheme by its name; `bearer`, `basic`, `header:NAME`,
            `query:NAME` and `cookie:NAME` place one that the document does not describe.
        credential_origins: Further origins that credentials may be sent to, beside that of `base_url` and
            that of the document's own URL.
        variables: Values of server variables.
        trusted: Results carry nobody else's text.
        max_tool_tokens: About the most tokens of one tool; deeper parts are folded above it.
        wording: How long descriptions may be; shorter the more operations there are, unless given.
    """

    base_url: str = ""
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    credential: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict[str, str])
    credential_origins: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    trusted: bool = False
    max_tool_tokens: int | None = 4_000
    wording: Wording | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """What became of a document.

    Attributes:
        namespace: What stands before the dot of its tools' names.
        source: What it was asked for by.
        title: Its title.
        version: Version of its form.
        operations: How many operations it has.
        tools: How many tools it gives.
        excluded: How many operations the patterns leave out.
        folded: How many tools show a model less than their whole schema.
        skipped: Operations that could not become a tool, each with a reason.
        problems: What was tolerated.
    """

    namespace: str
    source: str
    title: str
    version: str
    operations: int
    tools: int
    excluded: int
    folded: int
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a reload changed, by names of tools.

    Attributes:
        info: The document as it is now.
        added: Tools that are new.
        changed: Tools that say something else than before.
        removed: Tools that are gone.
    """

    info: DocumentInfo
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A document in a registry.

    Attributes:
        namespace: Its namespace.
        source: Where it can be read again; None for one that was given as an object.
        options: What the operator wrote about it.
        tools: Its tools by name.
        info: What became of it.
        written_origin: Origin of `base_url`; empty when none was written.
        trusted_origins: Origins that its credentials may be sent to. They stay when it is reloaded.
    """

    namespace: str
    source: Source | None
    options: DocumentOptions
    tools: Mapping[str, OpenApiTool]
    info: DocumentInfo
    written_origin: str
    trusted_origins: frozenset[str]


class ToolRegistry:
    """A `ToolCatalog` of many documents and of functions of this process.

    Args:
        client: Fetches documents from URLs, under its own egress rules; public addresses only by default.
        limits: How much a document may be.
    """

    def __init__(self, *, client: "HttpClient | None" = None, limits: LoadLimits | None = None) -> None:
        self._client = client
        self._limits = limits or LoadLimits()
        self._mounted: dict[str, Mounted] = {}
        self._own: dict[str, InProcessTool] = {}
        self._validators: dict[str, Validator] = {}
        self._sorted: tuple[str, ...] | None = None
        self._index: SearchIndex | None = None

    async def add(
        self, source: Source, *, namespace: str | None = None, options: DocumentOptions | None = None
    ) -> DocumentInfo:
        """Read a document from a file or URL and offer its tools.

        Args:
            source: Path or URL.
            namespace: What stands before the dot of each name; made of the title by default.
            options: What the operator writes about it.

        Raises:
            NotFoundError: There is no such file.
            InvalidRequestError: It is no OpenAPI document, or the namespace is taken.
            EgressRefusedError: The URL, or `base_url`, may not be reached.
            UpstreamError: The URL did not answer as it should.
        """
        if namespace is not None:
            self._check_free(checked_namespace(namespace))
        loaded = await load_document(source, client=self._client, limits=self._limits)
        return self._mount(loaded, source, namespace, options or DocumentOptions())

    def add_document(
        self,
        document: LoadedDocument | JsonObject,
        *,
        namespace: str | None = None,
        options: DocumentOptions | None = None,
    ) -> DocumentInfo:
        """Offer the tools of a document that is loaded or parsed already. It cannot be reloaded.

        Raises:
            InvalidRequestError: It is no OpenAPI document, or the namespace is taken.
            EgressRefusedError: `base_url` is no plain address.
        """
        if namespace is not None:
            self._check_free(checked_namespace(namespace))
        loaded = document if isinstance(document, LoadedDocument) else load_object(document)
        return self._mount(loaded, None, namespace, options or DocumentOptions())

    async def reload(self, namespace: str) -> Reload:
        """Read a document again. When that fails, everything stays as it was.

        Raises:
            NotFoundError: There is no such document, or its file is gone.
            InvalidRequestError: It was not read from a file or URL, or is no document any more.
            UpstreamError: The URL did not answer as it should.
        """
        old = self._document(namespace)
        if old.source is None:
            raise InvalidRequestError(
                f"{namespace} was given as an object, so it cannot be read again.",
                field="namespace",
                remedy="Remove it and add it anew.",
            )
        loaded = await load_document(old.source, client=self._client, limits=self._limits)
        new = _mounted(loaded, old.source, namespace, old.options, trusted=old.trusted_origins)
        self._mounted[namespace] = new
        self._changed()
        both = old.tools.keys() & new.tools.keys()
        return Reload(
            info=new.info,
            added=tuple(sorted(new.tools.keys() - old.tools.keys())),
            changed=tuple(sorted(name for name in both if old.tools[name].spec != new.tools[name].spec)),
            removed=tuple(sorted(old.tools.keys() - new.tools.keys())),
        )

    def remove(self, namespace: str) -> None:
        """Offer the tools of a document, or the functions under a namespace, no longer.

        Raises:
            NotFoundError: There is no such namespace.
        """
        own = [name for name in self._own if name.startswith(f"{namespace}.")]
        if namespace not in self._mounted and not own:
            raise self._no_namespace(namespace)
        self._mounted.pop(namespace, None)
        for name in own:
            del self._own[name]
            self._validators.pop(name, None)
        self._changed()

    def register(
        self,
        handler: Handler,
        *,
        name: str,
        description: str | None = None,
        effect: Effect = Effect.WRITE,
        category: str = "",
    ) -> ToolSpec:
        """Offer an async function of this process; its annotations become the schema of its arguments.

        Args:
            handler: The function; a parameter annotated with `Call` is given the call.
            name: `namespace.operation`.
            description: For the model; the docstring's first paragraph unless given.
            effect: What a call may do.
            category: Grouping for people and permissions; the namespace unless given.

        Raises:
            ConfigurationError: A parameter's annotation is not known, or the name is no name.
            InvalidRequestError: The name is taken.
        """
        return self._offer(
            typed_tool(handler, name=name, description=description, effect=effect, category=category)
        )

    def register_raw(
        self,
        handler: RawHandler,
        *,
        name: str,
        description: str,
        parameters: JsonObject,
        effect: Effect = Effect.WRITE,
        category: str = "",
    ) -> ToolSpec:
        """Offer an async function that takes its arguments as one object, with a JSON Schema of its own.

        Raises:
            ConfigurationError: The name is no name.
            InvalidRequestError: The name is taken, or the schema is none.
        """
        return self._offer(
            raw_tool(
                handler,
                name=name,
                description=description,
                parameters=parameters,
                effect=effect,
                category=category,
            )
        )

    def documents(self) -> tuple[DocumentInfo, ...]:
        """What became of each document, in the order in which they were added."""
        return tuple(mounted.info for mounted in self._mounted.values())

    def list(self, patterns: Sequence[str] = ("*",)) -> Sequence[ToolSpec]:
        """Tools whose name matches one of the patterns (`github.*`), sorted by name."""
        names = self._names()
        if "*" not in patterns:
            names = tuple(name for name in names if any(fnmatchcase(name, p) for p in patterns))
        return [self._spec(name) for name in names]

    def get(self, name: str) -> ToolSpec:
        """One tool by its name.

        Raises:
            NotFoundError: There is none; the remedy names the nearest.
        """
        found = self.tool(name)
        return found.spec if isinstance(found, InProcessTool) else found[1].spec

    def search(self, query: str, *, limit: int = 10) -> Sequence[ToolSpec]:
        """The tools that fit a query, best first; none when no word of it is known."""
        if self._index is None:
            self._index = SearchIndex(self.list())
        return [self._spec(name) for name in self._index.search(query, limit=limit)]

    def tool(self, name: str) -> "InProcessTool | tuple[Mounted, OpenApiTool]":
        """A tool with what calling it needs.

        Raises:
            NotFoundError: There is none; the remedy names the nearest.
        """
        own = self._own.get(name)
        if own is not None:
            return own
        mounted = self._mounted.get(name.partition(".")[0])
        entry = mounted.tools.get(name) if mounted is not None else None
        if mounted is None or entry is None:
            raise NotFoundError(
                f"There is no tool {name[:120]}.", field="name", remedy=suggestion(name, self._names())
            )
        return mounted, entry

    def parameters(self, name: str) -> JsonObject:
        """The whole JSON Schema of a tool's arguments, nothing folded.

        Raises:
            NotFoundError: There is no such tool.
        """
        found = self.tool(name)
        return found.spec.parameters if isinstance(found, InProcessTool) else found[1].parameters

    def responses(self, name: str, *, status: int = 200) -> JsonObject | None:
        """JSON Schema of a tool's answer with this status, where its document describes one.

        Raises:
            NotFoundError: There is no such tool.
        """
        found = self.tool(name)
        if isinstance(found, InProcessTool):
            return None
        return found[1].responses.schema(found[1].plan.operation, status)

    def validator(self, name: str) -> "Validator":
        """Checks the arguments of a tool.

        Raises:
            NotFoundError: There is no such tool.
            InvalidRequestError: Its schema cannot be compiled.
        """
        found = self.tool(name)
        if not isinstance(found, InProcessTool):
            return found[1].validator
        if name not in self._validators:
            from interlock_core.schema import validator

            self._validators[name] = validator(found.spec.parameters)
        return self._validators[name]

    def _mount(
        self, loaded: LoadedDocument, source: Source | None, namespace: str | None, options: DocumentOptions
    ) -> DocumentInfo:
        mounted = _mounted(loaded, source, namespace, options, taken=self._taken())
        self._mounted[mounted.namespace] = mounted
        self._changed()
        return mounted.info

    def _offer(self, tool: InProcessTool) -> ToolSpec:
        name = tool.spec.name
        if name in self._own or tool.spec.namespace in self._mounted:
            raise InvalidRequestError(
                f"The name {name} is taken.", field="name", remedy="Choose another name or namespace."
            )
        self._own[name] = tool
        self._changed()
        return tool.spec

    def _names(self) -> tuple[str, ...]:
        if self._sorted is None:
            named: list[str] = [name for mounted in self._mounted.values() for name in mounted.tools]
            self._sorted = tuple(sorted([*named, *self._own]))
        return self._sorted

    def _spec(self, name: str) -> ToolSpec:
        return self.get(name)

    def _changed(self) -> None:
        self._sorted = None
        self._index = None

    def _taken(self) -> set[str]:
        return {*self._mounted, *(tool.spec.namespace for tool in self._own.values())}

    def _check_free(self, namespace: str) -> None:
        if namespace in self._taken():
            raise InvalidRequestError(
                f"The namespace {namespace} is taken.",
                field="namespace",
                remedy="Choose another, or remove or reload the one that is there.",
            )

    def _document(self, namespace: str) -> Mounted:
        mounted = self._mounted.get(namespace)
        if mounted is None:
            raise self._no_namespace(namespace)
        return mounted

    def _no_namespace(self, namespace: str) -> NotFoundError:
        return NotFoundError(
            f"There is no document {namespace[:60]}.",
            field="namespace",
            remedy=suggestion(namespace, self._taken()),
        )


def _mounted(
    loaded: LoadedDocument,
    source: Source | None,
    namespace: str | None,
    options: DocumentOptions,
    *,
    taken: Collection[str] = (),
    trusted: frozenset[str] | None = None,
) -> Mounted:
    converting = ConvertOptions(
        max_tool_tokens=options.max_tool_tokens,
        wording=options.wording,
        allow=options.allow or ("*",),
        deny=options.deny,
    )
    conversion = converted(loaded, namespace=namespace, options=converting, taken=taken)
    entries = conversion.entries
    if options.trusted:
        for entry in entries:
            entry.spec = replace(entry.spec, untrusted=False)
    written = _origin(options.base_url) if options.base_url else ""
    if trusted is None:
        named = [*options.credential_origins, options.base_url, loaded.uri]
        trusted = frozenset(_origin(url) for url in named if is_url(url))
    return Mounted(
        namespace=conversion.namespace,
        source=source,
        options=options,
        tools={entry.spec.name: entry for entry in entries},
        info=_info(conversion),
        written_origin=written,
        trusted_origins=trusted,
    )


def _info(conversion: Conversion) -> DocumentInfo:
    return DocumentInfo(
        namespace=conversion.namespace,
        source=conversion.source,
        title=conversion.title,
        version=conversion.version,
        operations=conversion.operations,
        tools=len(conversion),
        excluded=conversion.excluded,
        folded=conversion.folded,
        skipped=conversion.skipped,
        problems=conversion.problems,
    )


def _origin(url: str) -> str:
    from interlock_core.http import origin_of

    return origin_of(url)
