"""The tools that exist: those of many documents, each under its namespace, and those of this process."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.jsontypes import JsonObject
from interlock_core.nearest import suggestion
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools._documents import (
    DocumentInfo,
    DocumentOptions,
    Mounted,
    Reload,
    as_asked,
    check_digest,
    converting,
    difference,
    mounted,
)
from interlock_tools._handlers import Handler, InProcessTool, RawHandler, raw_tool, typed_tool
from interlock_tools._shelf import IndexShelf
from interlock_tools.openapi._bundle import DocumentBundle
from interlock_tools.openapi._cache import DocumentCache
from interlock_tools.openapi._convert import OpenApiTool, Progress, checked_namespace, converted
from interlock_tools.openapi._describe import described
from interlock_tools.openapi._gather import gather_document, regather_document
from interlock_tools.openapi._kept import as_converted, converted_bundle
from interlock_tools.openapi._load import LoadedDocument, load_object
from interlock_tools.openapi._source import LoadLimits, Source
from interlock_tools.retrieval import Embed, FoundTool, ToolFilter, ToolFinder

if TYPE_CHECKING:
    from interlock_core.http import HttpClient
    from interlock_core.schema import Validator


class ToolRegistry:
    """A `ToolCatalog` of many documents and of functions of this process.

    Args:
        client: Fetches documents from URLs, under its own egress rules; public addresses only by default.
        limits: How much a document may be.
        cache: Folder in which what became of documents is kept, so that they are ready sooner the next time;
            None for nowhere. A document is known by the hash of all its bytes.
        progress: Told how far the conversion of a document is.
        embed: Makes vectors of texts, so that tools are found by meaning too; None for words alone. It is
            called for every tool at the first search, and once a search.
        review: Asked of every document that is about to be put in place, or in the place of its older self:
            the names of its tools that are not offered. See `hold`.
    """

    def __init__(
        self,
        *,
        client: "HttpClient | None" = None,
        limits: LoadLimits | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
        embed: Embed | None = None,
        review: "Callable[[Mounted], Collection[str]] | None" = None,
    ) -> None:
        self._client = client
        self._review = review
        self._progress = progress
        self._limits = limits or LoadLimits()
        self._cache = DocumentCache(cache) if cache is not None else None
        self._mounted: dict[str, Mounted] = {}
        self._own: dict[str, InProcessTool] = {}
        self._validators: dict[str, Validator] = {}
        self._sorted: tuple[str, ...] | None = None
        self._finder = ToolFinder(
            shelf=None if self._cache is None else IndexShelf(self._cache, self._made_of), embed=embed
        )

    async def add(
        self,
        source: Source,
        *,
        namespace: str | None = None,
        options: DocumentOptions | None = None,
        client: "HttpClient | None" = None,
    ) -> DocumentInfo:
        """Read a document from a file, folder, archive or URL and offer its tools.

        Args:
            source: Path or URL; a document inside an archive is named behind a `#`.
            namespace: What stands before the dot of each name; made of the title by default.
            options: What the operator writes about it.
            client: Fetches this document in place of the registry's own client.

        Raises:
            NotFoundError: There is no such file.
            InvalidRequestError: It is no OpenAPI document, or the namespace is taken.
            EgressRefusedError: The URL, or `base_url`, may not be reached.
            UpstreamError: The URL did not answer as it should.
        """
        if namespace is not None:
            self._check_free(checked_namespace(namespace))
        options = options or DocumentOptions()
        bundle = await gather_document(
            source, client=client or self._client, limits=self._limits, overlays=options.overlays
        )
        return self._mount_bundle(bundle, source, namespace, options)

    def add_bundle(
        self,
        bundle: DocumentBundle,
        *,
        namespace: str | None = None,
        options: DocumentOptions | None = None,
    ) -> DocumentInfo:
        """Offer the tools of a document whose files were gathered before. `replace` gives it new ones.

        Raises:
            InvalidRequestError: It is no OpenAPI document, or the namespace is taken.
            EgressRefusedError: `base_url` is no plain address.
        """
        if namespace is not None:
            self._check_free(checked_namespace(namespace))
        return self._mount_bundle(bundle, None, namespace, options or DocumentOptions())

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
        options = options or DocumentOptions()
        loaded = document if isinstance(document, LoadedDocument) else load_object(document)
        conversion = converted(loaded, namespace=namespace, options=converting(options), taken=self._taken())
        uri = as_asked(loaded.source, loaded.uri)
        return self._mount(mounted(as_converted(conversion), None, options, uri=uri))

    async def reload(self, namespace: str, *, client: "HttpClient | None" = None) -> Reload:
        """Read a document again. When that fails, everything stays as it was; calls under way go on.

        A server is asked only for what has changed since it was read.

        Args:
            namespace: The document.
            client: Fetches it in place of the registry's own client.

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
        bundle = await regather_document(
            old.source,
            old.versions,
            client=client or self._client,
            limits=self._limits,
            overlays=old.options.overlays,
        )
        if bundle is None:
            return Reload(info=old.info, added=(), changed=(), removed=())
        return self.replace(namespace, bundle)

    def replace(self, namespace: str, bundle: DocumentBundle) -> Reload:
        """Give a document other files. When they cannot be read, everything stays as it was.

        Raises:
            NotFoundError: There is no such document.
            InvalidRequestError: It is no OpenAPI document.
        """
        old = self._document(namespace)
        if old.digest and bundle.digest == old.digest:
            self._mounted[namespace] = replace(old, versions=bundle.versions)
            return Reload(info=old.info, added=(), changed=(), removed=())
        new = self._bundled(bundle, old.source, namespace, old.options, trusted=old.trusted_origins)
        self._mounted[namespace] = new
        self._changed()
        return difference(old, new)

    def hold(self, namespace: str, names: Collection[str]) -> None:
        """Offer every tool of a document but these.

        Raises:
            NotFoundError: There is no such document.
        """
        known = self._document(namespace)
        if known.held != frozenset(names):
            self._mounted[namespace] = known.without(names)
            self._changed()

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
        return self.offer(
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
        untrusted: bool = False,
    ) -> ToolSpec:
        """Offer an async function that takes its arguments as one object, with a JSON Schema of its own.

        Args:
            handler: The function.
            name: `namespace.operation`.
            description: For the model.
            parameters: JSON Schema of the arguments.
            effect: What a call may do.
            category: Grouping for people and permissions; the namespace unless given.
            untrusted: Its results may carry other people's text, so they taint a run.

        Raises:
            ConfigurationError: The name is no name.
            InvalidRequestError: The name is taken, or the schema is none.
        """
        return self.offer(
            raw_tool(
                handler,
                name=name,
                description=description,
                parameters=parameters,
                effect=effect,
                category=category,
                untrusted=untrusted,
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
        return [found.tool for found in self.find(query, limit=limit)]

    def find(self, query: str, *, limit: int = 10, where: ToolFilter | None = None) -> Sequence[FoundTool]:
        """The tools that fit a query, best first, with how well; the index is made at the first search."""
        groups = {namespace: made.tools for namespace, made in self._mounted.items()}
        return self._finder.search({"": self._own} | groups, query, limit=limit, where=where)

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

    def describe(self, name: str, pointer: str = "", *, max_tokens: int = 2_000) -> JsonObject:
        """A part of a tool's schema with all that is said of it: what a model asks for when it was folded.

        Args:
            name: The tool.
            pointer: JSON pointer into `parameters`; a step may also be the name of a property. Empty for
                the whole.
            max_tokens: About the most tokens of the answer; what is deeper is folded once more.

        Raises:
            NotFoundError: There is no such tool, or no such part; the remedy names the nearest.
        """
        found = self.tool(name)
        if isinstance(found, InProcessTool):
            return described(found.spec.parameters, pointer, max_tokens=max_tokens)
        return found[1].described(pointer, max_tokens=max_tokens)

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

    def _mount_bundle(
        self,
        bundle: DocumentBundle,
        source: Source | None,
        namespace: str | None,
        options: DocumentOptions,
    ) -> DocumentInfo:
        if namespace is not None:
            self._check_free(namespace)
        return self._mount(self._bundled(bundle, source, namespace, options))

    def _bundled(
        self,
        bundle: DocumentBundle,
        source: Source | None,
        namespace: str | None,
        options: DocumentOptions,
        *,
        trusted: frozenset[str] | None = None,
    ) -> Mounted:
        check_digest(bundle, options, namespace)
        found = converted_bundle(
            bundle,
            namespace=namespace,
            options=converting(options),
            limits=self._limits,
            cache=self._cache,
            taken=self._taken() if namespace is None else (),
            progress=self._progress,
        )
        made = mounted(found, source, options, uri=as_asked(bundle.source, bundle.uri), trusted=trusted)
        made = replace(made, digest=bundle.digest, versions=bundle.versions, remote=bundle.remote)
        return made if self._review is None else made.without(self._review(made))

    def _made_of(self, namespace: str) -> str:
        """Names everything that the tools of a namespace were made of; empty when that is not known."""
        known = self._mounted.get(namespace)
        return known.key if known is not None and not known.held else ""

    def _mount(self, made: Mounted) -> DocumentInfo:
        self._mounted[made.namespace] = made
        self._changed()
        return made.info

    def offer(self, tool: InProcessTool) -> ToolSpec:
        """Offer a tool that is made already.

        Raises:
            InvalidRequestError: The name is taken.
        """
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
        self._finder.forget("")

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
