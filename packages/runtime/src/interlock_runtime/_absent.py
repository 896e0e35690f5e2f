"""Why a tool is not there: its document or its server fails, or it waits for an approval."""

from collections.abc import Mapping, Sequence

from interlock_core import JsonObject
from interlock_core.errors import ApprovalDeniedError, InterlockError, UpstreamError
from interlock_core.jsontypes import as_array, as_object
from interlock_runtime._declared import Unusable


def why_absent(
    name: str, unusable: Mapping[str, Unusable], servers: Sequence[JsonObject]
) -> InterlockError | None:
    """What is to be said of a tool that is not there; None when there is simply none of that name.

    Args:
        name: The tool, or a pattern of names.
        unusable: The documents that give no tools.
        servers: What is known of the MCP servers.
    """
    namespace = name.partition(".")[0]
    if namespace in unusable:
        return unusable[namespace].told()
    for state in servers:
        if state["name"] != namespace:
            continue
        if any(as_object(entry)["name"] == name for entry in as_array(state["withheld"])):
            return ApprovalDeniedError(
                f"{name} is withheld until somebody has looked at what is said of it now.",
                field="name",
                remedy=f"See 'interlock tools show {namespace}', and approve it with "
                f"'interlock tools approve {name}'.",
            )
        if state["error"]:
            return UpstreamError(str(state["error"]))
    return None
