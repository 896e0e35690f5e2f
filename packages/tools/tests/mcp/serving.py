"""A house whose tools are served, and the official client that asks for them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    TextContent,
)

from interlock_core import (
    Approver,
    Call,
    Effect,
    File,
    HttpRequest,
    Image,
    Json,
    Prepared,
    Principal,
    Text,
    ToolCall,
    ToolCatalog,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import ApprovalDeniedError, InterlockError
from interlock_core.testing import DenyPermit, MemoryCatalog, ScriptedExecutor
from interlock_tools.mcp import Offer, ToolServer, Visit

Era: TypeAlias = Literal["legacy", "auto"]
ERAS: tuple[Era, ...] = ("legacy", "auto")

READ = ToolSpec(
    name="notes.list",
    description="Lists notes.",
    summary="List notes",
    effect=Effect.READ,
    endpoint="GET /notes",
    namespace="notes",
    responses={"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}},
)
WRITE = ToolSpec(
    name="notes.create",
    description="Creates a note.",
    effect=Effect.WRITE,
    endpoint="POST /notes",
    parameters={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    responses={"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
)
WIPE = ToolSpec(name="notes.wipe", effect=Effect.DESTRUCTIVE, endpoint="DELETE /notes", untrusted=False)
HERE = ToolSpec(name="here.now", description="Tells the time.", effect=Effect.READ, untrusted=False)
SPECS = (READ, WRITE, WIPE, HERE)


@dataclass
class House:
    """What a server stands on in these tests.

    Attributes:
        specs: The tools.
        executor: Answers calls.
        permit: What may be seen.
        wants_approval: Names of tools that a person must approve.
        visit: Who is there.
    """

    executor: ScriptedExecutor
    specs: Sequence[ToolSpec] = SPECS
    permit: DenyPermit = field(default_factory=lambda: DenyPermit("nothing"))
    wants_approval: frozenset[str] = frozenset()
    visit: Visit = field(default_factory=lambda: Visit(principal=Principal(user="alice"), key="only"))
    approver: Approver | None = None

    @contextmanager
    def asking(self, approver: Approver) -> Generator[None, None, None]:
        """Questions go to the client."""
        self.approver = approver
        yield
        self.approver = None

    async def catalog(self, patterns: Sequence[str]) -> ToolCatalog:
        """The tools."""
        return MemoryCatalog(self.specs)

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """As the executor does."""
        return await self.executor.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Ask first where it is wanted."""
        if call.name in self.wants_approval:
            request = HttpRequest(method="DELETE", url="https://notes.example/all", body=b"{}\x1b[2J")
            spec = next(spec for spec in self.specs if spec.name == call.name)
            shown = Prepared(tool=spec, arguments=call.parsed(), request=request)
            assert self.approver is not None
            answer = await self.approver.approve(context, shown)
            if not answer.granted:
                raise ApprovalDeniedError(f"Not approved: {answer.reason}.")
        return await self.executor.execute(call, context)

    def server(self) -> ToolServer:
        """The server."""
        offer = Offer(catalog=self.catalog, executor=self, permit=self.permit, asking=self.asking)
        return ToolServer(offer, visit=lambda context: self.visit)


def house(
    results: Mapping[str, str | ToolResult | InterlockError] | None = None,
    *,
    specs: Sequence[ToolSpec] = SPECS,
    permit: DenyPermit | None = None,
    wants_approval: frozenset[str] = frozenset(),
) -> House:
    """A house whose tools answer so."""
    executor = ScriptedExecutor(results or {}, tools=SPECS)
    return House(executor, specs, permit or DenyPermit("nothing"), wants_approval)


class Person:
    """The person behind a client.

    Args:
        answer: What they answer.
    """

    def __init__(self, answer: ElicitResult) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Be asked."""
        self.asked.append(params.message)
        return self.answer


@asynccontextmanager
async def client(
    of: House, era: Era = "auto", *, elicitation_callback: Person | None = None
) -> AsyncGenerator[Client, None]:
    """The official client, connected in memory."""
    sdk = of.server().sdk
    async with Client(sdk, mode=era, cache=None, elicitation_callback=elicitation_callback) as connected:
        yield connected


def answer(
    name: str,
    *content: Text | Image | File,
    structured: Json = None,
    is_error: bool = False,
    untrusted: bool = True,
) -> ToolResult:
    """A tool's answer."""
    return ToolResult(
        call_id="c",
        name=name,
        content=content,
        structured=structured,
        is_error=is_error,
        untrusted=untrusted,
    )


class OneExecutor:
    """An executor of one function."""

    def __init__(self, execute: Callable[[ToolCall, Call], Awaitable[ToolResult]]) -> None:
        self._execute = execute

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """What the function does."""
        return await self._execute(call, context)

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Nothing."""
        raise AssertionError


def text_of(result: CallToolResult) -> str:
    """The text of an answer."""
    return "".join(part.text for part in result.content if isinstance(part, TextContent))
