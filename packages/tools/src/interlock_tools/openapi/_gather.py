"""The files of a document are gathered: from a file, a folder, an archive, or a server.

Beside a file and inside an archive other JSON or YAML files are taken by relative path, from a URL other
documents of the same origin. Absolute paths and `file:` addresses are never followed, and what a document
from the network names is fetched through the guarded client only.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError, ProtocolError
from interlock_core.toolspec import HttpRequest
from interlock_tools.openapi._archive import archive_members, is_archive
from interlock_tools.openapi._bundle import DocumentBundle, Version
from interlock_tools.openapi._source import SUFFIXES, LoadLimits, Source, is_url, refused, shown_address
from interlock_tools.openapi._spread import Spread

if TYPE_CHECKING:
    from interlock_core.http import HttpClient

_MARKED = re.compile(rb"[\"']?(?:openapi|swagger)[\"']?\s*:\s*[\"']?[0-9]")
_MOST_REDIRECTS = 5
_MOST_NAMED = 10
_ACCEPTED = "application/json, application/yaml, */*;q=0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """One document of a source, or why it could not be gathered.

    Attributes:
        source: What it is called in reports.
        bundle: Its files; None when they could not be had.
        error: Why not.
    """

    source: str
    bundle: DocumentBundle | None = None
    error: InterlockError | None = None


async def gather_document(
    source: Source,
    *,
    client: "HttpClient | None" = None,
    limits: LoadLimits | None = None,
    overlays: Sequence[Source] = (),
) -> DocumentBundle:
    """The files of the one document that a source is, and its overlays, unparsed.

    Args:
        source: Path or URL. A document inside an archive is named behind a `#`: `api.zip#v1/openapi.yaml`.
        client: Fetches URLs, under its own egress rules; by default one that reaches public addresses only.
        limits: How much the document may be.
        overlays: Paths or URLs of overlays, in the order in which they are laid on.

    Raises:
        NotFoundError: There is no such file, or no document in it.
        InvalidRequestError: It cannot be read, breaks a limit, or holds several documents.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The URL did not answer as it should.
    """
    limits = limits or LoadLimits()
    found = await _from_url(str(source), client, limits) if is_url(source) else _from_path(source, limits)
    bundle = _only(found, str(source))
    read = [await read_overlay(overlay, client, limits) for overlay in overlays]
    return replace(bundle, overlays=(*bundle.overlays, *read))


async def regather_document(
    source: Source,
    versions: Mapping[str, Version],
    *,
    client: "HttpClient | None" = None,
    limits: LoadLimits | None = None,
    overlays: Sequence[Source] = (),
) -> DocumentBundle | None:
    """The files of a document that was gathered before, or None when its servers say that nothing changed.

    Args:
        source: As for `gather_document`.
        versions: What servers said of the files before.
        client: As for `gather_document`.
        limits: How much the document may be.
        overlays: As for `gather_document`. With overlays everything is read again.

    Raises:
        NotFoundError: There is no such file, or no document in it.
        InvalidRequestError: It cannot be read, breaks a limit, or holds several documents.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The URL did not answer as it should.
    """
    if not overlays and await _unchanged(versions, client, limits or LoadLimits()):
        return None
    return await gather_document(source, client=client, limits=limits, overlays=overlays)


async def gather_all(
    source: Source, *, client: "HttpClient | None", limits: LoadLimits
) -> AsyncGenerator[Gathered, None]:
    """Every document that a source holds, one after another: one of a file, all of a folder or an archive.

    Nothing is raised: what is wrong with one document is said in its place.
    """
    try:
        if is_url(source):
            bundles = await _from_url(str(source), client, limits)
        elif _is_folder(source):
            for path in _documents_in(source):
                yield _gathered_file(path, limits, Path(source))
            return
        else:
            bundles = _from_path(source, limits)
    except InterlockError as error:
        yield Gathered(source=str(source), error=error)
        return
    for bundle in bundles:
        yield Gathered(source=str(source) if len(bundles) == 1 else bundle.source, bundle=bundle)


def gather_file(path: Source, limits: LoadLimits) -> DocumentBundle:
    """The files of the one document that a file, folder or archive is.

    Raises:
        NotFoundError: There is no such file, or no document in it.
        InvalidRequestError: It cannot be read, breaks a limit, or holds several documents.
    """
    return _only(_from_path(path, limits), str(path))


def find_documents(folder: Source) -> tuple[Path, ...]:
    """Every OpenAPI document in a folder and below, sorted; other files are left alone.

    Raises:
        NotFoundError: There is no such folder.
    """
    top = Path(folder)
    if not top.is_dir():
        raise NotFoundError(
            f"There is no folder {folder}.", field=str(folder), remedy="Give the path of a folder."
        )
    return tuple(
        sorted(path for path in top.rglob("*") if path.suffix.lower() in SUFFIXES and _is_marked(path))
    )


def read_bytes(path: Path, limits: LoadLimits, *, source: str) -> bytes:
    """The bytes of a file.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is too large, or cannot be read.
    """
    try:
        if not path.is_file() and path.exists():
            raise refused(source, "is no file.", "Name a JSON or YAML file, or an archive.")
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise refused(source, f"has {size} bytes; at most {limits.max_bytes} are read.", "Split it.")
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(
            f"There is no file {source}.", field=source, remedy="Check the path, or give a URL."
        ) from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "its name is none"
        raise refused(source, f"cannot be read: {why}.", "Check its name and permissions.") from exc


# ---- files, folders, archives


def _from_path(source: Source, limits: LoadLimits) -> Sequence[DocumentBundle]:
    path, inside = _split(source)
    if path.is_dir():
        limits = replace(limits, within=limits.within or path)
        found = _documents_in(path)
        if len(found) > 1:
            raise _several(str(source), [str(each) for each in found])
        return [_near_bundle(each, read_bytes(each, limits, source=str(each)), limits) for each in found]
    data = read_bytes(path, limits, source=str(path))
    if is_archive(data):
        return _in_archive(data, str(path), path.resolve().as_uri(), inside, limits)
    if inside:
        raise _no_archive(str(path))
    return [_near_bundle(path, data, limits)]


def _is_folder(source: Source) -> bool:
    return Path(source).is_dir()


def _split(source: Source) -> tuple[Path, str]:
    """The path of a file, and that of a document inside it where one follows a `#`."""
    path = Path(source)
    outer, mark, inside = str(source).rpartition("#")
    if not mark or path.exists():
        return path, ""
    return Path(outer), inside


def _documents_in(folder: Source) -> Sequence[Path]:
    found = find_documents(folder)
    if not found:
        raise NotFoundError(
            f"There is no OpenAPI document in {folder}.", field=str(folder), remedy="Give another folder."
        )
    return found


def _gathered_file(path: Path, limits: LoadLimits, within: Path) -> Gathered:
    try:
        bounds = replace(limits, within=limits.within or within)
        bundle = _near_bundle(path, read_bytes(path, limits, source=str(path)), bounds)
        return Gathered(source=str(path), bundle=bundle)
    except InterlockError as error:
        return Gathered(source=str(path), error=error)


def _near_bundle(path: Path, data: bytes, limits: LoadLimits) -> DocumentBundle:
    """A document of a folder, with the files that it points to by relative path."""
    within = (limits.within or path.parent).resolve()

    def read(address: str) -> bytes:
        near = _near_file(address, within)
        return read_bytes(near, limits, source=str(near))

    return _followed(data, path.resolve().as_uri(), read, str(path), limits)


def _followed(
    data: bytes, uri: str, read: Callable[[str], bytes], source: str, limits: LoadLimits
) -> DocumentBundle:
    spread = Spread(data, uri, limits)
    while (address := spread.next()) is not None:
        try:
            spread.take(address, read(address))
        except InterlockError as error:
            spread.miss(address, error)
    return spread.bundle(source)


def _near_file(uri: str, within: Path) -> Path:
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc:
        raise refused(uri, "is not fetched for a file.", "Save it beside the document, by relative path.")
    if path.suffix.lower() not in SUFFIXES:
        raise refused(uri, "is no JSON or YAML file by its name.", "References go to .json or .yaml files.")
    try:
        inside = path.resolve().is_relative_to(within)
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise refused(uri, f"lies outside {within}.", "Load the document with a folder that holds both.")
    return path


def _in_archive(
    data: bytes, source: str, uri: str, inside: str, limits: LoadLimits
) -> Sequence[DocumentBundle]:
    """The documents of an archive: all of them, or the one that is named."""
    members = archive_members(data, source=source, limits=limits)
    if inside and inside not in members:
        raise NotFoundError(
            f"There is no document {inside[:200]} in {source}.",
            field=source,
            remedy=_choices(source, [name for name in members if _MARKED.search(members[name])]),
        )
    chosen = [inside] if inside else [name for name in members if _MARKED.search(members[name])]
    if not chosen:
        raise NotFoundError(
            f"There is no OpenAPI document in {source}.",
            field=source,
            remedy="Give another archive; archives inside an archive are not opened.",
        )
    files = {f"{uri}/{quote(name)}": content for name, content in members.items()}
    return [
        _followed(
            members[name],
            f"{uri}/{quote(name)}",
            lambda address: _member(address, files, source),
            f"{source}#{name}" if inside or len(chosen) > 1 else source,
            limits,
        )
        for name in chosen
    ]


def _member(address: str, files: Mapping[str, bytes], source: str) -> bytes:
    found = files.get(address) or files.get(quote(address, safe=":/%@"))
    if found is None:
        raise refused(shown_address(address), f"is no file in {source}.", "Put it into the archive.")
    return found


def _only(found: Sequence[DocumentBundle], source: str) -> DocumentBundle:
    if len(found) > 1:
        raise _several(source, [bundle.source for bundle in found])
    return found[0]


def _several(source: str, names: Sequence[str]) -> InvalidRequestError:
    return refused(source, f"holds {len(names)} OpenAPI documents.", _choices(source, names))


def _choices(source: str, names: Sequence[str]) -> str:
    shown = [name if name.startswith(source) else f"{source}#{name}" for name in names[:_MOST_NAMED]]
    more = " …" if len(names) > _MOST_NAMED else ""
    return f"Name one of them: {', '.join(shown)}{more}." if shown else "Give another archive."


def _no_archive(source: str) -> InvalidRequestError:
    return refused(source, "is no archive.", "Leave out the # and what follows it.")


def _is_marked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # The whole file: where keys are sorted, `swagger` stands behind every path.
            return _MARKED.search(file.read()) is not None
    except OSError:
        return False


# ---- servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a server answered.

    Attributes:
        address: The address after redirects.
        data: The bytes; empty when they are those that are known.
        version: What the server said of their version.
        unchanged: They are those that are known.
    """

    address: str
    data: bytes
    version: Version
    unchanged: bool = False


