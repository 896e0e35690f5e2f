"""The tools of this house as an MCP server: what a visitor may use, called through the guards of any call.

A model on the other side decides on every call, so each is made as an agent and for the user behind it: both
must be permitted. What untrusted tools answered taints the rest of the visit.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import anyio
from mcp import MCPError, ServerSession
from mcp.server import NotificationOptions
from mcp.server.lowlevel import Server
from mcp.server.models import InitializationOptions
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from interlock_core.call import Call, CallKind, Principal, Taint
from interlock_core.errors import (
    EgressRefusedError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OperatorError,
    PermissionDeniedError,
    RefusedError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import Json, JsonObject, as_int, as_object, as_text, dump_json
from interlock_core.messages import ToolCall
from interlock_core.nearest import suggestion
from interlock_core.protocols import Approver, Permit, ToolCatalog, ToolExecutor
from interlock_core.toolspec import ToolSpec
from interlock_tools.mcp._asking import AskFirstError, ClientApprover, Context
from interlock_tools.mcp._listing import described, hints, page_of, plain_name, rooted
from interlock_tools.mcp._told import told_error, told_result

_logger = logging.getLogger("interlock.mcp")
_FOUND = 8
_MOST_FOUND = 50
_SESSIONS = 1_000
_FIND: JsonObject = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What the tool shall do, in a few words."},
        "limit": {"type": "integer", "minimum": 1, "maximum": _MOST_FOUND, "default": _FOUND},
    },
    "required": ["query"],
}
_CALL: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Name of a tool that find_tools gave."},
        "arguments": {"type": "object", "description": "Its arguments, by its inputSchema."},
    },
    "required": ["name"],
}
_FIND_TOOL = Tool(
    name="find_tools",
    description="Find tools by what they do. Gives their names, descriptions and inputSchemas, best first.",
    input_schema=dict(_FIND),
    annotations=ToolAnnotations(title="Find tools", read_only_hint=True, open_world_hint=False),
)
_CALL_TOOL = Tool(
    name="call_tool",
    description="Call a tool that find_tools gave, with arguments that fit its inputSchema.",
    input_schema=dict(_CALL),
    annotations=ToolAnnotations(title="Call a tool", read_only_hint=False, destructive_hint=True),
)


@dataclass(slots=True, kw_only=True)
class Visit:
    """One client for as long as it is known to be the same.

    Attributes:
        principal: Who stands behind it.
        agent: What its model is called when permissions are asked.
        run: Id under which its calls are recorded.
        patterns: Tools that it wants to see.
        search: Whether it is given `find_tools` and `call_tool` in place of every tool.
        plain: Whether names have no dots.
        key: Tells visits apart where a server has several; None where nothing is remembered.
        taint: Untrusted sources that it has heard.
    """

    principal: Principal
    agent: str = "mcp"
    run: str = field(default_factory=lambda: new_id("run"))
    patterns: tuple[str, ...] = ("*",)
    search: bool = False
    plain: bool = False
    key: str | None = None
    taint: list[Taint] = field(default_factory=list[Taint])


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server stands on.

    Attributes:
        catalog: Gives the tools that fit some patterns.
        executor: Makes calls, inside all guards.
        permit: Says which tools a visitor may use.
        asking: The context in which questions go to an approver.
    """

    catalog: Callable[[Sequence[str]], Awaitable[ToolCatalog]]
    executor: ToolExecutor
    permit: Permit
    asking: Callable[[Approver], AbstractContextManager[None]]


