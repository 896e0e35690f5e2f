"""The search index of each document, kept beside what became of it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from interlock_core.jsontypes import Json, dump_json
from interlock_tools.openapi._cache import DocumentCache
from interlock_tools.openapi._kept import code_version

_SEARCH = Path(__file__).parent / "retrieval"


class IndexShelf:
    """Keeps indexes in the cache of documents.

    Args:
        cache: The cache.
        key_of: Names everything that the tools of a namespace were made of; empty when that is not known.
    """

    def __init__(self, cache: DocumentCache, key_of: Callable[[str], str]) -> None:
        self._cache = cache
        self._key_of = key_of

    def get(self, key: str) -> Json:
        """The index of a namespace; None when it is not kept."""
        named = self._named(key)
        kept = self._cache.get(named) if named else None
        if kept is None:
            return None
        try:
            found: Json = json.loads(bytes(kept))
        except (ValueError, RecursionError):
            return None
        return found

    def put(self, key: str, data: Json) -> None:
        """Keep the index of a namespace, where it is known what its tools were made of."""
        named = self._named(key)
        if named:
            self._cache.put(named, dump_json(data).encode())

    def _named(self, namespace: str) -> str:
        made_of = self._key_of(namespace)
        return hashlib.sha256(f"{code_version(_SEARCH)} {made_of}".encode()).hexdigest() if made_of else ""
