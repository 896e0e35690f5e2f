"""Puts documents into a registry: those of the settings, those that are shipped, those that were added."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_runtime._documents import StoredDocument
from interlock_runtime.settings import Settings, ToolSettings

if TYPE_CHECKING:
    from interlock_core.http import Egress
    from interlock_tools import DocumentInfo, ToolRegistry

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
    from interlock_tools import DocumentOptions, builtin_document
    from interlock_tools.openapi import load_document

    origins: tuple[str, ...] = ()
    source: str | Path = entry.source
    if entry.source.startswith(_BUILTIN):
        source, origin = builtin_document(entry.source.removeprefix(_BUILTIN))
        origins = (origin,)
    elif not _is_url(entry.source):
        source = settings.path(entry.source)
    options = DocumentOptions(
        base_url=entry.base_url,
        allow=entry.allow or ("*",),
        credential=credential,
        credential_origins=origins,
        trusted=entry.trusted,
    )
    if not _is_url(entry.source):
        await registry.add(source, namespace=name, options=options)
        return
    from interlock_core.http import Egress, HttpClient, origin_of

    egress = Egress(
        allowed_origins=settings.egress.allowed_origins, allow_private=settings.egress.allow_private
    )
    client = HttpClient(egress=egress.allow(origin_of(entry.source)))
    try:
        document = await load_document(entry.source, client=client)
    finally:
        await client.aclose()
    registry.add_document(document, namespace=name, options=options)


def mount_stored(registry: "ToolRegistry", document: StoredDocument) -> "DocumentInfo":
    """Put a document that was added into a registry.

    Raises:
        InvalidRequestError: It is no OpenAPI document, or its namespace is no name or taken.
    """
    from interlock_tools import DocumentOptions
    from interlock_tools.openapi import load_text

    address = document.source if document.source.startswith(("http://", "https://")) else ""
    loaded = load_text(document.content, source=document.source, address=address)
    options = DocumentOptions(
        base_url=document.base_url,
        allow=document.allow or ("*",),
        credential=document.credential or None,
    )
    return registry.add_document(loaded, namespace=document.namespace, options=options)


async def read_source(source: str, egress: "Egress") -> bytes:
    """The bytes of a document at a path or an address that the operator wrote.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no OpenAPI document.
        UpstreamError: The address did not answer as it should.
    """
    from interlock_core import HttpRequest
    from interlock_core.http import HttpClient, origin_of
    from interlock_tools.openapi import load_document

    if not _is_url(source):
        await load_document(source)
        return await asyncio.to_thread(Path(source).read_bytes)
    client = HttpClient(egress=egress.allow(origin_of(source)))
    try:
        await load_document(source, client=client)
        return (await client.send(HttpRequest(method="GET", url=source))).body
    finally:
        await client.aclose()


def default_namespace(source: str) -> str:
    """A namespace made of a document's file name."""
    stem = Path(source.rstrip("/").rsplit("/", 1)[-1]).stem.lower()
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in stem)
    return plain.strip("_")[:24] or "api"


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))
