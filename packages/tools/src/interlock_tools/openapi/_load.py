"""Documents come in: from a file, a folder, a URL or an object, as JSON or YAML, within limits.

Other files that a document points to are read with it: beside a file other JSON or YAML files by
relative path, from a URL other documents of the same origin. Absolute paths and `file:` addresses are
never followed, and what a document from the network names is fetched through the guarded client only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError, ProtocolError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.toolspec import HttpRequest
from interlock_tools.openapi._problem import Problem

if TYPE_CHECKING:
    from interlock_core.http import HttpClient

Source: TypeAlias = str | Path
"""A file's path or an `http(s)` URL."""

_SUFFIXES = frozenset({".json", ".yaml", ".yml"})
_ELSEWHERE = re.compile(rb"\$ref[\"']?\s*:\s*[\"']?([^\"'#\s,}{\[\]][^\"'\s,}]*)")
_MARKED = re.compile(rb"[\"']?(?:openapi|swagger)[\"']?\s*:\s*[\"']?[0-9]")
_MARK_WITHIN = 1 << 16
_MOST_REDIRECTS = 5
_MOST_REPEATS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLimits:
    """How much a document may be.

    Attributes:
        max_bytes: Largest JSON file, in bytes.
        max_yaml_bytes: Largest YAML file, in bytes; YAML is slower to read.
        max_nodes: Most values in one YAML file, with every alias counted as what it stands for.
        max_depth: Most levels of nesting.
        max_files: Most files that one document may be spread over.
        timeout_s: Most seconds for each file that comes from a URL.
        within: Folder that references may not leave; that of the document itself by default.
    """

    max_bytes: int = 80 * 1024 * 1024
    max_yaml_bytes: int = 24 * 1024 * 1024
    max_nodes: int = 4_000_000
    max_depth: int = 5_000
    max_files: int = 256
    timeout_s: float = 30.0
    within: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocument:
    """A parsed document and every file that it is spread over.

    Attributes:
        source: What it was asked for by: path, URL or name.
        uri: Absolute address of its first file; empty for an object.
        root: The first file's value.
        files: Value of each file by its address, the first one included.
        missing: Why a file that is pointed to could not be read, by its address.
        problems: What was tolerated while reading.
        digest: SHA-256 of the first file's bytes; empty for an object.
    """

    source: str
    uri: str
    root: JsonObject = field(repr=False)
    files: Mapping[str, Json] = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    problems: tuple[Problem, ...] = ()
    digest: str = ""


