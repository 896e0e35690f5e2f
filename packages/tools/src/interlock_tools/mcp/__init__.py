"""The Model Context Protocol, both ways, on the official SDK (extra `mcp`).

`MountedServer` offers the tools of a server as tools of this house: described by strangers, so pinned,
checked and bounded. `ToolServer` offers the tools of this house to any client of the protocol.

Importing this package imports the SDK, which is heavy: import it where it is used.
"""

from interlock_tools._definition import ToolDefinition, difference
from interlock_tools.mcp._connection import Connection, SdkConnection
from interlock_tools.mcp._judgement import Judged, judged, local_name
from interlock_tools.mcp._mount import MountedServer, MountState, Withheld
from interlock_tools.mcp._options import INHERITED, MountLimits, ServerOptions
from interlock_tools.mcp._pins import MemoryPins, PinStore
from interlock_tools.mcp._server import Offer, ToolServer, Visit
from interlock_tools.mcp._web import PRINCIPAL, WebServer
from interlock_tools.mcp._words import Said, fit_to_show

__all__ = [
    "INHERITED",
    "PRINCIPAL",
    "Connection",
    "Judged",
    "MemoryPins",
    "MountLimits",
    "MountState",
    "MountedServer",
    "Offer",
    "PinStore",
    "Said",
    "SdkConnection",
    "ServerOptions",
    "ToolDefinition",
    "ToolServer",
    "Visit",
    "WebServer",
    "Withheld",
    "difference",
    "fit_to_show",
    "judged",
    "local_name",
]
