"""Keys under which an API does something once only, however often it is asked: one for each call.

A document that declares such a parameter gets it filled with a key made of the run, the call and its
arguments, so that a repetition, by the same process or by one that takes up a broken run, has the same.
"""

import hashlib

from interlock_core.call import Call
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_core.messages import ToolCall
from interlock_tools.openapi._convert import OpenApiTool

_HEADERS = frozenset({"idempotencykey", "xidempotencykey", "paypalrequestid"})
_IN_BODY = frozenset({"idempotencykey"})


def keyed_argument(tool: OpenApiTool) -> str | None:
    """The argument that takes an idempotency key; None when the document declares none."""
    if tool.plan.operation.method in {"GET", "HEAD", "OPTIONS"}:
        return None
    for slot in tool.plan.slots:
        if slot.parameter.location in {"header", "query"} and _plain(slot.parameter.name) in _HEADERS:
            return slot.argument
    body = tool.plan.body
    for argument, name in body.properties if body is not None else ():
        if _plain(name) in _IN_BODY:
            return argument
    return None


def with_key(tool: OpenApiTool, arguments: JsonObject, call: ToolCall, context: Call) -> JsonObject:
    """The arguments, with an idempotency key where the document takes one and none was given.

    Where its schema takes none of the forms that keys have here, they stay as they are.
    """
    argument = keyed_argument(tool)
    if argument is None or is_keyed(tool, arguments):
        return arguments
    given = context.idempotency_key
    before = set(tool.validator.problems(arguments))
    for key in (*([given] if given else []), *_keys(given or _told(call, context, arguments))):
        filled: JsonObject = {**arguments, argument: key}
        if before.issuperset(tool.validator.problems(filled)):
            return filled
    return arguments


def is_keyed(tool: OpenApiTool, arguments: JsonObject) -> bool:
    """Whether arguments hold a key under which the API does it once only."""
    argument = keyed_argument(tool)
    return argument is not None and arguments.get(argument) not in (None, "")


def _told(call: ToolCall, context: Call, arguments: JsonObject) -> str:
    """What a key is made of. Models number their calls alike in every run, so the run is part of it."""
    return "\n".join([context.run or context.id, call.id, call.name, dump_json(arguments)])


def _keys(told: str) -> tuple[str, str]:
    """Keys in the form of a UUID, and as hexadecimal digits alone for an API that takes no more."""
    text = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-a{text[17:20]}-{text[20:32]}", text[:32]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