def is_url(source: Source) -> bool:
    """Whether a source is an `http` or `https` URL."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


async def load_document(
    source: Source, *, client: "HttpClient | None" = None, limits: LoadLimits | None = None
) -> LoadedDocument:
    """Read a document from a file or a URL, with everything that it points to.

    Args:
        source: Path or URL.
        client: Fetches URLs, under its own egress rules; by default one that reaches public addresses only.
        limits: How much the document may be.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no JSON or YAML, no OpenAPI document, or breaks a limit.
        EgressRefusedError: The URL may not be reached.
        UpstreamError: The URL did not answer as it should.
    """
    limits = limits or LoadLimits()
    if not is_url(source):
        return load_file(source, limits=limits)
    if client is not None:
        return await _load_url(str(source), client, limits)
    from interlock_core.http import HttpClient

    client = HttpClient()
    try:
        return await _load_url(str(source), client, limits)
    finally:
        await client.aclose()


def load_file(path: Source, *, limits: LoadLimits | None = None) -> LoadedDocument:
    """Read a document from a file, with the files that it points to by relative path.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no JSON or YAML, no OpenAPI document, or breaks a limit.
    """
    limits = limits or LoadLimits()
    first = Path(path)
    data = _read(first, limits, source=str(path))
    uri = first.resolve().as_uri()
    document = _parsed(data, source=str(path), uri=uri, limits=limits)
    waiting = _pointed_to(data, uri)
    files = dict(document.files)
    missing: dict[str, str] = {}
    within = (limits.within or first.parent).resolve()
    while waiting and len(files) + len(missing) < limits.max_files:
        target = waiting.pop()
        if target in files or target in missing:
            continue
        try:
            near = _near_file(target, within)
            data = _read(near, limits, source=str(near))
            files[target], _ = parse(data, source=str(near), limits=limits)
            waiting |= _pointed_to(data, target)
        except InterlockError as exc:
            missing[target] = exc.message
    return replace(document, files=files, missing=_with_rest(missing, waiting, limits))


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
    return _parsed(raw, source=source, uri=address, limits=limits or LoadLimits())


def load_object(root: JsonObject, *, source: str = "document") -> LoadedDocument:
    """Take a document that is parsed already. It may point only into itself.

    Raises:
        InvalidRequestError: It is no OpenAPI document.
    """
    check_kind(root, source=source)
    return LoadedDocument(source=source, uri="", root=root, files={"": root})


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
    return tuple(sorted(path for path in top.rglob("*") if path.suffix in _SUFFIXES and _is_marked(path)))


def parse(data: bytes, *, source: str, limits: LoadLimits) -> tuple[Json, tuple[Problem, ...]]:
    """The value of a JSON or YAML text and what was tolerated in it.

    Raises:
        InvalidRequestError: It is neither, or breaks a limit.
    """
    text = _decoded(data, source=source)
    json_error = ""
    if text.lstrip()[:1] in {"{", "["}:
        repeats: list[str] = []
        try:
            return _json(text, repeats), tuple(_repeat(source, key) for key in repeats)
        except ValueError as exc:
            json_error = str(exc)
        except RecursionError:
            return _deep(text, source=source, limits=limits), ()
    from interlock_tools.openapi._yaml import YamlError, parse_yaml

    if len(data) > limits.max_yaml_bytes:
        raise _refused(
            source,
            f"is not JSON, and as YAML larger than {limits.max_yaml_bytes} bytes.",
            "Convert it to JSON.",
        )
    try:
        value, notes = parse_yaml(text, max_nodes=limits.max_nodes, max_depth=limits.max_depth)
    except YamlError as exc:
        why = f"is no JSON: {json_error}" if json_error else f"is neither JSON nor YAML: {exc}"
        raise _refused(source, why, "Mend the text at that place.") from exc
    return value, tuple(Problem(source=source, pointer="", message=note) for note in notes)


def check_kind(root: Json, *, source: str) -> JsonObject:
    """The value as the root of an OpenAPI document.

    Raises:
        InvalidRequestError: It is none, or of a version that is not read.
    """
    if not isinstance(root, dict):
        raise _refused(source, "is no object.", "An OpenAPI document is one object with `openapi: 3.…`.")
    version = root.get("openapi", root.get("swagger"))
    if version is None:
        said = (
            "says `swaggerVersion`, which is"
            if "swaggerVersion" in root
            else "has no `openapi` key, so it is"
        )
        raise _refused(source, f"{said} no OpenAPI 3 or Swagger 2.0 document.", "Convert it to OpenAPI 3.")
    if not str(version).startswith(("2", "3.")) and str(version) != "3":
        raise _refused(source, f"is of version {str(version)[:20]}.", "Versions 2.0 and 3.0 to 3.2 are read.")
    return root


def _parsed(data: bytes, *, source: str, uri: str, limits: LoadLimits) -> LoadedDocument:
    import hashlib

    value, problems = parse(data, source=source, limits=limits)
    root = check_kind(value, source=source)
    digest = hashlib.sha256(data).hexdigest()
    return LoadedDocument(
        source=source, uri=uri, root=root, files={uri: root}, problems=problems, digest=digest
    )


def _deep(text: str, *, source: str, limits: LoadLimits) -> Json:
    """JSON that is nested deeper than the standard parser goes."""
    from interlock_tools.openapi._deep_json import parse_deep_json

    try:
        return parse_deep_json(text, max_depth=limits.max_depth)
    except ValueError as exc:
        raise _refused(source, f"is no JSON: {exc}", "Flatten or mend it.") from exc


def _json(text: str, repeats: list[str]) -> Json:
    import json

    def build(pairs: list[tuple[str, Json]]) -> JsonObject:
        value = dict(pairs)
        if len(value) != len(pairs) and len(repeats) < _MOST_REPEATS:
            seen: set[str] = set()
            repeats.extend(key for key, _ in pairs if key in seen or seen.add(key))
        return value

    value: Json = json.loads(text, object_pairs_hook=build, parse_constant=str)
    return value


def _repeat(source: str, key: str) -> Problem:
    return Problem(
        source=source,
        pointer="",
        message=f"The key {key[:80]!r} is written twice in one object; the last one counts.",
        remedy="Remove one of them.",
    )


def _decoded(data: bytes, *, source: str) -> str:
    import json

    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        text = data.decode(json.detect_encoding(data[:4]) if data[:4] else "utf-8")
    except UnicodeDecodeError as exc:
        raise _refused(source, "is no text: it is not UTF-8.", "Save it as UTF-8.") from exc
    if "\0" in text[:_MARK_WITHIN]:
        raise _refused(source, "is a binary file.", "Give a JSON or YAML text.")
    return text


def _read(path: Path, limits: LoadLimits, *, source: str) -> bytes:
    try:
        if path.is_dir():
            raise _refused(source, "is a folder.", "Name a file in it, or add every document of the folder.")
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _refused(source, f"has {size} bytes; at most {limits.max_bytes} are read.", "Split it.")
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(
            f"There is no file {source}.", field=source, remedy="Check the path, or give a URL."
        ) from exc
    except OSError as exc:
        raise _refused(source, f"cannot be read: {exc.strerror}.", "Check its permissions.") from exc
    return data


def _is_marked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # The whole file: where keys are sorted, `swagger` stands behind every path.
            return _MARKED.search(file.read()) is not None
    except OSError:
        return False


def _pointed_to(data: bytes, uri: str) -> set[str]:
    """Addresses of other files that a text names in references."""
    found: set[str] = set()
    for raw in set(_ELSEWHERE.findall(data)):
        reference = raw.decode("utf-8", "replace").replace("\\/", "/")
        if uri.startswith("file:") and reference.startswith(("/", "file:")):
            continue
        target = absolute(reference, uri)
        if target not in {"", uri}:
            found.add(target)
    return found


def absolute(reference: str, base: str) -> str:
    """Address of the file that a reference names, seen from the file at `base`; empty when there is none."""
    try:
        return urldefrag(urljoin(base, reference)).url
    except ValueError:
        return ""


def _near_file(uri: str, within: Path) -> Path:
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc:
        raise _refused(uri, "is not fetched for a file.", "Save it beside the document, by relative path.")
    if path.suffix.lower() not in _SUFFIXES:
        raise _refused(uri, "is no JSON or YAML file by its name.", "References go to .json or .yaml files.")
    if not path.resolve().is_relative_to(within):
        raise _refused(uri, f"lies outside {within}.", "Load the document with a folder that holds both.")
    return path


async def _load_url(source: str, client: "HttpClient", limits: LoadLimits) -> LoadedDocument:
    uri, data = await _fetch(source, client, limits)
    document = _parsed(data, source=shown_address(source), uri=uri, limits=limits)
    waiting = _pointed_to(data, uri)
    files = dict(document.files)
    missing: dict[str, str] = {}
    while waiting and len(files) + len(missing) < limits.max_files:
        target = waiting.pop()
        if target in files or target in missing:
            continue
        try:
            _same_origin(target, uri)
            _, data = await _fetch(target, client, limits)
            files[target], _ = parse(data, source=shown_address(target), limits=limits)
            waiting |= _pointed_to(data, target)
        except InterlockError as exc:
            missing[target] = exc.message
    return replace(document, files=files, missing=_with_rest(missing, waiting, limits))


async def _fetch(url: str, client: "HttpClient", limits: LoadLimits) -> tuple[str, bytes]:
    """The bytes at a URL and its address after redirects, which never leave https."""
    for _ in range(_MOST_REDIRECTS + 1):
        request = HttpRequest(
            method="GET", url=url, headers=(("accept", "application/json, application/yaml, */*;q=0.5"),)
        )
        response = await client.send(request, timeout_s=limits.timeout_s, max_body_bytes=limits.max_bytes)
        location = response.header("location")
        if response.status in {301, 302, 303, 307, 308} and location:
            onward = urljoin(url, location)
            if url.startswith("https://") and not onward.startswith("https://"):
                raise _refused(shown_address(url), "redirects away from https.", "Give the new URL itself.")
            url = urldefrag(onward).url
            continue
        if not response.ok:
            raise ProtocolError(
                f"{shown_address(url)} answered {response.status} instead of a document.",
                remedy="Check the URL.",
                vendor_status=response.status,
            )
        return url, response.body
    raise _refused(shown_address(url), "redirects too often.", "Give the final URL.")


def _same_origin(target: str, first: str) -> None:
    if urlsplit(target)[:2] != urlsplit(first)[:2]:
        raise _refused(
            shown_address(target),
            "lies on another server than the document.",
            "Bundle the document into one file.",
        )


def _with_rest(missing: dict[str, str], waiting: set[str], limits: LoadLimits) -> dict[str, str]:
    rest = dict.fromkeys(waiting, f"The document is spread over more than {limits.max_files} files.")
    return {**rest, **missing}


def shown_address(url: str) -> str:
    """An address for messages: a URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _refused(source: str, why: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"{source} {why}", field=source, remedy=remedy)
