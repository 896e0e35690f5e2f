"""Which files a document is spread over: found in their texts, one after another, without reading any itself.

Whoever reads files (from a folder, an archive, a server) asks what is wanted next and hands it in.
"""

import json
import re
from collections.abc import Mapping

from interlock_core.errors import InterlockError
from interlock_tools.openapi._bundle import DocumentBundle, Version
from interlock_tools.openapi._source import LoadLimits, absolute

_ELSEWHERE = re.compile(
    rb"\$ref[\"']?\s*:\s*(?:[>|][-+0-9]*[ \t]*\r?\n[ \t]*)?"
    rb"(?:\"([^\"#][^\"\r\n]*)\"|'([^'#][^'\r\n]*)'|([^\"'#\s,}{\[\]>|][^\s,}]*))"
)
_SELF = re.compile(rb"^[ \t{,]*[\"']?\$self[\"']?\s*:\s*[\"']?([^\"'\s,}]+)", re.MULTILINE)
_SELF_WITHIN = 1 << 16


class Spread:
    """Follows the references of a document from file to file.

    Args:
        first: Bytes of the first file.
        uri: Its address.
        limits: How much the document may be.
    """

    def __init__(self, first: bytes, uri: str, limits: LoadLimits) -> None:
        self._limits = limits
        self._uri = uri
        self._files: dict[str, bytes] = {uri: first}
        self._missing: dict[str, str] = {}
        self._bytes = len(first)
        self._waiting: dict[str, None] = {}
        named = _SELF.search(first[:_SELF_WITHIN])
        self._self = absolute(named[1].decode("utf-8", "replace"), uri) if named else ""
        self.note(first, uri)

    def note(self, data: bytes, address: str) -> None:
        """Take in what a text at an address points to."""
        base = self._self if self._self and address == self._uri else address
        for target in pointed_to(data, base):
            near = nearby(target, self._self, self._uri)
            if near != address:
                self._waiting.setdefault(near)

    def next(self) -> str | None:
        """The address that is wanted next; None when there is none, or no room for it."""
        while self._waiting:
            target = next(iter(self._waiting))
            if target in self._files or target in self._missing:
                del self._waiting[target]
                continue
            if len(self._files) + len(self._missing) >= self._limits.max_files:
                return None
            del self._waiting[target]
            return target
        return None

    def take(self, address: str, data: bytes) -> None:
        """Hand in the bytes at an address."""
        if self._bytes + len(data) > self._limits.max_total_bytes:
            self._missing[address] = f"The document has more than {self._limits.max_total_bytes} bytes."
            return
        self._bytes += len(data)
        self._files[address] = data
        self.note(data, address)

    def miss(self, address: str, error: InterlockError) -> None:
        """Say that there is nothing to be had at an address."""
        self._missing[address] = error.message

    def bundle(
        self,
        source: str,
        *,
        overlays: tuple[tuple[str, bytes], ...] = (),
        versions: Mapping[str, Version] | None = None,
    ) -> DocumentBundle:
        """Everything that was found."""
        why = f"The document is spread over more than {self._limits.max_files} files."
        rest = {address: why for address in self._waiting if address not in self._files}
        return DocumentBundle(
            source=source,
            uri=self._uri,
            files=self._files,
            missing={**rest, **self._missing},
            overlays=overlays,
            versions=versions or {},
        )


def nearby(target: str, identity: str, address: str) -> str:
    """Where a file lies, beside the document at `address` that says it is `identity`."""
    folder = identity.rpartition("/")[0]
    if not identity or identity == address or not target.startswith(f"{folder}/"):
        return target
    return address if target == identity else absolute(target.removeprefix(f"{folder}/"), address)


def pointed_to(data: bytes, uri: str) -> tuple[str, ...]:
    """Addresses of other files that a text names in references, in the order in which it names them."""
    try:
        coding = json.detect_encoding(data[:4]) if data[:4] else "utf-8"
        text = data if coding.startswith("utf-8") else data.decode(coding).encode()
    except UnicodeDecodeError:
        return ()
    found: dict[str, None] = {}
    for names in dict.fromkeys(_ELSEWHERE.findall(text)):
        raw = b"".join(names)
        reference = raw.decode("utf-8", "replace").replace("\\/", "/").strip()
        if uri.startswith("file:") and reference.startswith(("/", "file:")):
            continue
        target = absolute(reference, uri)
        if target not in {"", uri}:
            found[target] = None
    return tuple(found)
