"""OpenAPI documents that a command added: kept whole in the store, so that every replica has the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core import Json
from interlock_core.jsontypes import as_array, dump_json, parse_json
from interlock_core.store import Row, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document that was added.

    Attributes:
        namespace: Its tools are `namespace.operation`.
        source: Where it came from.
        content: The document itself.
        base_url: Address of the API in place of the document's own; empty for that.
        credential: Where its credential is, such as `env:NAME`; never the credential itself.
        allow: Patterns of the operations to offer; empty offers all.
        added_at: When, in microseconds since 1970.
        added_by: By whom.
    """

    namespace: str
    source: str
    content: bytes
    base_url: str = ""
    credential: str = ""
    allow: tuple[str, ...] = ()
    added_at: int = 0
    added_by: str = ""


class DocumentStore:
    """Keeps documents.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.clock = store.clock

    async def all(self) -> Sequence[StoredDocument]:
        """Every document, sorted by namespace."""
        rows = await self._store.fetch_all(
            "SELECT namespace, source, content, base_url, credential, allow, added_at, added_by "
            "FROM runtime_documents ORDER BY namespace"
        )
        return [_document(row) for row in rows]

    async def credentials(self) -> Sequence[str]:
        """Where the credentials of documents are, such as `env:NAME`."""
        rows = await self._store.fetch_all("SELECT credential FROM runtime_documents WHERE credential <> ''")
        return [str(reference) for (reference,) in rows]

    async def put(self, document: StoredDocument) -> None:
        """Keep a document; one of the same namespace is replaced."""
        allow: list[Json] = [*document.allow]
        await self._store.execute(
            "INSERT INTO runtime_documents "
            "(namespace, source, content, base_url, credential, allow, added_at, added_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace) DO UPDATE SET source = excluded.source, "
            "content = excluded.content, base_url = excluded.base_url, credential = excluded.credential, "
            "allow = excluded.allow, added_at = excluded.added_at, added_by = excluded.added_by",
            (
                document.namespace,
                document.source,
                document.content,
                document.base_url,
                document.credential,
                dump_json(allow),
                document.added_at,
                document.added_by,
            ),
        )

    async def remove(self, namespace: str) -> bool:
        """Forget a document; whether it was there."""
        return bool(
            await self._store.execute("DELETE FROM runtime_documents WHERE namespace = ?", (namespace,))
        )


def _document(row: Row) -> StoredDocument:
    namespace, source, content, base_url, credential, allow, added_at, added_by = row
    return StoredDocument(
        namespace=str(namespace),
        source=str(source),
        content=content if isinstance(content, bytes) else str(content).encode(),
        base_url=str(base_url),
        credential=str(credential),
        allow=tuple(str(pattern) for pattern in as_array(parse_json(str(allow)))),
        added_at=added_at if isinstance(added_at, int) else 0,
        added_by=str(added_by),
    )