async def _unchanged(
    versions: Mapping[str, Version], client: "HttpClient | None", limits: LoadLimits
) -> bool:
    """Whether every file of a document is still the version that is known, asked of its servers."""
    if not versions or not all(version.etag or version.modified for version in versions.values()):
        return False
    async with _connected(client) as connected:
        for address, version in versions.items():
            if not (await fetch(address, connected, limits, known=version)).unchanged:
                return False
    return True


async def fetch(url: str, client: "HttpClient", limits: LoadLimits, known: Version | None = None) -> Fetched:
    """The bytes at a URL and its address after redirects, which never leave https.

    Raises:
        InvalidRequestError: It redirects too often, or away from https.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The server did not answer as it should.
    """
    for _ in range(_MOST_REDIRECTS + 1):
        request = HttpRequest(method="GET", url=url, headers=(("accept", _ACCEPTED), *_conditions(known)))
        response = await client.send(request, timeout_s=limits.timeout_s, max_body_bytes=limits.max_bytes)
        location = response.header("location")
        if response.status in {301, 302, 303, 307, 308} and location:
            onward = urljoin(url, location)
            if url.startswith("https://") and not onward.startswith("https://"):
                raise refused(shown_address(url), "redirects away from https.", "Give the new URL itself.")
            url = urldefrag(onward).url
            continue
        version = Version(etag=response.header("etag") or "", modified=response.header("last-modified") or "")
        if response.status == 304 and known is not None:
            return Fetched(address=url, data=b"", version=version, unchanged=True)
        if not response.ok:
            raise ProtocolError(
                f"{shown_address(url)} answered {response.status} instead of a document.",
                remedy="Check the URL.",
                vendor_status=response.status,
            )
        return Fetched(address=url, data=response.body, version=version)
    raise refused(shown_address(url), "redirects too often.", "Give the final URL.")


