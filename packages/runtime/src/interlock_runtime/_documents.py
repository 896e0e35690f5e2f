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
        content: The document itself with every file that it is spread over, packed; of older versions the
            bytes of its one file.
        base_url: Address of the API in place of the document's own; empty for that.
        credential: Where its credential is, such as `env:NAME`; never the credential itself.
        allow: Patterns of the operations to offer; empty offers all.
        overlays: Where the overlays come from that lie over it.
        added_at: When, in microseconds since 1970.
        added_by: By whom.
    """

    namespace: str
    source: str
    content: bytes
    base_url: str = ""
    credential: str = ""
    allow: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    added_at: int = 0
    added_by: str = ""


class DocumentStore:
    """Keeps documents.

    Args:
        store: The database.

    Attributes:
        store: The database.
        clock: Its clock.
    """

    def __init__(self, store: Store) -> None:
        self.store = self._store = store
        self.clock = store.clock

    async def all(self) -> Sequence[StoredDocument]:
        """Every document, sorted by namespace."""
        rows = await self._store.fetch_all(
            "SELECT namespace, source, content, base_url, credential, allow, overlays, "
            "added_at, added_by FROM runtime_documents ORDER BY namespace"
        )
        return [_document(row) for row in rows]

    async def credentials(self) -> dict[str, str]:
        """Where the credentials of documents are, such as `env:NAME`, by the setting that each stands for."""
        rows = await self._store.fetch_all(
            "SELECT namespace, credential FROM runtime_documents WHERE credential <> ''"
        )
        return {credential_of(str(name)): str(reference) for name, reference in rows}

    async def put(self, document: StoredDocument) -> None:
        """Keep a document; one of the same namespace is replaced."""
        allow: list[Json] = [*document.allow]
        overlays: list[Json] = [*document.overlays]
        await self._store.execute(
            "INSERT INTO runtime_documents "
            "(namespace, source, content, base_url, credential, allow, overlays, added_at, added_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace) DO UPDATE SET "
            "source = excluded.source, content = excluded.content, base_url = excluded.base_url, "
            "credential = excluded.credential, allow = excluded.allow, overlays = excluded.overlays, "
            "added_at = excluded.added_at, added_by = excluded.added_by",
            (
                document.namespace,
                document.source,
                document.content,
                document.base_url,
                document.credential,
                dump_json(allow),
                dump_json(overlays),
                document.added_at,
                document.added_by,
            ),
        )

    async def remove(self, namespace: str) -> bool:
        """Forget a document; whether it was there."""
        return bool(
            await self._store.execute("DELETE FROM runtime_documents WHERE namespace = ?", (namespace,))
        )


def credential_of(namespace: str) -> str:
    """The setting that an added document's credential stands for."""
    return f"tools.{namespace}.added.credential"


def _document(row: Row) -> StoredDocument:
    namespace, source, content, base_url, credential, allow, overlays, added_at, added_by = row
    return StoredDocument(
        namespace=str(namespace),
        source=str(source),
        content=content if isinstance(content, bytes) else str(content).encode(),
        base_url=str(base_url),
        credential=str(credential),
        allow=_texts(allow),
        overlays=_texts(overlays),
        added_at=added_at if isinstance(added_at, int) else 0,
        added_by=str(added_by),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(text) for text in as_array(parse_json(str(value))))
