"""Small pieces that put off reading documents until a tool is wanted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock_core import Call, Prepared, ToolCall, ToolExecutor, ToolResult, ToolSpec
from interlock_core.errors import NotFoundError

if TYPE_CHECKING:
    from interlock_tools import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTools:
    """The documents, read.

    Attributes:
        registry: Every tool.
        executor: Makes calls, inside all guards.
        credentialed: Namespaces whose calls carry a credential.
        aclose: Closes its connections.
    """

    registry: "ToolRegistry"
    executor: ToolExecutor
    credentialed: frozenset[str]
    aclose: Callable[[], Awaitable[None]]


class ExecutorWhenWanted:
    """An executor that is made when the first call comes.

    Args:
        get: Gives the executor that makes the calls of a tool, by the tool's name.
    """

    def __init__(self, get: Callable[[str], Awaitable[ToolExecutor]]) -> None:
        self._get = get

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it."""
        return await (await self._get(call.name)).prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call."""
        return await (await self._get(call.name)).execute(call, context)


class NoTools:
    """The catalogue of a run without tools."""

    def list(self, patterns: Sequence[str] = ("*",)) -> Sequence[ToolSpec]:
        """Nothing."""
        return ()

    def get(self, name: str) -> ToolSpec:
        """Nothing.

        Raises:
            NotFoundError: Always.
        """
        raise NotFoundError(f"There is no tool {name}: this run has none.", field="name")

    def search(self, query: str, *, limit: int = 10) -> Sequence[ToolSpec]:
        """Nothing."""
        return ()
