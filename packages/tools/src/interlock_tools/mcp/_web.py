"""The tools of this house over streamable HTTP, as an ASGI application behind whoever checks the key.

Without sessions, which is the default, every request stands for itself: any worker and any replica answers
it, nothing is kept, and a client that leaves ends what it waited for. With sessions a client of the older
form of the protocol is told of changes, asked for approvals, and can resume a stream that broke; they live in
the memory of one process, belong to the key that opened them, and are bounded in number, age and memory.

The SDK keeps the events of all sessions under the numbers of their requests, which are the same in each
session; so each session has a store of its own here.
"""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qs

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import JSONRPCMessage

from interlock_core.call import Principal
from interlock_tools.mcp._asking import Context
from interlock_tools.mcp._server import Offer, ToolServer, Visit

Scope: TypeAlias = MutableMapping[str, Any]
"""An ASGI connection scope."""

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""Gives the next event from the client."""

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""Sends an event to the client."""

PRINCIPAL = "interlock.principal"
"""Key of a scope that holds who the checked key stands for."""

_MOST_SESSIONS = 1_000
_IDLE_S = 1_800.0
_EVENTS = 128
_EVENT_BYTES = 256 * 1024
_YES = frozenset({"1", "true", "yes", "on"})


class WebServer:
    """Serves MCP over HTTP. It is opened by its first request, and closed once.

    Args:
        offer: What it stands on.
        sessions: Keep sessions.
        most_bytes: Longest request.
    """

    def __init__(self, offer: Offer, *, sessions: bool = False, most_bytes: int = 4 * 1024 * 1024) -> None:
        self._sessions = sessions
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._server = ToolServer(offer, visit=self._visit, tells_changes=sessions)
        self._manager = SessionsApart(
            app=self._server.sdk,
            stateless=not sessions,
            session_idle_timeout=_IDLE_S,
            max_request_body_size=most_bytes,
            max_sessions=_MOST_SESSIONS,
        )
        self._opening = asyncio.Lock()
        self._ready = asyncio.Event()
        self._unwanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose scope holds the principal."""
        async with self._opening:
            if self._task is None:
                self._task = asyncio.create_task(self._run())
        await self._ready.wait()
        principal = cast("Principal", scope[PRINCIPAL])
        owner = AccessToken(
            token="", client_id=principal.key_id or principal.user, scopes=[], subject=principal.user
        )
        scope["user"] = AuthenticatedUser(owner)
        await self._manager.handle_request(scope, receive, send)

    async def tell_change(self) -> None:
        """Tell every client that listens that the tools have changed."""
        await self._server.tell_change()

    def retire(self) -> None:
        """End the streams that would never end by themselves; calls under way go on."""
        self._server.listening.close()
        self._manager.let_listeners_go()

    async def aclose(self) -> None:
        """End every session and every stream. Closing twice does nothing."""
        self.retire()
        self._unwanted.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        async with self._manager.run():
            self._ready.set()
            await self._unwanted.wait()

    def _visit(self, context: Context) -> Visit:
        """Whose request it is, and what it wants to see, by its address."""
        request = context.request
        assert request is not None
        scope = cast("Scope", request.scope)
        principal = cast("Principal", scope[PRINCIPAL])
        asked = parse_qs(cast("bytes", scope["query_string"]).decode("latin-1"), keep_blank_values=True)
        session = cast("str | None", request.headers.get("mcp-session-id")) if self._sessions else None
        wanted = tuple(part for text in asked.get("tools", ()) for part in text.split(",") if part)
        search, plain = asked.get("search", [""])[-1] in _YES, asked.get("names", [""])[-1] == "plain"
        key = None if session is None else f"{principal.key_id} {session}"
        visit = self._visits.get(key) if key is not None else None
        if visit is None:
            visit = Visit(principal=principal, key=key)
        visit.principal, visit.patterns = principal, wanted or ("*",)
        visit.search, visit.plain = search, plain
        if key is not None:
            self._visits[key] = visit
            self._visits.move_to_end(key)
            while len(self._visits) > _MOST_SESSIONS:
                self._visits.popitem(last=False)
        return visit


class SessionsApart(StreamableHTTPSessionManager):
    """The SDK's manager, with a store of events for each session."""

    @property
    def event_store(self) -> EventStore | None:
        """A store that nobody else has."""
        return None if self.stateless else SessionEvents()

    def let_listeners_go(self) -> None:
        """End the streams on which sessions hear of what nobody asked for."""
        for transport in self._server_instances.values():
            transport.close_standalone_sse_stream()

    @event_store.setter
    def event_store(self, value: EventStore | None) -> None:
        """What the SDK is given is not used."""


class SessionEvents(EventStore):
    """The last events of one session, in bounded memory."""

    def __init__(self) -> None:
        self._kept: deque[tuple[str, str, JSONRPCMessage | None, int]] = deque()
        self._bytes = 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event; its id cannot be guessed."""
        event_id = secrets.token_urlsafe(12)
        size = 0 if message is None else len(message.model_dump_json(by_alias=True, exclude_unset=True))
        self._kept.append((event_id, stream_id, message, size))
        self._bytes += size
        while len(self._kept) > _EVENTS or (self._bytes > _EVENT_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[3]
        return event_id

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what came after an event on its stream; nothing when the event is not kept any more."""
        kept = list(self._kept)
        at = next((number for number, entry in enumerate(kept) if entry[0] == last_event_id), None)
        if at is None:
            return None
        stream = kept[at][1]
        for event_id, stream_id, message, _ in kept[at + 1 :]:
            if stream_id == stream and message is not None:
                await send_callback(EventMessage(message, event_id))
        return stream
