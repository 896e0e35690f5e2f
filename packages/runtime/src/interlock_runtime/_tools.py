"""The documents that settings and commands name, the tools made of them, and their guarded calls."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock_core import (
    Approver,
    Call,
    CallKind,
    Guard,
    Json,
    JsonObject,
    Redactor,
    SecretStore,
    ToolCall,
    ToolCatalog,
    ToolExecutor,
    ToolResult,
    ToolSpec,
    new_id,
)
from interlock_core.errors import ConflictError, InvalidRequestError, NotFoundError, UnsupportedError
from interlock_core.nearest import suggestion
from interlock_pipeline import ApprovingExecutor
from interlock_runtime._documents import DocumentStore, StoredDocument
from interlock_runtime._guarded import GuardedExecutor
from interlock_runtime._hidden import RedactingExecutor
from interlock_runtime._lazytools import ExecutorWhenWanted, LoadedTools, NoTools
from interlock_runtime._mounting import (
    SHIPPED,
    default_namespace,
    mount_declared,
    mount_stored,
    read_source,
)
from interlock_runtime.settings import Settings, ToolSettings

if TYPE_CHECKING:
    from interlock_core.http import Egress
    from interlock_runtime._access import Access
    from interlock_security import AuditLog
    from interlock_tools import ToolRegistry

_WRITTEN = {
    "openai": "openai-chat",
    "anthropic": "anthropic-messages",
    "mistral": "mistral-chat",
    "cohere": "cohere-chat",
    "local": "openai-chat",
}
DIALECTS = (*_WRITTEN, "all")
"""For whom `convert` can write tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolGuards:
    """What stands around a tool's call.

    Attributes:
        outer: Rules before approval, outermost first.
        approver: Who is asked.
        inner: Rules after approval, outermost first.
        redactor: Hides secrets in results.
        needs_approval: Which calls a person must approve.
    """

    outer: tuple[Guard, ...]
    approver: Approver
    inner: tuple[Guard, ...]
    redactor: Redactor
    needs_approval: Callable[[Call], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The secrets of the settings.

    Attributes:
        secrets: Gives one by the setting that holds it.
        named: The settings that hold one.
    """

    secrets: SecretStore
    named: frozenset[str]


class Tools:
    """Documents, tools and calls. Documents are read when the first tool is wanted.

    Args:
        settings: The settings.
        documents: Holds the documents that commands added.
        credentials: Gives the credentials to the executor alone.
        audit: Records additions and removals.
        guards: What stands around a call.
        access: Who the user is.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        documents: DocumentStore,
        credentials: Credentials,
        audit: "AuditLog",
        guards: ToolGuards,
        access: "Access",
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._credentials = credentials
        self._audit = audit
        self._guards = guards
        self._access = access
        self._redirected: dict[str, str] = {}
        self._loaded: LoadedTools | None = None
        self._loading = asyncio.Lock()
        self.executor: ToolExecutor = ExecutorWhenWanted(self._executor)

    # ---- what there is

    async def catalog(self) -> ToolCatalog:
        """Every tool.

        Raises:
            InvalidRequestError: A document that the settings name is none.
        """
        return (await self._ready()).registry

    async def catalog_for(self, patterns: Sequence[str]) -> ToolCatalog:
        """The catalogue for some patterns; nothing is read when there are none.

        Raises:
            NotFoundError: A pattern fits no tool.
        """
        if not patterns:
            return NoTools()
        catalog = await self.catalog()
        for pattern in patterns:
            if not catalog.list([pattern]):
                raise NotFoundError(
                    f"No tool fits {pattern!r}.",
                    field="--tools",
                    remedy="See 'interlock tools list', or add a document with 'interlock tools add'.",
                )
        return catalog

    async def redirect(self, namespace: str, base_url: str) -> None:
        """Send a document's calls to another address, which the operator named.

        It is meant for a process that does one thing: calls that are under way to the old address end.
        """
        if self._redirected.get(namespace) != base_url:
            self._redirected[namespace] = base_url
            await self._forget()

    async def has_credential(self, namespace: str) -> bool:
        """Whether calls to a document carry a credential."""
        return namespace in (await self._ready()).credentialed

    async def aclose(self) -> None:
        """Close every connection."""
        await self._forget()

    async def _forget(self) -> None:
        """Close what is loaded; the next call loads it again."""
        async with self._loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            await loaded.aclose()

    # ---- calls

    async def call(self, name: str, arguments: str) -> ToolResult:
        """Call one tool, as the user at this machine.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break its schema.
            RefusedError: A rule forbids it.
        """
        tool = (await self.catalog()).get(name)
        call, context = await self._wanted(tool, arguments)
        return await self.executor.execute(call, context)

    async def prepare(self, name: str, arguments: str) -> JsonObject:
        """The exact request of a call, without credentials; nothing is sent.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break its schema.
        """
        tool = (await self.catalog()).get(name)
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
        self, source: str, *, namespace: str, base_url: str, credential: str, allow: Sequence[str]
    ) -> JsonObject:
        """Add a document to the store.

        Raises:
            NotFoundError: There is no such file.
            InvalidRequestError: It is no OpenAPI document, or the credential is written out.
            ConflictError: The configuration file declares that namespace.
            PermissionDeniedError: The user may not.
        """
        principal = await self._access.local()
        self._access.require(principal, "tools")
        if credential and not credential.startswith(("env:", "file:")):
            raise InvalidRequestError(
                "A credential is not written into the store.",
                field="--credential",
                remedy="Write where it is: env:NAME or file:PATH.",
            )
        name = namespace or default_namespace(source)
        self._refuse_declared(name)
        content = await read_source(source, self._egress())
        document = StoredDocument(
            namespace=name,
            source=source,
            content=content,
            base_url=base_url,
            credential=credential,
            allow=tuple(allow),
            added_at=int(self._documents.clock.now() * 1e6),
            added_by=principal.user,
        )
        info = mount_stored(_fresh_registry(), document)
        async with self._audit.change("tools.add", principal, {"namespace": name, "source": source}):
            await self._documents.put(document)
        await self._forget()
        skipped: list[Json] = [{"operation": one.operation, "reason": one.reason} for one in info.skipped]
        return {
            "namespace": info.namespace,
            "operations": info.operations,
            "converted": info.tools,
            "skipped": skipped,
        }

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
            self._refuse_declared(namespace)
            raise NotFoundError(
                f"No document was added as {namespace}.",
                field="namespace",
                remedy=suggestion(namespace, known),
            )
        async with self._audit.change("tools.remove", principal, {"namespace": namespace}):
            await self._documents.remove(namespace)
        await self._forget()

    def _refuse_declared(self, namespace: str) -> None:
        if namespace not in self._settings.tools:
            return
        raise ConflictError(
            f"{self._place(namespace)} declares [tools.{namespace}], so it is read-only here.",
            field=f"tools.{namespace}",
            remedy="Change it there.",
        )

    async def convert(
        self,
        sources: Sequence[str],
        *,
        dialect: str = "openai",
        strict: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> JsonObject:
        """What becomes of every operation of some documents, and their tools as vendors take them.

        Raises:
            UnsupportedError: Strict mode is asked for, or a vendor that this version does not write for.
        """
        if strict:
            raise UnsupportedError(
                "This version does not rewrite schemas for strict mode.",
                field="--strict",
                remedy="Leave it away: the schemas are whole and self-contained.",
            )
        if dialect not in DIALECTS:
            raise UnsupportedError(
                f"This version does not write tools for {dialect}.",
                field="--for",
                remedy=suggestion(dialect, DIALECTS),
            )
        from interlock_tools import convert_documents

        wanted = tuple(_WRITTEN) if dialect == "all" else (dialect,)
        report = await convert_documents(
            sources,
            progress=None
            if progress is None
            else lambda done: progress(f"  {done.source}: {done.operations} operations"),
        )
        return report.as_json({name: _writer(_WRITTEN[name]) for name in wanted})

    # ---- inside

    async def _ready(self) -> LoadedTools:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await self._load()
            return self._loaded

    async def _executor(self) -> ToolExecutor:
        return (await self._ready()).executor

    async def _load(self) -> LoadedTools:
        from interlock_tools import ExecutorLimits
        from interlock_tools import ToolExecutor as ApiExecutor

        registry = _fresh_registry()
        credentialed: set[str] = set()
        stored = {document.namespace: document for document in await self._documents.all()}
        for name, entry in self._declared(stored).items():
            secret = f"tools.{name}.credential"
            credential = secret if secret in self._credentials.named else None
            credentialed |= {name} if credential else set()
            await mount_declared(registry, name, entry, credential=credential, settings=self._settings)
        for name, document in stored.items():
            address = self._redirected.get(name, document.base_url)
            credentialed |= {name} if document.credential else set()
            mount_stored(registry, replace(document, base_url=address))
        limits = ExecutorLimits(max_shown=self._settings.pipeline.max_result_chars)
        inner = ApiExecutor(registry, secrets=self._credentials.secrets, egress=self._egress(), limits=limits)
        guards = self._guards
        guarded = GuardedExecutor(RedactingExecutor(inner, guards.redactor), guards.inner)
        asked = ApprovingExecutor(guarded, guards.approver, needs_approval=guards.needs_approval)
        return LoadedTools(
            registry=registry,
            executor=GuardedExecutor(asked, guards.outer),
            credentialed=frozenset(credentialed),
            aclose=inner.aclose,
        )

    def _egress(self) -> "Egress":
        from interlock_core.http import Egress

        egress = self._settings.egress
        return Egress(allowed_origins=egress.allowed_origins, allow_private=egress.allow_private)

    def _declared(self, stored: Collection[str]) -> Mapping[str, ToolSettings]:
        """The documents of the settings and those that are shipped, redirected where a command says so.

        Raises:
            ConflictError: A document was added under a name that the settings declare too.
        """
        for name in stored:
            if name in self._settings.tools:
                raise ConflictError(
                    f"{self._place(name)} declares [tools.{name}], and a document was added under that name.",
                    field=f"tools.{name}",
                    remedy=f"Rename one of them, or forget the added one: interlock tools remove {name}.",
                )
        found = {name: ToolSettings(source=source) for name, source in SHIPPED.items() if name not in stored}
        found |= self._settings.tools
        return {
            name: replace(entry, base_url=self._redirected.get(name, entry.base_url))
            for name, entry in found.items()
        }

    def _place(self, namespace: str) -> str:
        from interlock_runtime._load import line_of

        file = self._settings.file
        return "the environment" if file is None else f"{file}:{line_of(file, f'tools.{namespace}')}"


def _fresh_registry() -> "ToolRegistry":
    from interlock_tools import ToolRegistry

    return ToolRegistry()


def _writer(dialect: str) -> Callable[[Sequence[ToolSpec]], Json]:
    """Writes tools as they stand in a request of a dialect."""
    from interlock_providers.codecs import codec

    return lambda tools: codec(dialect).render_tools(tools)
