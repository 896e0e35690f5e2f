"""Documents are read again while the tools are in use."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock_core import Json, JsonObject, Principal, Redactor
from interlock_core.errors import InterlockError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_runtime._contracts import Contracts
from interlock_runtime._declared import Unusable
from interlock_runtime._documents import DocumentStore, StoredDocument
from interlock_runtime._mounting import (
    bundle_of,
    cache_of,
    egress_of,
    mount_stored,
    regather_stored,
    remount_declared,
    text_of,
)
from interlock_runtime.settings import Settings, ToolSettings
from interlock_security.redaction import refuse_secrets

if TYPE_CHECKING:
    from interlock_security import AuditLog
    from interlock_tools import Reload, ToolRegistry


@dataclass(frozen=True, slots=True)
class Reloading:
    """Reads the documents of a registry again.

    Attributes:
        registry: Holds their tools; calls under way keep those that they began with.
        settings: Say where requests may go.
        documents: Holds the documents that commands added.
        audit: Records what changed.
        redactor: Knows the secrets, which no document may hold.
        principal: By whom.
        unusable: Documents that could not be put in place.
        contracts: Say what is held back of a document that has changed.
    """

    registry: "ToolRegistry"
    settings: Settings
    documents: DocumentStore
    audit: "AuditLog"
    redactor: Redactor
    principal: Principal
    unusable: Mapping[str, Unusable]
    contracts: Contracts

    async def reload(
        self, namespace: str, *, declared: Mapping[str, ToolSettings], stored: Mapping[str, StoredDocument]
    ) -> JsonObject:
        """Read one document again, or all when no namespace is given; see `Tools.reload`."""
        known = [*stored, *declared]
        if namespace and namespace not in known:
            raise NotFoundError(
                f"There is no document {namespace}.",
                field="namespace",
                remedy=suggestion(namespace, known),
            )
        done: list[Json] = []
        for name in [namespace] if namespace else sorted(known):
            try:
                if name in self.unusable and name in declared:
                    raise self.unusable[name].told()
                if name in stored:
                    change = await self._stored(stored[name])
                else:
                    change = await remount_declared(self.registry, name, declared[name], self.settings)
                await self.contracts.settle(self.registry)
                done.append({**_told(change), "withheld": self.contracts.state(name)["withheld"]})
            except InterlockError as error:
                if namespace:
                    raise
                done.append({"namespace": name, "error": str(error)})
        return {"documents": done}

    async def _stored(self, document: StoredDocument) -> "Reload":
        """Read a document that was added again, keep what was read, then let it count."""
        from interlock_tools import Reload, ToolRegistry

        bundle = await regather_stored(document, egress_of(self.settings))
        before = next(info for info in self.registry.documents() if info.namespace == document.namespace)
        known = bundle_of(document)
        if bundle is None or (bundle.digest, bundle.versions) == (known.digest, known.versions):
            return Reload(info=before, added=(), changed=(), removed=())
        refuse_secrets(text_of(bundle), self.redactor, field="source")
        fresh = replace(document, content=bundle.packed())
        # Into a registry of its own first: what cannot be read is neither kept nor put in place.
        mount_stored(ToolRegistry(cache=cache_of(self.settings)), fresh)
        facts: JsonObject = {"namespace": document.namespace, "source": document.source}
        async with self.audit.change("tools.reload", self.principal, facts):
            await self.documents.put(fresh)
        return self.registry.replace(document.namespace, bundle)


def _told(change: "Reload") -> JsonObject:
    return {
        "namespace": change.info.namespace,
        "added": [*change.added],
        "changed": [*change.changed],
        "removed": [*change.removed],
        "operations": change.info.operations,
        "converted": change.info.tools,
    }
