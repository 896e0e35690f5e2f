"""One mounted server: its tools as far as they are approved, what is withheld of it, and its calls.

The rules, in this order, for each tool that the server has, whenever its tools may have changed:

1. What the operator's patterns leave out does not exist.
2. What cannot be used (its schema, its size, a name twice) is refused.
3. A tool that says exactly what was approved is offered.
4. At the first use of a server what is not suspicious is approved as it is, once, even if that is nothing.
5. Everything else, new, changed or suspicious, is withheld until the operator approves it.

Not covered: a server that does other things than it says, and says the same.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from interlock_core.call import Call
from interlock_core.errors import ConflictError, InterlockError, PermissionDeniedError, UpstreamTimeoutError
from interlock_core.jsontypes import JsonObject
from interlock_core.messages import ToolResult
from interlock_tools._definition import ToolDefinition, difference
from interlock_tools._handlers import InProcessTool
from interlock_tools.mcp._answers import result_of
from interlock_tools.mcp._connection import Connection
from interlock_tools.mcp._judgement import Judged, judged
from interlock_tools.mcp._options import MountLimits, ServerOptions
from interlock_tools.mcp._pins import PinStore

_logger = logging.getLogger("interlock.mcp")
_TWICE = "its name is there twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A tool that is not offered before the operator approves it.

    Attributes:
        name: Its name here.
        tool: The server's own name of it.
        why: `new`, `changed`, or what is suspicious about it.
        difference: Lines that say what changed against what was approved.
        fingerprint: SHA-256 of what the server says now.
    """

    name: str
    tool: str
    why: str
    difference: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountState:
    """What became of a server.

    Attributes:
        name: Its name.
        started: It was asked for its tools.
        error: Why it cannot be used; empty when it can.
        offered: Names of the tools that are offered.
        withheld: Tools that wait for an approval.
        refused: Tools that cannot be offered, with the reason.
        notes: What else a person should know.
    """

    name: str
    started: bool = False
    error: str = ""
    offered: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class MountedServer:
    """One server of the configuration.

    Args:
        name: Its name, the namespace of its tools.
        options: What the operator writes about it.
        connection: How it is spoken to.
        pins: What was approved.
        others: Gives the namespaces of everybody else.
        limits: Bounds of what it may send.
    """

    def __init__(
        self,
        name: str,
        options: ServerOptions,
        *,
        connection: Connection,
        pins: PinStore,
        others: Callable[[], Collection[str]] = tuple,
        limits: MountLimits | None = None,
    ) -> None:
        self.state = MountState(name=name)
        self._name = name
        self._options = options
        self._connection = connection
        self._pins = pins
        self._others = others
        self._limits = limits or MountLimits()
        self._checking = asyncio.Lock()
        self._checked: int | None = None
        self._offered: dict[str, Judged] = {}
        self._waiting: dict[str, Judged] = {}
        self._told: dict[str, str] = {}

    async def tools(self) -> Sequence[InProcessTool]:
        """The tools that are offered, sorted by name; the server is started when it is not running.

        Raises:
            OperatorError: The server cannot be started.
            UpstreamError: It cannot be reached, or does not say what its tools are.
        """
        await self.check()
        return [self._tool(entry) for _, entry in sorted(self._offered.items())]

    async def check(self) -> None:
        """Compare what the server says with what was approved, if that may have changed.

        Raises:
            OperatorError: The server cannot be started.
            UpstreamError: It cannot be reached, or does not say what its tools are.
        """
        async with self._checking:
            try:
                await self._connection.ready()
                while self._checked != self._connection.generation:
                    generation = self._connection.generation
                    await self._compare()
                    self._checked = generation
            except InterlockError as error:
                self.state = MountState(name=self._name, started=True, error=error.message)
                raise

    async def approve(self, shown: Sequence[Withheld]) -> None:
        """Approve tools exactly as they were shown to the operator.

        Raises:
            ConflictError: One says something else by now; nothing is approved.
            UpstreamError: The server does not say what its tools are.
        """
        await self.check()
        definitions: list[ToolDefinition] = []
        for entry in shown:
            waiting = self._waiting.get(entry.name)
            if waiting is None or waiting.definition.fingerprint != entry.fingerprint:
                raise ConflictError(
                    f"{entry.name} has changed again since it was shown.",
                    field="name",
                    remedy="Look at it once more, and mistrust the server.",
                )
            definitions.append(waiting.definition)
        await self._pins.pin(self._name, definitions, first_use=False)
        self._checked = None
        await self.check()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    # ---- what is offered

    async def _compare(self) -> None:
        definitions, left_out = await self._connection.definitions()
        await self._sort(definitions, left_out=left_out)

    async def _sort(self, definitions: Sequence[ToolDefinition], *, left_out: int) -> None:
        """Put each tool where it belongs: offered, withheld or refused."""
        found, refused = self._looked_at(definitions)
        pinned = await self._pins.pinned(self._name)
        if not pinned and not await self._pins.seen(self._name):
            # Also with nothing to approve: what comes later is no first use any more.
            first = [entry.definition for entry in found.values() if not entry.suspicious]
            await self._pins.pin(self._name, first, first_use=True)
            pinned = await self._pins.pinned(self._name)  # another process may have been first
        offered: dict[str, Judged] = {}
        withheld: dict[str, Withheld] = {}
        for name, entry in found.items():
            known = pinned.get(entry.definition.name)
            if known is not None and known.fingerprint == entry.definition.fingerprint:
                offered[name] = entry
                continue
            why = "changed" if known is not None else "new"
            if entry.suspicious:
                why += ": " + ", ".join(entry.problems)
            withheld[name] = Withheld(
                name=name,
                tool=entry.definition.name,
                why=why,
                difference=difference(known, entry.definition),
                fingerprint=entry.definition.fingerprint,
            )
            _logger.warning(
                "%s is withheld (%s): approve it with 'interlock tools approve %s'", name, why, name
            )
        self._offered = offered
        self._waiting = {name: found[name] for name in withheld}
        self.state = MountState(
            name=self._name,
            started=True,
            offered=tuple(sorted(offered)),
            withheld=tuple(withheld[name] for name in sorted(withheld)),
            refused=tuple(refused),
            notes=(f"{left_out} tools were left out: it has too many.",) if left_out else (),
        )
        reasons = {name: entry.why for name, entry in withheld.items()}
        reasons |= {name: why for name, why in refused if why == _TWICE}
        if reasons and reasons != self._told:
            await self._pins.withheld(self._name, reasons)
        self._told = reasons

    def _looked_at(
        self, definitions: Sequence[ToolDefinition]
    ) -> tuple[dict[str, Judged], list[tuple[str, str]]]:
        found: dict[str, Judged] = {}
        refused: list[tuple[str, str]] = []
        twice: set[str] = set()
        others = [name for name in self._others() if name != self._name]
        for definition in definitions:
            if not any(fnmatchcase(definition.name, pattern) for pattern in self._options.allow or ("*",)):
                continue
            entry = judged(
                definition,
                server=self._name,
                others=others,
                trusted=self._options.trusted,
                longest=self._limits.definition_chars,
            )
            if entry.refused:
                refused.append((entry.name, entry.refused))
            elif entry.name in found:
                twice.add(entry.name)
            else:
                found[entry.name] = entry
        for name in sorted(twice):  # a call goes by the name: nobody knows which of them would run
            del found[name]
            refused.append((name, _TWICE))
        return found, refused

    # ---- calls

    def _tool(self, entry: Judged) -> InProcessTool:
        assert entry.spec is not None
        approved = entry.definition.fingerprint
        spec = entry.spec

        async def run(arguments: JsonObject, context: Call) -> ToolResult:
            await self.check()
            now = self._offered.get(spec.name)
            if now is None or now.definition.fingerprint != approved:
                raise PermissionDeniedError(
                    f"The server says something else of {spec.name} than was approved, so it was not called.",
                    remedy=f"The operator sees why with 'interlock tools show {self._name}'.",
                )
            answer = await self._connection.call(
                entry.definition.name, arguments, seconds=self._seconds(context, spec.name)
            )
            return result_of(answer, spec, call_id=context.id, limits=self._limits)

        return InProcessTool(spec, run)

    def _seconds(self, context: Call, name: str) -> float:
        if context.deadline is None:
            return self._options.timeout_s
        left = context.deadline - time.monotonic()
        if left <= 0:
            raise UpstreamTimeoutError(f"There is no time left to call {name}.")
        return min(self._options.timeout_s, left)
