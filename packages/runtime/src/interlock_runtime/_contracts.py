"""Tools of documents that others can change: offered as they were approved, held back when they are others.

The rules, in this order, whenever such a document is read:

1. What came from this machine alone is the operator's own, and nothing of it is held back.
2. At the first use of a document all of its tools are approved as they are, once that is recorded.
3. A tool whose method, path, server, security and effect are those that were approved is offered.
4. Everything else, new or changed, is held back until somebody approves exactly what was shown.

A server that the operator wrote (`base_url`) is nobody else's to change, so it is not compared.

Not covered: words for the model, arguments and answers, and a server that does other things than it says.
`sha256` of a document pins all of it.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock_core import Json, JsonObject, Principal
from interlock_core.errors import ConflictError, InterlockError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_runtime._pins import Approved, StoredPins, approving

if TYPE_CHECKING:
    from interlock_runtime._toolservers import ToolServers
    from interlock_tools import Mounted, ToolDefinition, ToolRegistry

_logger = logging.getLogger("interlock.runtime")
_FACTS = ("method", "path", "server", "variables", "security", "effect")


class Contracts:
    """What the tools of documents from servers were approved as, and what is held back of them.

    Args:
        pins: What was approved.
    """

    def __init__(self, pins: StoredPins) -> None:
        self._pins = pins
        self._stamp: tuple[object, ...] = ()
        self._approved: Mapping[str, Approved] = {}
        self._stands_for: dict[str, str] = {}
        self._now: dict[str, dict[str, ToolDefinition]] = {}
        self._fixed: dict[str, bool] = {}
        self._held: dict[str, dict[str, JsonObject]] = {}
        self._told: dict[str, dict[str, str]] = {}

    async def learn(self) -> None:
        """Read what is approved by now; before documents are read.

        Raises:
            StoreError: It cannot be read.
        """
        self._stamp = await self._pins.stamp()
        self._approved = await self._pins.all()

    def review(self, made: "Mounted") -> Collection[str]:
        """The tools of a document that are held back for now; `settle` has the last word."""
        name = made.namespace
        for known in (self._stands_for, self._now, self._fixed, self._held):
            known.pop(name, None)
        if not made.remote:
            return ()
        self._stands_for[name] = stands_for = _stands_for(made)
        approved = self._approved.get(name)
        if approved is not None and approved.settled == stands_for:
            return ()
        self._fixed[name] = bool(made.options.base_url)
        self._now[name] = _definitions(made)
        return self._compare(name)

    async def settle(self, registry: "ToolRegistry") -> None:
        """Approve what is used for the first time, record what is held back, and offer the rest."""
        for name in [name for name in self._now if name not in self._approved]:
            try:
                await self._pins.pin(name, self._now[name].values(), first_use=True)
            except InterlockError as error:
                _logger.warning("the tools of %s are held back: %s", name, error.message)
        await self._look_again(registry)

    async def refresh(self, registry: "ToolRegistry") -> None:
        """Offer what other processes approved, where something is held back."""
        if any(self._held.values()) and await self._pins.stamp() != self._stamp:
            await self._look_again(registry)

    def states(self) -> list[JsonObject]:
        """Every document of which tools are held back: its `name`, and what is `withheld` and why."""
        return [self.state(name) for name, held in sorted(self._held.items()) if held]

    def state(self, name: str) -> JsonObject:
        """What is held back of one document; nothing where all of it is offered."""
        withheld: list[Json] = [entry for _, entry in sorted(self._held.get(name, {}).items())]
        return {"name": name, "error": "", "offered": [], "withheld": withheld, "refused": [], "notes": []}

    async def approve(self, registry: "ToolRegistry", name: str, shown: Sequence[tuple[str, str]]) -> None:
        """Approve tools of a document, each by its name and the fingerprint that was shown.

        Raises:
            NotFoundError: Nothing of that document is held back.
            ConflictError: A tool says something else by now; nothing is approved.
            PermissionDeniedError: Who asks may not.
        """
        held = self._held.get(name, {})
        if not held:
            raise NotFoundError(
                f"Nothing of {name[:80]} waits for an approval.",
                field="name",
                remedy=suggestion(name, [each for each, entries in self._held.items() if entries]),
            )
        definitions: list[ToolDefinition] = []
        for tool, fingerprint in shown:
            if tool not in held or held[tool]["fingerprint"] != fingerprint:
                raise ConflictError(
                    f"{tool[:120]} is not held back as it was shown.",
                    field="name",
                    remedy=f"Look at it once more: interlock tools show {name}.",
                )
            definitions.append(self._now[name][tool])
        await self._pins.pin(name, definitions, first_use=False)
        await self._look_again(registry)

    async def forget(self, name: str) -> None:
        """Forget what was approved of a document that somebody adds or takes away."""
        await self._pins.forget(name)
        self._told.pop(name, None)

    # ---- inside

    async def _look_again(self, registry: "ToolRegistry") -> None:
        await self.learn()
        mounted = {info.namespace for info in registry.documents()}
        for name in [name for name in self._now if name in mounted]:
            held = self._compare(name)
            registry.hold(name, held)
            reasons = {tool: str(entry["why"]) for tool, entry in self._held[name].items()}
            if reasons and reasons != self._told.get(name):
                _warn(name, reasons)
                await self._pins.withheld(name, reasons)
            self._told[name] = reasons
            if not held:
                await self._pins.settle(name, self._stands_for[name])

    def _compare(self, name: str) -> Collection[str]:
        """Hold what is approved against what is said now; gives what is held back."""
        from interlock_tools import difference

        approved = self._approved.get(name, Approved()).tools
        held: dict[str, JsonObject] = {}
        for tool in self._now[name]:
            known = approved.get(tool)
            now = self._now[name][tool] = self._seen(name, tool, known)
            if known is not None and known.fingerprint == now.fingerprint:
                continue
            changed = [fact for fact in _FACTS if known and known.facts.get(fact) != now.facts.get(fact)]
            held[tool] = {
                "name": tool,
                "why": f"changed: {', '.join(changed)}" if known else "new",
                "fingerprint": now.fingerprint,
                "difference": [*difference(known, now)],
            }
        self._held[name] = held
        return held.keys()

    def _seen(self, name: str, tool: str, known: "ToolDefinition | None") -> "ToolDefinition":
        """What is said of a tool now; a server that the operator wrote is the one that was approved."""
        now = self._now[name][tool]
        if known is None or not self._fixed[name]:
            return now
        kept = {key: known.facts.get(key) for key in ("server", "variables")}
        return replace(now, facts={**now.facts, **kept})


class HeldTools:
    """What waits until somebody approves it, of MCP servers and of documents alike.

    Args:
        servers: The MCP servers.
        contracts: The documents.
        registry: Gives the registry, its documents read.
    """

    def __init__(
        self,
        servers: "ToolServers",
        contracts: Contracts,
        registry: "Callable[[], Awaitable[ToolRegistry]]",
    ) -> None:
        self._servers = servers
        self._contracts = contracts
        self._registry = registry

    def states(self) -> list[JsonObject]:
        """The MCP servers that were started so far, and the documents of which tools are held back."""
        return [*self._servers.states(), *self._contracts.states()]

    async def all(self) -> list[JsonObject]:
        """As `states`, with every document read, and with what other processes approved."""
        await self._contracts.refresh(await self._registry())
        return self.states()

    async def of(self, name: str) -> JsonObject:
        """What is `withheld` of an MCP server or a document, each with why and a fingerprint."""
        if name in self._servers.names:
            return (await self._servers.check(name))[0]
        await self._contracts.refresh(await self._registry())
        return self._contracts.state(name)

    async def approve(
        self, name: str, shown: Sequence[tuple[str, str]], *, by: Principal | None = None
    ) -> None:
        """Offer tools of an MCP server or a document, each by its name and the fingerprint that was shown.

        Args:
            name: The server or the document.
            shown: What was looked at.
            by: Who asks; the user at this machine when None.

        Raises:
            NotFoundError: Nothing of that name waits.
            ConflictError: A tool says something else by now; nothing is approved.
            PermissionDeniedError: Who asks may not.
        """
        with approving(by):
            if name in self._servers.names:
                await self._servers.approve(name, shown)
                return
            await self._contracts.approve(await self._registry(), name, shown)
        for call in self._servers.changed:
            call()


def _definitions(made: "Mounted") -> "dict[str, ToolDefinition]":
    from interlock_tools import ToolDefinition, contract_of

    return {name: ToolDefinition(name, contract_of(tool)) for name, tool in made.everything.items()}


def _stands_for(made: "Mounted") -> str:
    """Changes whenever the document does, or what the operator wants of it."""
    options = made.options
    said = (made.digest, bool(options.base_url), options.allow, options.deny)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _warn(name: str, reasons: Mapping[str, str]) -> None:
    tool, why = min(reasons.items())
    _logger.warning(
        "%d tools of %s are held back, such as %s (%s): see 'interlock tools show %s'",
        *(len(reasons), name, tool, why, name),
    )