class ToolServer:
    """An MCP server over a catalogue and an executor.

    Args:
        offer: What it stands on.
        visit: Says whose request it is.
        tells_changes: Whether a client of the older form of the protocol is told when tools change: only
            where its connection stays.
    """

    def __init__(
        self, offer: Offer, *, visit: Callable[[Context], Visit], tells_changes: bool = True
    ) -> None:
        self._offer = offer
        self._visit = visit
        self._bus = InMemorySubscriptionBus()
        self._sessions: OrderedDict[str, ServerSession] = OrderedDict()
        self.listening = ListenHandler(self._bus, max_subscriptions=_SESSIONS)
        self.sdk = _ChangingServer(
            self.list_tools, self.call_tool, self.listening, tells_changes=tells_changes
        )

    async def serve_stdio(self) -> None:
        """Serve one client over standard input and output until it leaves."""
        async with stdio_server() as (read, write):
            await self.sdk.run(read, write, self.sdk.create_initialization_options())

    async def tell_change(self) -> None:
        """Tell every client that listens that the tools have changed."""
        await self._bus.publish(ToolsListChanged())
        for key, session in list(self._sessions.items()):
            try:
                await session.send_tool_list_changed()
            except (MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError):
                self._sessions.pop(key, None)

    async def list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """Answer `tools/list`: one page of what the visitor may use."""
        visit = self._visit(context)
        self._remember(context, visit)
        if visit.search:
            return ListToolsResult(tools=[_FIND_TOOL, _CALL_TOOL])
        try:
            specs = await self._permitted(visit)
            page, cursor = page_of(specs, params.cursor if params is not None else None)
        except InterlockError as error:
            raise _refusal(error) from error
        return ListToolsResult(
            tools=[described(spec, plain=visit.plain) for spec in page], next_cursor=cursor
        )

    async def call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Answer `tools/call`: what goes wrong is a result, an unknown tool an error of the protocol."""
        visit = self._visit(context)
        self._remember(context, visit)
        arguments: JsonObject = dict(params.arguments or {})
        try:
            if visit.search and params.name == _FIND_TOOL.name:
                return await self._found(visit, arguments)
            name = params.name
            if visit.search and name == _CALL_TOOL.name:
                name, arguments = _asked(arguments)
            return await self._answered(context, visit, name, arguments, params)
        except AskFirstError as asked:
            return asked.question
        except NotFoundError as error:
            raise _refusal(error) from error
        except OperatorError as error:
            _logger.warning("a call of %s could not be made: %s", params.name[:80], error)
            return told_error(type(error)("This server is not able to do that just now; its log says why."))
        except InterlockError as error:
            return told_error(error)
        except Exception as error:
            _logger.exception("a call of %s failed", params.name[:80])
            raise MCPError(INTERNAL_ERROR, "Interlock itself failed; its log says why.") from error

    # ---- inside

    async def _permitted(self, visit: Visit) -> list[ToolSpec]:
        catalog = await self._offer.catalog(visit.patterns)
        return [spec for spec in catalog.list(visit.patterns) if self._may(visit, spec)]

    def _may(self, visit: Visit, spec: ToolSpec) -> bool:
        return self._offer.permit.may(_call(visit, spec)).allowed

    async def _named(self, visit: Visit, name: str) -> ToolSpec:
        """A tool by its name, with dots or without.

        Raises:
            NotFoundError: There is none, or the visitor did not want to see it.
        """
        catalog = await self._offer.catalog(visit.patterns)
        specs = catalog.list(visit.patterns)
        found = next((spec for spec in specs if spec.name == name), None)
        found = found or next((spec for spec in specs if plain_name(spec.name) == name), None)
        if found is None:
            raise await self._unknown(visit, name)
        return found

    async def _unknown(self, visit: Visit, name: str) -> NotFoundError:
        """What is told of a name that means nothing to the visitor."""
        return NotFoundError(
            f"The tool {name} is not among those that were asked for.",
            field="name",
            remedy=suggestion(name, [spec.name for spec in await self._permitted(visit)]),
        )

    async def _answered(
        self,
        context: Context,
        visit: Visit,
        name: str,
        arguments: JsonObject,
        params: CallToolRequestParams,
    ) -> CallToolResult:
        """Call a tool by its name; one that the visitor may never use is told like one that is not there.

        Raises:
            NotFoundError: There is none, or none that the visitor may use, whatever the arguments.
        """
        spec = await self._named(visit, name)
        try:
            return await self._called(context, visit, spec, arguments, params)
        except PermissionDeniedError as error:
            # The guard has recorded the refusal. Its reason is told where it hangs on this very call.
            bare = self._offer.permit.may(_call(replace(visit, taint=[]), spec))
            if bare.allowed or bare.reason != error.message:
                raise
            raise await self._unknown(visit, name) from error

    async def _found(self, visit: Visit, arguments: JsonObject) -> CallToolResult:
        """The tools that fit a query, as a model needs them to call one."""
        query = as_text(arguments.get("query")) or ""
        limit = max(1, min(as_int(arguments.get("limit")) or _FOUND, _MOST_FOUND))
        catalog = await self._offer.catalog(visit.patterns)
        seen = {spec.name for spec in catalog.list(visit.patterns)}
        best = [
            spec
            for spec in catalog.search(query, limit=4 * limit)
            if spec.name in seen and self._may(visit, spec)
        ]
        found: list[Json] = [_entry(spec) for spec in best[:limit]]
        shown: JsonObject = {"tools": found}
        return CallToolResult(content=[TextContent(text=dump_json(shown))], structured_content=shown)

    async def _called(
        self,
        context: Context,
        visit: Visit,
        spec: ToolSpec,
        arguments: JsonObject,
        params: CallToolRequestParams,
    ) -> CallToolResult:
        call = _call(visit, spec, arguments)
        asked = ToolCall(id=call.id, name=spec.name, arguments=dump_json(arguments))
        approver = ClientApprover(context, answers=params.input_responses, state=params.request_state)
        if self._may(visit, spec):
            await context.session.report_progress(0.0, 1.0, f"{spec.name} is called")
        untrusted = spec.untrusted  # also where an error is raised that may quote the other side
        try:
            with self._offer.asking(approver):
                result = await self._offer.executor.execute(asked, call)
            untrusted = result.untrusted
        except RefusedError as error:
            # Our own words, but for an address that the other side may have sent on to.
            untrusted = untrusted and isinstance(error, EgressRefusedError)
            raise
        finally:
            if untrusted:
                visit.taint.append(Taint(source=spec.name, call_id=call.id))
                del visit.taint[:-_FOUND]
        await context.session.report_progress(1.0, 1.0, f"{spec.name} has answered")
        return told_result(result, spec)

    def _remember(self, context: Context, visit: Visit) -> None:
        """Remember where a change of the tools can be told."""
        if visit.key is None or not context.session.can_send_request:
            return
        self._sessions[visit.key] = context.session
        self._sessions.move_to_end(visit.key)
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)


class _ChangingServer(Server[dict[str, object]]):
    """The SDK's server, which says by itself whether it tells of changes."""

    def __init__(
        self,
        list_tools: Callable[[Context, PaginatedRequestParams | None], Awaitable[ListToolsResult]],
        call_tool: Callable[
            [Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]
        ],
        listening: ListenHandler,
        *,
        tells_changes: bool,
    ) -> None:
        super().__init__(
            "interlock",
            version="0.1.0",
            title="Interlock",
            on_list_tools=list_tools,
            on_call_tool=call_tool,
            on_subscriptions_listen=listening,
        )
        self.middleware.clear()  # traces of the SDK's own
        self._changes = NotificationOptions(tools_changed=tells_changes)

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, object]] | None = None,
        extensions: dict[str, dict[str, object]] | None = None,
    ) -> InitializationOptions:
        return super().create_initialization_options(
            notification_options or self._changes, experimental_capabilities, extensions
        )


