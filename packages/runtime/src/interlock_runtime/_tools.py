"""The documents that settings and commands name, the tools made of them, and their guarded calls."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core import (
    Approver,
    Audience,
    Call,
    CallKind,
    Effect,
    Guard,
    Json,
    JsonObject,
    Redactor,
    ToolCall,
    ToolCatalog,
    ToolExecutor,
    ToolResult,
    ToolSpec,
    new_id,
)
from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_pipeline import ApprovingExecutor
from interlock_runtime._absent import why_absent
from interlock_runtime._contracts import Contracts, HeldTools
from interlock_runtime._conversion import converted
from interlock_runtime._declared import Documents
from interlock_runtime._devtools import DevFolders
from interlock_runtime._documents import DocumentStore, StoredDocument, credential_of
from interlock_runtime._guarded import GuardedExecutor, PricedExecutor, PriceOf
from interlock_runtime._hidden import RedactingExecutor
from interlock_runtime._lazytools import ExecutorWhenWanted, LoadedTools, NoTools
from interlock_runtime._mounting import (
    SHIPPED,
    absolute_path,
    cache_of,
    default_namespace,
    egress_of,
    gather_source,
    mount_stored,
    report_of,
    text_of,
)
from interlock_runtime._pins import StoredPins
from interlock_runtime._reloading import Reloading
from interlock_runtime._toolservers import ToolServers
from interlock_runtime.settings import Settings
from interlock_security.redaction import refuse_secrets

if TYPE_CHECKING:
    from interlock_runtime._access import Access
    from interlock_runtime._credentials import Credentials
    from interlock_security import AuditLog
    from interlock_tools import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolGuards:
    """What stands around a tool's call.

    Attributes:
        outer: Rules before approval, outermost first.
        unasked: Rules in their place around calls that nobody is asked about.
        approver: Who is asked.
        inner: Rules after approval, outermost first.
        redactor: Hides secrets in results.
        needs_approval: Which calls a person must approve.
        price_of: What one call of a tool costs.
    """

    outer: tuple[Guard, ...]
    unasked: tuple[Guard, ...]
    approver: Approver
    inner: tuple[Guard, ...]
    redactor: Redactor
    needs_approval: Callable[[Call], bool]
    price_of: PriceOf


class Tools:
    """Documents, tools and calls. Documents are read when the first tool is wanted.

    Args:
        settings: The settings.
        documents: Holds the documents that commands added.
        credentials: Gives the credentials to the executor alone.
        audit: Records additions and removals.
        guards: What stands around a call.
        access: Who the user is.
        servers: The MCP servers of the settings.
        folders: The working folders of the tools for developers.

    Attributes:
        servers: The MCP servers of the settings.
        held: What waits until somebody approves it.
        changed: Called when the tools have changed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        documents: DocumentStore,
        servers: ToolServers,
        folders: DevFolders,
        credentials: "Credentials",
        audit: "AuditLog",
        guards: ToolGuards,
        access: "Access",
    ) -> None:
        self.servers = servers
        self.changed: list[Callable[[], None]] = servers.changed
        self._settings = settings
        self._folders = folders
        self._documents = documents
        self._credentials = credentials
        self._audit = audit
        self._guards = guards
        self._access = access
        self._places = Documents(settings, credentials.named)
        self._contracts = Contracts(StoredPins(documents.store, audit=audit, access=access, kind="tools"))
        self.held = HeldTools(servers, self._contracts, self._registry)
        self._loaded: LoadedTools | None = None
        self._loading = asyncio.Lock()
        self.executor: ToolExecutor = ExecutorWhenWanted(self._executor)

    # ---- what there is

    async def catalog(self) -> ToolCatalog:
        """Every tool; a document that cannot be used gives none, see `unusable`."""
        return await self.catalog_of(("*",))

    async def catalog_of(self, patterns: Sequence[str]) -> ToolCatalog:
        """The catalogue, with the tools of those MCP servers that a pattern may fit; no other is started.

        Raises:
            ConflictError: A document was added under a name that the settings declare too.
        """
        registry = (await self._ready()).registry
        await self._contracts.refresh(registry)
        await self.servers.mount(registry, patterns)
        return registry

    async def find(
        self,
        query: str,
        *,
        limit: int = 10,
        namespace: str | None = None,
        category: str | None = None,
        effect: Effect | None = None,
    ) -> Sequence[tuple[ToolSpec, float]]:
        """The tools that fit a query, best first, each with its score.

        Args:
            query: What is wanted, in words.
            limit: Most tools.
            namespace: Pattern of the document's name.
            category: Pattern of the category, or of a tag.
            effect: What a call may do.
        """
        from interlock_tools.retrieval import ToolFilter

        registry = (await self._ready()).registry
        await self.servers.mount(registry, ("*",))
        where = ToolFilter(namespace=namespace, category=category, effect=effect)
        return [(found.tool, found.score) for found in registry.find(query, limit=limit, where=where)]

    async def catalog_for(self, patterns: Sequence[str]) -> ToolCatalog:
        """The catalogue for some patterns; nothing is read when there are none.

        Raises:
            NotFoundError: A pattern fits no tool.
        """
        if not patterns:
            return NoTools()
        catalog = await self.catalog_of(patterns)
        for pattern in patterns:
            if not catalog.list([pattern]):
                if (absent := self.why_absent(pattern)) is not None:
                    raise absent
                raise NotFoundError(
                    f"No tool fits {pattern!r}.",
                    field="--tools",
                    remedy="See 'interlock tools list', or add a document with 'interlock tools add'.",
                )
        return catalog

    async def named(self, name: str) -> ToolSpec:
        """A tool.

        Raises:
            NotFoundError: There is no such tool.
            ConfigurationError: Its document cannot be used.
            UpstreamError: Its MCP server cannot be used.
            ApprovalDeniedError: It is withheld until it is approved.
        """
        try:
            return (await self.catalog_of((name,))).get(name)
        except NotFoundError as error:
            raise self.why_absent(name) or error from error

    def why_absent(self, name: str) -> InterlockError | None:
        """Why a tool is not there that was looked for; None when there is simply none of that name."""
        return why_absent(name, self._places.unusable, self.held.states())

    async def unusable(self) -> list[JsonObject]:
        """Every document that gives no tools, with its `name`, `place`, `error` and `remedy`."""
        await self._ready()
        return [entry.as_json() for _, entry in sorted(self._places.unusable.items())]

    async def describe(self, name: str, part: str | None = None) -> JsonObject:
        """The whole schema of a tool's arguments, or one part of it in all its words.

        Args:
            name: The tool.
            part: JSON pointer into the schema, or names of properties as its steps; None for the whole.

        Raises:
            NotFoundError: There is no such tool, or no such part.
        """
        await self.named(name)
        registry = (await self._ready()).registry
        return registry.parameters(name) if part is None else registry.describe(name, part)

    async def redirect(self, namespace: str, base_url: str) -> None:
        """Send a document's calls to another address, which the operator named.

        It is meant for a process that does one thing: calls that are under way to the old address end.
        """
        if self._places.redirected.get(namespace) != base_url:
            self._places.redirected[namespace] = base_url
            await self._forget()

    async def has_credential(self, namespace: str) -> bool:
        """Whether calls to a document carry a credential."""
        return namespace in (await self._ready()).credentialed

    async def aclose(self) -> None:
        """Close every connection, and end every MCP server."""
        self.changed.clear()
        await self._forget()
        await self._folders.aclose()
        await self.servers.aclose()

    async def _forget(self) -> None:
        """Close what is loaded; the next call loads it again."""
        async with self._loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            await loaded.aclose()
            for call in self.changed:
                call()

    # ---- calls

    async def call(self, name: str, arguments: str, *, max_pages: int | None = None) -> ToolResult:
        """Call one tool, as the user at this machine; `max_pages` gathers so many pages of a list.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break its schema.
            RefusedError: A rule forbids it.
        """
        tool = await self.named(name)
        call, context = await self._wanted(tool, arguments)
        return await self.executor.execute(call, replace(context, max_pages=max_pages))

    async def prepare(self, name: str, arguments: str) -> JsonObject:
        """The exact request of a call, without credentials; nothing is sent.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break its schema.
        """
        tool = await self.named(name)
        prepared = await self.executor.prepare(*(await self._wanted(tool, arguments)))
        request = prepared.request
        if request is None:
            return {"tool": name, "arguments": prepared.arguments}
        headers: list[Json] = [f"{key}: {value}" for key, value in request.headers]
        body = None if request.body is None else request.body.decode("utf-8", "replace")
        return {"method": request.method, "url": request.url, "headers": headers, "body": body}

    async def _wanted(self, tool: ToolSpec, arguments: str) -> tuple[ToolCall, Call]:
        # Neither agent nor run: a person made this call, so nobody else is asked to approve it.
        context = Call(
            id=new_id("call"),
            kind=CallKind.TOOL,
            name=tool.name,
            principal=await self._access.local(),
            effect=tool.effect,
            category=tool.category,
            trace_id=new_id("trace"),
        )
        return ToolCall(id=context.id, name=tool.name, arguments=arguments), context

    # ---- documents

    async def add(
        self,
        source: str,
        *,
        namespace: str,
        base_url: str,
        credential: str,
        allow: Sequence[str],
        overlays: Sequence[str] = (),
        progress: Callable[[str, int, int], None] | None = None,
    ) -> JsonObject:
        """Add a document to the store, with every file that it is spread over and its overlays.

        Raises:
            NotFoundError: There is no such file.
            InvalidRequestError: It is no OpenAPI document, or several, or the credential is written out.
            ConflictError: The configuration file declares that namespace.
            PermissionDeniedError: The user may not.
        """
        principal = await self._access.local()
        self._access.require(principal, "tools")
        if credential and not credential.startswith(("env:", "file:", "vault:")):
            raise InvalidRequestError(
                "A credential is not written into the store.",
                field="--credential",
                remedy="Write where it is: vault:NAME, env:NAME or file:PATH.",
            )
        name = namespace or default_namespace(source)
        self._places.refuse_declared(name)
        source, overlays = absolute_path(source), [absolute_path(overlay) for overlay in overlays]
        bundle = await gather_source(source, overlays, egress_of(self._settings))
        document = StoredDocument(
            namespace=name,
            source=source,
            content=bundle.packed(),
            base_url=base_url,
            credential=credential,
            allow=tuple(allow),
            overlays=tuple(overlays),
            added_at=int(self._documents.clock.now() * 1e6),
            added_by=principal.user,
        )
        refuse_secrets(text_of(bundle), self._guards.redactor, field="source")
        known = {entry.namespace: entry.source for entry in await self._documents.all()}
        info = mount_stored(self._fresh_registry(progress), document)
        async with self._audit.change("tools.add", principal, {"namespace": name, "source": source}):
            await self._documents.put(document)
            await self._contracts.forget(name)
        await self._forget()
        return {**report_of(info, overlays), "replaced": known.get(name) or SHIPPED.get(name)}

    async def reload(self, namespace: str = "") -> JsonObject:
        """Read documents again and say what changed: one by its namespace, all of them when it is empty.

        Calls under way go on, and what cannot be read stays as it was.

        Returns:
            `documents`: of each its `namespace`, the names of the tools `added`, `changed` and `removed`,
            `operations`, `converted` and what is `withheld`; of one that failed its `namespace` and `error`.

        Raises:
            NotFoundError: There is no such document, or its file is gone.
            InvalidRequestError: It is no OpenAPI document any more.
            UpstreamError: Its address did not answer as it should.
            PermissionDeniedError: The user may not.
        """
        principal = await self._access.local()
        self._access.require(principal, "tools")
        stored = {document.namespace: document for document in await self._documents.all()}
        registry, declared = (await self._ready()).registry, self._places.declared(stored)
        await self._contracts.learn()
        await self._places.retry(registry, declared)
        reloading = Reloading(
            registry,
            unusable=self._places.unusable,
            settings=self._settings,
            documents=self._documents,
            audit=self._audit,
            redactor=self._guards.redactor,
            principal=principal,
            contracts=self._contracts,
        )
        told = await reloading.reload(namespace, declared=declared, stored=stored)
        for call in self.changed:
            call()
        return told

    async def remove(self, namespace: str) -> None:
        """Forget a document that was added.

        Raises:
            NotFoundError: There is none of that namespace.
            ConflictError: The configuration file declares it.
            PermissionDeniedError: The user may not.
        """
        principal = await self._access.local()
        self._access.require(principal, "tools")
        known = [entry.namespace for entry in await self._documents.all()]
        if namespace not in known:
            self._places.refuse_declared(namespace)
            raise NotFoundError(
                f"No document was added as {namespace}.",
                field="namespace",
                remedy=suggestion(namespace, known),
            )
        async with self._audit.change("tools.remove", principal, {"namespace": namespace}):
            await self._documents.remove(namespace)
            await self._contracts.forget(namespace)
        await self._forget()

    async def convert(
        self,
        sources: Sequence[str],
        *,
        dialect: str = "openai",
        strict: bool = False,
        overlays: Sequence[str] = (),
        summary: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> JsonObject:
        """What becomes of every operation of some documents, and their tools as vendors take them.

        Raises:
            UnsupportedError: Strict mode is asked for, or a vendor that this version does not write for.
        """
        return await converted(
            sources,
            dialect=dialect,
            strict=strict,
            overlays=overlays,
            cache=self._cache,
            summary=summary,
            progress=progress,
        )

    # ---- inside

    async def _ready(self) -> LoadedTools:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await self._load()
            return self._loaded

    async def _registry(self) -> "ToolRegistry":
        return (await self._ready()).registry

    async def _executor(self, name: str) -> ToolExecutor:
        loaded = await self._ready()
        await self.servers.mount(loaded.registry, (name,))
        return loaded.executor

    async def _load(self) -> LoadedTools:
        from interlock_tools import ExecutorLimits, ToolRegistry
        from interlock_tools import ToolExecutor as ApiExecutor

        await self._contracts.learn()
        registry = ToolRegistry(cache=self._cache, review=self._contracts.review)
        stored = {document.namespace: document for document in await self._documents.all()}
        for document in stored.values():
            self._credentials.name(credential_of(document.namespace), document.credential)
        credentialed = await self._places.mount(registry, stored)
        await self._contracts.settle(registry)
        limits = ExecutorLimits(max_shown=self._settings.pipeline.max_result_chars)
        egress = egress_of(self._settings)
        guards = self._guards
        inner = ApiExecutor(
            registry,
            secrets=self._credentials.secrets,
            renew=self._credentials.tokens.renew,
            egress=egress,
            limits=limits,
            hide=lambda value: guards.redactor.json(value, toward=Audience.MODEL),
        )
        inner.offer_reader()
        guarded = GuardedExecutor(RedactingExecutor(inner, guards.redactor), guards.inner)
        unasked = GuardedExecutor(guarded, guards.unasked)
        self._folders.mount(registry, PricedExecutor(unasked, guards.price_of))
        asked = ApprovingExecutor(guarded, guards.approver, needs_approval=guards.needs_approval)
        return LoadedTools(
            registry=registry,
            executor=PricedExecutor(GuardedExecutor(asked, guards.outer), guards.price_of),
            credentialed=credentialed,
            aclose=inner.aclose,
        )

    @property
    def _cache(self) -> Path:
        """Where conversions of documents are kept."""
        return cache_of(self._settings)

    def _fresh_registry(self, progress: Callable[[str, int, int], None] | None = None) -> "ToolRegistry":
        from interlock_tools import ToolRegistry

        return ToolRegistry(cache=self._cache, progress=progress)