def _conditions(known: Version | None) -> tuple[tuple[str, str], ...]:
    if known is None:
        return ()
    named = (("if-none-match", known.etag), ("if-modified-since", known.modified))
    return tuple((name, value) for name, value in named if value)


async def read_overlay(overlay: Source, client: "HttpClient | None", limits: LoadLimits) -> tuple[str, bytes]:
    """The name and the bytes of an overlay.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It cannot be read.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The URL did not answer as it should.
    """
    if not is_url(overlay):
        return str(overlay), read_bytes(Path(overlay), limits, source=str(overlay))
    async with _connected(client) as connected:
        return shown_address(str(overlay)), (await fetch(str(overlay), connected, limits)).data


@asynccontextmanager
async def _connected(client: "HttpClient | None") -> "AsyncGenerator[HttpClient, None]":
    """The client that is given, else one that reaches public addresses only and is closed again."""
    if client is not None:
        yield client
        return
    from interlock_core.http import HttpClient

    async with HttpClient() as made:
        yield made


async def _from_url(source: str, client: "HttpClient | None", limits: LoadLimits) -> Sequence[DocumentBundle]:
    async with _connected(client) as connected:
        return await _fetched(source, connected, limits)


async def _fetched(source: str, client: "HttpClient", limits: LoadLimits) -> Sequence[DocumentBundle]:
    url, inside = urldefrag(source)
    first = await fetch(url, client, limits)
    versions = {url: first.version}
    if is_archive(first.data):
        found = _in_archive(first.data, shown_address(url), first.address, unquote(inside), limits)
        return [replace(bundle, versions=versions) for bundle in found]
    spread = Spread(first.data, first.address, limits)
    while (address := spread.next()) is not None:
        try:
            _same_origin(address, first.address)
            answer = await fetch(quote(address, safe=":/?&=%@+,;~!$'()*[]"), client, limits)
            versions[address] = answer.version
            spread.take(address, answer.data)
        except InterlockError as error:
            spread.miss(address, error)
    return [spread.bundle(shown_address(url), versions=versions)]


def _same_origin(target: str, first: str) -> None:
    if urlsplit(target)[:2] != urlsplit(first)[:2]:
        raise refused(
            shown_address(target),
            "lies on another server than the document.",
            "Bundle the document into one file.",
        )
