"""A document as bytes: every file that it is spread over, by address, and the overlays laid over it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools.openapi._source import is_url

_MARK = b"interlock-bundle 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a server said of the version of a file.

    Attributes:
        etag: Its `ETag`; empty when it said none.
        modified: Its `Last-Modified`; empty when it said none.
    """

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, kw_only=True)
class DocumentBundle:
    """Everything that a document is made of, before it is parsed. Equal bundles give equal tools.

    Attributes:
        source: What it was asked for by.
        uri: Absolute address of its first file; empty for a text.
        files: Bytes of each file by its address, the first one included.
        missing: Why a file that is pointed to could not be read, by its address.
        overlays: Name and bytes of each overlay, in the order in which they are laid on.
        versions: What servers said of the versions of files, by the address that was asked.
    """

    source: str
    uri: str
    files: Mapping[str, bytes] = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    overlays: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    versions: Mapping[str, Version] = field(default_factory=dict[str, Version], repr=False)

    @property
    def first(self) -> bytes:
        """The bytes of the first file."""
        return self.files[self.uri]

    @property
    def remote(self) -> bool:
        """Whether anything of it came from a server, so that others may change it."""
        return any(is_url(name) for name in (*self.files, *(name for name, _ in self.overlays)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and bytes of everything in it."""
        files = [(address, _sha256(data)) for address, data in sorted(self.files.items())]
        overlays = [(name, _sha256(data)) for name, data in self.overlays]
        parts = (self.source, self.uri, files, sorted(self.missing.items()), overlays)
        return _sha256(json.dumps(parts).encode())

    def packed(self) -> bytes:
        """The bundle as bytes, for a store; `unpacked` reads it again."""
        blobs = [*self.files.values(), *(data for _, data in self.overlays)]
        head: JsonObject = {
            "source": self.source,
            "uri": self.uri,
            "files": [[address, len(data)] for address, data in self.files.items()],
            "overlays": [[name, len(data)] for name, data in self.overlays],
            "missing": dict(self.missing),
            "versions": {
                address: [version.etag, version.modified] for address, version in self.versions.items()
            },
        }
        return b"".join((_MARK, json.dumps(head).encode(), b"\n", *blobs))

    @staticmethod
    def is_packed(data: bytes) -> bool:
        """Whether bytes are a packed bundle; the documents that older versions kept are not."""
        return data.startswith(_MARK)

    @classmethod
    def unpacked(cls, data: bytes) -> "DocumentBundle":
        """The bundle that `packed` wrote.

        Raises:
            InvalidRequestError: It is none, or damaged.
        """
        end = data.find(b"\n", len(_MARK))
        try:
            head = as_object(json.loads(data[len(_MARK) : end])) if cls.is_packed(data) and end > 0 else {}
        except (ValueError, RecursionError):
            head = {}
        source, uri = as_text(head.get("source")), as_text(head.get("uri"))
        named = [*_sizes(head.get("files")), *_sizes(head.get("overlays"))]
        if source is None or uri is None or end + 1 + sum(size for _, size in named) != len(data):
            raise _damaged()
        blobs = list(_cut(memoryview(data)[end + 1 :], named))
        count = len(_sizes(head.get("files")))
        files = dict(blobs[:count])
        if uri not in files:
            raise _damaged()
        return cls(
            source=source,
            uri=uri,
            files=files,
            missing={key: str(why) for key, why in as_object(head.get("missing")).items()},
            overlays=tuple(blobs[count:]),
            versions={key: _version(value) for key, value in as_object(head.get("versions")).items()},
        )


def _cut(data: memoryview, named: Iterable[tuple[str, int]]) -> Iterable[tuple[str, bytes]]:
    at = 0
    for name, size in named:
        yield name, bytes(data[at : at + size])
        at += size


def _sizes(value: Json) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for entry in as_array(value):
        name, size = (*as_array(entry), None, None)[:2]
        if not isinstance(name, str) or not isinstance(size, int) or size < 0:
            raise _damaged()
        found.append((name, size))
    return found


def _version(value: Json) -> Version:
    etag, modified = (*as_array(value), "", "")[:2]
    return Version(etag=str(etag), modified=str(modified))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged() -> InvalidRequestError:
    return InvalidRequestError("The stored document is damaged.", remedy="Remove it and add it anew.")
