"""Documents come in: from a file, a folder, an archive, a URL, a text or an object, as JSON or YAML.

Gathering their files and parsing them are two steps: between them stands a `DocumentBundle`, bytes that can
be kept and compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json, JsonObject, as_text
from interlock_tools.openapi._bundle import DocumentBundle
from interlock_tools.openapi._gather import gather_document, gather_file
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._source import LoadLimits, Source, absolute, shown_address
from interlock_tools.openapi._spread import nearby
from interlock_tools.openapi._text import check_kind, parse

if TYPE_CHECKING:
    from interlock_core.http import HttpClient


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocument:
    """A parsed document and every file that it is spread over.

    Attributes:
        source: What it was asked for by: path, URL or name.
        uri: Absolute address of its first file; empty for an object.
        root: The first file's value, with its overlays laid over it.
        files: Value of each file by its address, the first one included.
        missing: Why a file that is pointed to could not be read, by its address.
        identities: Address of each file by what it says of itself in `$self` (3.2).
        with_ids: Addresses of the files that may hold schemas with an `$id`.
        problems: What was tolerated while reading.
        digest: SHA-256 of everything that it was read from; empty for an object.
    """

    source: str
    uri: str
    root: JsonObject = field(repr=False)
    files: Mapping[str, Json] = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    identities: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    with_ids: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    digest: str = ""


async def load_document(
    source: Source,
    *,
    client: "HttpClient | None" = None,
    limits: LoadLimits | None = None,
    overlays: Sequence[Source] = (),
) -> LoadedDocument:
    """Read a document from a file, folder, archive or URL, with everything that it points to.

    Args:
        source: Path or URL. A document inside an archive is named behind a `#`: `api.zip#v1/openapi.yaml`.
        client: Fetches URLs, under its own egress rules; by default one that reaches public addresses only.
        limits: How much the document may be.
        overlays: Paths or URLs of OpenAPI Overlays that are laid over it, in this order.

    Raises:
        NotFoundError: There is no such file, or no document in it.
        InvalidRequestError: It is no JSON or YAML, no OpenAPI document, breaks a limit, or is several
            documents; or an overlay is none or does not fit.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The URL did not answer as it should.
    """
    limits = limits or LoadLimits()
    bundle = await gather_document(source, client=client, limits=limits, overlays=overlays)
    return load_bundle(bundle, limits=limits)


def load_file(path: Source, *, limits: LoadLimits | None = None) -> LoadedDocument:
    """Read a document from a file, folder or archive, with the files that it points to by relative path.

    Raises:
        NotFoundError: There is no such file, or no document in it.
        InvalidRequestError: It is no JSON or YAML, no OpenAPI document, breaks a limit, or is several.
    """
    limits = limits or LoadLimits()
    return load_bundle(gather_file(path, limits), limits=limits)


def load_text(
    data: str | bytes, *, source: str = "document", address: str = "", limits: LoadLimits | None = None
) -> LoadedDocument:
    """Read a document from its text. It may point only into itself.

    Args:
        data: The text.
        source: What it is called in messages.
        address: The URL that it came from, if it did: relative servers are seen from there.
        limits: How much it may be.

    Raises:
        InvalidRequestError: It is no JSON or YAML, no OpenAPI document, or breaks a limit.
    """
    raw = data.encode() if isinstance(data, str) else data
    return load_bundle(DocumentBundle(source=source, uri=address, files={address: raw}), limits=limits)


def load_object(root: JsonObject, *, source: str = "document") -> LoadedDocument:
    """Take a document that is parsed already. It may point only into itself.

    Raises:
        InvalidRequestError: It is no OpenAPI document.
    """
    check_kind(root, source=source)
    return LoadedDocument(source=source, uri="", root=root, files={"": root}, with_ids=_with_ids(root, {""}))


def load_bundle(bundle: DocumentBundle, *, limits: LoadLimits | None = None) -> LoadedDocument:
    """Parse the files of a document, and lay its overlays over it.

    Raises:
        InvalidRequestError: Its first file is no JSON or YAML, no OpenAPI document, or breaks a limit; or an
            overlay is none or does not fit.
    """
    limits = limits or LoadLimits()
    first, problems = parse(bundle.first, source=bundle.source, limits=limits)
    root = check_kind(first, source=bundle.source)
    if bundle.overlays:
        from interlock_tools.openapi._overlay import overlaid

        root, noted = overlaid(root, bundle, limits)
        problems += noted
    files: dict[str, Json] = {bundle.uri: root}
    missing = dict(bundle.missing)
    for address, data in bundle.files.items():
        if address == bundle.uri:
            continue
        try:
            files[address], noted = parse(data, source=shown_address(address), limits=limits)
            problems += noted
        except InterlockError as exc:
            missing[address] = exc.message
    return LoadedDocument(
        source=bundle.source,
        uri=bundle.uri,
        root=root,
        files=files,
        missing=missing,
        identities=_identities(files, bundle.uri),
        with_ids=_with_ids(root, {address for address, data in bundle.files.items() if b"$id" in data}),
        problems=problems,
        digest=bundle.digest,
    )


def _with_ids(root: JsonObject, files: set[str]) -> frozenset[str]:
    """The files, where schemas are of a kind that has an `$id`: since 3.1."""
    version = str(root.get("openapi", ""))
    return frozenset() if version[:3] in {"", "3.0"} else frozenset(files)


def _identities(files: Mapping[str, Json], uri: str) -> dict[str, str]:
    """Address of each file by its `$self`, or by where the `$self` of the first file puts it."""
    found: dict[str, str] = {}
    for address, value in files.items():
        own = as_text(value.get("$self")) if isinstance(value, dict) else None
        identity = absolute(own, address) if own else ""
        if identity and identity != address:
            found.setdefault(identity, address)
    whole = next((identity for identity, address in found.items() if address == uri), None)
    if whole is not None:
        for address in files:
            found.setdefault(nearby(address, uri, whole), address)
    return found