def _call(visit: Visit, spec: ToolSpec, arguments: JsonObject | None = None) -> Call:
    """The guarded call: made by a model, for the user behind it."""
    return Call(
        id=new_id("call"),
        kind=CallKind.TOOL,
        name=spec.name,
        principal=visit.principal,
        agent=visit.agent,
        run=visit.run,
        effect=spec.effect,
        category=spec.category,
        taint=tuple(visit.taint),
        arguments=arguments,
        trace_id=visit.run,
    )


def _asked(arguments: JsonObject) -> tuple[str, JsonObject]:
    """The tool that `call_tool` is to call, and its arguments.

    Raises:
        InvalidRequestError: No tool is named.
    """
    name = as_text(arguments.get("name"))
    if not name:
        raise InvalidRequestError(
            "name is required.", field="name", remedy="Give the name of a tool that find_tools gave."
        )
    return name, as_object(arguments.get("arguments"))


def _entry(spec: ToolSpec) -> JsonObject:
    return {
        "name": spec.name,
        "description": spec.description,
        "effect": spec.effect,
        "inputSchema": rooted(spec.parameters),
        "annotations": hints(spec).model_dump(by_alias=True, mode="json", exclude_none=True),
    }


def _refusal(error: InterlockError) -> MCPError:
    code = INVALID_PARAMS if isinstance(error, InvalidRequestError | NotFoundError) else INTERNAL_ERROR
    return MCPError(code, str(error), {"code": error.code})
