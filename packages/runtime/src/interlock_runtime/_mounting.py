"""Puts documents into a registry: those of the settings, those that are shipped, those that were added."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core import Json, JsonObject
from interlock_runtime._documents import StoredDocument, credential_of
from interlock_runtime.settings import Settings, ToolSettings

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient
    from interlock_tools import DocumentBundle, DocumentInfo, ExecutorLimits, Problem, Reload, ToolRegistry

_BUILTIN = "builtin:"
SHIPPED = {"github": f"{_BUILTIN}github"}
"""Documents that are there without being declared, by namespace."""


async def mount_declared(
    registry: "ToolRegistry", name: str, entry: ToolSettings, *, credential: str | None, settings: Settings
) -> None:
    """Put a document of the settings into a registry.

    Args:
        registry: Where it goes.
        name: Its namespace.
        entry: What the settings say of it.
        credential: Name of its credential; None for none.
        settings: Say where relative paths begin.

    Raises:
        InvalidRequestError: It is no OpenAPI document.
        NotFoundError: There is no such file.
        UpstreamError: Its address did not answer as it should.
    """
    from interlock_tools import DocumentOptions, builtin_document, builtin_redirects

    origins: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()
    source: str | Path = _placed(entry.source, settings)
    if entry.source.startswith(_BUILTIN):
        shipped = entry.source.removeprefix(_BUILTIN)
        (source, origin), redirects = builtin_document(shipped), builtin_redirects(shipped)
        origins = (origin,)
    options = DocumentOptions(
        base_url=entry.base_url,
        allow=entry.allow or ("*",),
        deny=entry.deny,
        credential=f"tools.{name}.oauth" if entry.oauth and not entry.oauth.get("scheme") else credential,
        credentials=_credentials_of(name, entry),
        variables=entry.variables,
        credential_origins=origins,
        trusted=entry.trusted,
        overlays=tuple(_placed(overlay, settings) for overlay in entry.overlays),
        headers=entry.headers,
        redirects=redirects,
        limits=_limits_of(entry, settings),
        sha256=entry.sha256,
    )
    async with _client(egress_of(settings), (entry.source, *entry.overlays)) as client:
        await registry.add(source, namespace=name, options=options, client=client)


def _credentials_of(name: str, entry: ToolSettings) -> dict[str, str]:
    """The settings that hold a document's credentials, by security scheme."""
    named = {scheme: f"tools.{name}.credentials.{scheme}" for scheme in entry.credentials}
    if scheme := entry.oauth.get("scheme"):
        named[scheme] = f"tools.{name}.oauth"
    return named


def _limits_of(entry: ToolSettings, settings: Settings) -> "ExecutorLimits":
    """The bounds of a document's calls."""
    from interlock_tools import ExecutorLimits

    return ExecutorLimits(
        max_shown=settings.pipeline.max_result_chars,
        timeout_s=entry.timeout_s,
        max_answer_bytes=entry.max_answer_bytes,
        max_pages=entry.max_pages,
        cache_bytes=ExecutorLimits().cache_bytes if entry.cache == "on" else 0,
    )


async def remount_declared(
    registry: "ToolRegistry", name: str, entry: ToolSettings, settings: Settings
) -> "Reload":
    """Read a document of the settings again. When that fails, everything stays as it was.

    Raises:
        InvalidRequestError: It is no OpenAPI document any more.
        NotFoundError: Its file is gone.
        UpstreamError: Its address did not answer as it should.
    """
    async with _client(egress_of(settings), (entry.source, *entry.overlays)) as client:
        return await registry.reload(name, client=client)


def mount_stored(registry: "ToolRegistry", document: StoredDocument) -> "DocumentInfo":
    """Put a document that was added into a registry.

    Raises:
        InvalidRequestError: It is no OpenAPI document, or its namespace is no name or taken.
    """
    from interlock_tools import DocumentOptions

    options = DocumentOptions(
        base_url=document.base_url,
        allow=document.allow or ("*",),
        credential=credential_of(document.namespace) if document.credential else None,
    )
    return registry.add_bundle(bundle_of(document), namespace=document.namespace, options=options)


