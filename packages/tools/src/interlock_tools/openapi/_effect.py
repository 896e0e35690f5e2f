"""What a call may do to the world, by method, by what the document says, and by the verb in its name.

The verb can only make it graver: an API that deletes by GET is believed by its name.
"""

from interlock_core.toolspec import Effect
from interlock_tools.openapi._ir import Operation
from interlock_tools.openapi._names import snake_case

_READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_METHOD_WORDS = frozenset({"get", "head", "options", "post", "put", "patch", "delete"})
_DESTROYING = frozenset({"delete", "destroy", "purge", "erase", "wipe", "terminate", "drop", "remove"})
_CHANGING = frozenset(
    (
        *("create", "update", "modify", "put", "insert", "upsert", "replace", "attach", "detach", "start"),
        *("stop", "reboot", "run", "associate", "disassociate", "authorize", "revoke", "allocate", "release"),
        *("register", "deregister", "enable", "disable", "cancel", "accept", "reject", "assign", "unassign"),
        *("send", "reset"),
    )
)


def effect_of(operation: Operation) -> Effect:
    """The effect of an operation; doubt makes it graver, never milder."""
    if operation.hint is not None:
        return operation.hint
    verb = _verb(operation)
    if operation.method == "DELETE" or verb in _DESTROYING:
        return Effect.DESTRUCTIVE
    if operation.method not in _READING:
        return Effect.WRITE
    return Effect.WRITE if verb in _CHANGING else Effect.READ


def _verb(operation: Operation) -> str:
    """The first word of the operation's id that is no method; an id that is only a noun gives that."""
    words = snake_case(operation.operation_id or "").split("_")
    if len(words) > 1 and words[0] in _METHOD_WORDS and words[0].upper() == operation.method:
        words = words[1:]
    return words[0]
