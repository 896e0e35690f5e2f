"""What a call may do to the world, by method, by what the document says, and by the verbs in its words.

A verb can only make it graver: an API that deletes by GET is believed by its name or its summary.
"""

import re

from interlock_core.toolspec import Effect
from interlock_tools.openapi._ir import Operation
from interlock_tools.openapi._names import snake_case

_READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_METHOD_WORDS = frozenset({"get", "head", "options", "post", "put", "patch", "delete"})
_DESTROYING = frozenset(
    (
        *(
            "delete",
            "destroy",
            "purge",
            "erase",
            "wipe",
            "terminate",
            "drop",
            "remove",
            "revoke",
            "uninstall",
        ),
        *("invalidate", "redact", "unpublish", "evict", "void", "expunge", "truncate", "deregister", "kill"),
    )
)
_DESTRUCTION = frozenset(
    {"eviction", "removal", "deletion", "deletions", "revocation", "termination", "purging", "erasure"}
)
_CHANGING = frozenset(
    (
        *("create", "update", "modify", "put", "insert", "upsert", "replace", "attach", "detach", "start"),
        *("stop", "reboot", "run", "associate", "disassociate", "authorize", "allocate", "release", "add"),
        *("register", "enable", "disable", "cancel", "accept", "reject", "assign", "unassign", "set", "send"),
        *("reset", "approve", "deny", "archive", "unarchive", "publish", "push", "submit", "execute", "exec"),
        *(
            "trigger",
            "invoke",
            "grant",
            "invite",
            "join",
            "leave",
            "kick",
            "lock",
            "unlock",
            "move",
            "rename",
        ),
        *("restart", "pause", "resume", "suspend", "share", "upload", "import", "edit", "save", "write"),
        *("subscribe", "unsubscribe", "exchange", "indicate", "request", "complete", "finalize", "confirm"),
        *("close", "open", "connect", "transfer", "mark", "merge", "renew", "rotate", "generate", "issue"),
    )
)
_UNMISTAKEN = frozenset(
    (
        *("exec", "execute", "attach", "portforward", "uninstall", "revoke", "delete", "destroy", "purge"),
        *("publish", "terminate", "reboot", "request", "push", "open", "share", "update", "unsubscribe"),
        *("subscribe", "regenerate", "rotate", "reset", "disable", "enable", "cancel", "activate"),
    )
)
_LOOKING = frozenset(
    (
        *(
            "get",
            "list",
            "read",
            "search",
            "find",
            "fetch",
            "show",
            "retrieve",
            "lookup",
            "describe",
            "check",
        ),
        *("count", "view", "watch", "query", "test", "download", "info", "export", "preview", "validate"),
    )
)
_NOUNS = frozenset(
    {"open", "set", "issue", "run", "release", "lock", "request", "transfer", "share", "close", "import"}
)
_ARTICLES = frozenset({"a", "an", "the", "this", "your", "one"})
_ENABLING = frozenset({"allow", "enable", "let", "use", "used", "endpoint", "method", "api", "this"})
_GRAVE = _DESTROYING | _CHANGING
_LISTED = _GRAVE | _ENABLING
_WORDS = re.compile(r"[A-Za-z]+")
_ENABLED = re.compile(r"\bto (\w+)")
_ENDINGS = ("ing", "es", "s")


def effect_of(operation: Operation) -> Effect:
    """The effect of an operation; doubt makes it graver, never milder."""
    if operation.hint is not None:
        return operation.hint
    verbs = {_verb(operation), _said_verb(operation.summary or operation.description)}
    if operation.method in _READING:
        verbs.add(_last_verb(operation))
    else:
        verbs.add(_path_verb(operation.path, alone=not verbs & _GRAVE))
    if operation.method == "DELETE" or verbs & _DESTROYING:
        return Effect.DESTRUCTIVE
    if operation.method not in _READING or verbs & _CHANGING:
        return Effect.WRITE
    return Effect.WRITE if verbs & _UNMISTAKEN else Effect.READ


def _verb(operation: Operation) -> str:
    """The first word of the operation's id that is no method; an id that is only a noun gives that."""
    words = snake_case(operation.operation_id or "").split("_")
    if len(words) > 1 and words[0] in _METHOD_WORDS and words[0].upper() == operation.method:
        words = words[1:]
    return words[0]


def _last_verb(operation: Operation) -> str:
    """The last word of the id or, without one, of the path, where it can be nothing but a verb."""
    words = snake_case(operation.operation_id or operation.path.rpartition("/")[2]).split("_")
    looking = _LOOKING.intersection(words[:-1]) and words[-1] not in {"exec", "attach", "portforward"}
    return "" if looking or words[-1] not in _UNMISTAKEN else words[-1]


def _path_verb(path: str, *, alone: bool) -> str:
    """The verb that a path ends with, such as `/tokens/revoke`; its first word counts where no other does."""
    words = snake_case(path.rpartition("/")[2]).split("_")
    if words[-1] in _DESTRUCTION:
        return "destroy"
    return next((word for word in (words[-1], words[0] if alone else "") if word in _DESTROYING), "")


def _said_verb(text: str) -> str:
    """The verb that a summary begins with, or the one that it says is made possible."""
    words = _WORDS.findall(text[:40].lower())
    if not words:
        return ""
    first = _infinitive(words[0])
    if first in _ENABLING:
        enabled = _ENABLED.search(text[:200].lower())
        return _infinitive(enabled.group(1)) if enabled else ""
    if first in _NOUNS and first == words[0] and (len(words) < 2 or words[1] not in _ARTICLES):
        return ""
    return first


def _infinitive(word: str) -> str:
    """A verb as it is listed here: `Deletes` and `deleting` are `delete`."""
    if word in _LISTED:
        return word
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word:
            continue
        for candidate in (stem, f"{stem}e", stem[:-1]):
            if candidate in _LISTED:
                return candidate
    return word