def bundle_of(document: StoredDocument) -> "DocumentBundle":
    """The files of a document that was added, by this version or an older one.

    Raises:
        InvalidRequestError: What is stored is damaged.
    """
    from interlock_tools import DocumentBundle

    if DocumentBundle.is_packed(document.content):
        return DocumentBundle.unpacked(document.content)
    address = document.source if _is_url(document.source) else ""
    return DocumentBundle(source=document.source, uri=address, files={address: document.content})


async def gather_source(source: str, overlays: Sequence[str], egress: "Egress") -> "DocumentBundle":
    """The files of a document at a path or an address that the operator wrote, and its overlays.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no OpenAPI document, or several.
        UpstreamError: The address did not answer as it should.
    """
    from interlock_tools import gather_document

    async with _client(egress, (source, *overlays)) as client:
        return await gather_document(source, client=client, overlays=overlays)


def text_of(bundle: "DocumentBundle") -> str:
    """Everything that a bundle holds, to be looked through."""
    return bundle.packed().decode("utf-8", "replace")


async def regather_stored(document: StoredDocument, egress: "Egress") -> "DocumentBundle | None":
    """The files of a document that was added, read again; None when its server says that nothing changed.

    Raises:
        NotFoundError: There is no such file any more.
        InvalidRequestError: It is no OpenAPI document, or several.
        UpstreamError: The address did not answer as it should.
    """
    from interlock_tools import regather_document

    versions = bundle_of(document).versions
    async with _client(egress, (document.source, *document.overlays)) as client:
        return await regather_document(document.source, versions, client=client, overlays=document.overlays)


def cache_of(settings: Settings) -> Path:
    """Where conversions of documents are kept."""
    return settings.home / "cache" / "documents"


def egress_of(settings: Settings) -> "Egress":
    """Where the settings let requests go."""
    from interlock_core.http import Egress

    egress = settings.egress
    return Egress(allowed_origins=egress.allowed_origins, allow_private=egress.allow_private)


@asynccontextmanager
async def _client(egress: "Egress", written: Sequence[str]) -> "AsyncGenerator[HttpClient | None, None]":
    """A client that also reaches the origins that the operator wrote; None where no address is written."""
    addresses = [source for source in written if _is_url(source)]
    if not addresses:
        yield None
        return
    from interlock_core.http import HttpClient, origin_of

    for address in addresses:
        egress = egress.allow(origin_of(address))
    async with HttpClient(egress=egress) as client:
        yield client


def _placed(source: str, settings: Settings) -> str:
    """A path as seen from the settings' file; an address as it is."""
    return source if _is_url(source) or source.startswith(_BUILTIN) else str(settings.path(source))


def report_of(info: "DocumentInfo", overlays: Sequence[str] = ()) -> JsonObject:
    """What became of a document that was added; `problems` are those of its overlays."""
    skipped: list[Json] = [{"operation": one.operation, "reason": one.reason} for one in info.skipped]
    return {
        "namespace": info.namespace,
        "operations": info.operations,
        "converted": info.tools,
        "skipped": skipped,
        "problems": overlay_problems(info.problems, overlays),
    }


def overlay_problems(problems: "Sequence[Problem]", overlays: Sequence[str]) -> list[Json]:
    """What was tolerated in some overlays, in words."""
    return [str(problem) for problem in problems if problem.source in overlays]


def absolute_path(source: str) -> str:
    """A path that holds whatever the working folder is when it is read again; an address as it is."""
    return source if _is_url(source) else str(Path(source).absolute())


def default_namespace(source: str) -> str:
    """A namespace made of a document's file name."""
    stem = Path(source.rstrip("/").rsplit("/", 1)[-1]).stem.lower()
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in stem)
    return plain.strip("_")[:24] or "api"


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))
