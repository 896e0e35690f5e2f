"""A request, written for a vendor."""

from collections.abc import Mapping, Sequence

from interlock_core import CompletionRequest, Json, JsonObject, ToolChoice, ToolSpec
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs import Rendered, Target
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.cohere_chat._messages import write_messages
from interlock_providers.codecs.cohere_chat._notes import DIALECT, NOTES, with_empty
from interlock_providers.codecs.cohere_chat._options import write_options
from interlock_providers.codecs.cohere_chat._outgoing import Outgoing

HEADERS = (("accept", "application/json"), ("content-type", "application/json"))
_ILLEGAL = r"[^a-zA-Z0-9_]|^[0-9]"
"""The vendor allows letters, digits and `_` in the name of a tool, and no digit in front."""


def render_request(request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
    """Write a request for a vendor; see `Codec.render_request`."""
    names = ToolNames(_tool_names(request), illegal=_ILLEGAL)
    out = Outgoing(target, names)
    body = _forwarded(request, target, names, stream=stream)
    if body is None:
        body = to_bytes(_written(request, out, stream=stream))
    return Rendered(
        path="/v2/chat",
        headers=HEADERS,
        body=body,
        target=target,
        names=names,
        adapted=tuple(out.adapted),
    )


def _tool_names(request: CompletionRequest) -> set[str]:
    names = {tool.name for tool in request.tools}
    said = (message for message in request.messages if message.role == "assistant")
    names.update(call.name for message in said for call in message.tool_calls)
    return names


def _forwarded(request: CompletionRequest, target: Target, names: ToolNames, *, stream: bool) -> bytes | None:
    """The client's own bytes with what must differ spliced in; None when more than that differs."""
    original = request.original
    if not isinstance(original, ParsedBytes) or original.dialect != DIALECT or not names.identity:
        return None
    added: dict[str, bytes] = {}
    if changed := original.changed(request):
        if changed != frozenset({"max_tokens"}) or request.max_tokens is None:
            return None
        if "max_tokens" in original.members:
            return None
        added["max_tokens"] = str(request.max_tokens).encode()
    replaced = {"model": dump_json(target.model).encode()}
    if "stream" in original.members:
        replaced["stream"] = b"true" if stream else b"false"
    elif stream:
        added["stream"] = b"true"
    return splice(original.body, replace=replaced, add=added)


def _written(request: CompletionRequest, out: Outgoing, *, stream: bool) -> JsonObject:
    note = NOTES.of(request.extra)
    extra = NOTES.own(request.extra, "")
    out.inline = request.response_format is not None
    body: JsonObject = {"model": out.target.model}
    if stream:
        body["stream"] = True
    body["messages"] = write_messages(request.messages, out)
    body.update(_write_tools(request, note, out))
    if out.documents:
        body["documents"] = [*as_array(extra.get("documents")), *out.documents]
    body.update(_write_format(request, note, out))
    body.update(write_options(request, out))
    for name, value in extra.items():
        body.setdefault(name, value)
    return with_empty(body, note)


def render_tools(tools: Sequence[ToolSpec]) -> list[Json]:
    """Tools as they stand in a request; see `Codec.render_tools`."""
    names = ToolNames((tool.name for tool in tools), illegal=_ILLEGAL)
    return [_write_tool(tool, {}, names) for tool in tools]


def _write_tools(request: CompletionRequest, note: Mapping[str, Json], out: Outgoing) -> JsonObject:
    tools, made = _choose(request.tools, request.tool_choice, out)
    if tools and request.response_format is not None:
        if made.get("tool_choice") != "NONE":
            raise out.cannot(
                "response_format",
                "takes no form of the answer together with tools",
                "Ask for the form in a request without tools, or offer it as a tool that must be called.",
            )
        out.say("the tools that may not be called are left out", "takes no form of the answer beside them")
        return {}
    if not tools:
        return made
    left = as_object(note.get("tools"))
    made["tools"] = [_write_tool(tool, as_object(left.get(tool.name)), out.names) for tool in tools]
    asked = {tool.strict for tool in tools}
    if True in asked:
        made["strict_tools"] = True
        if False in asked:
            out.say("all tools are held strictly to their schemas", "knows no strictness of one tool")
    elif False in asked:
        made["strict_tools"] = False
    return made


def _choose(
    tools: Sequence[ToolSpec], choice: ToolChoice | None, out: Outgoing
) -> tuple[Sequence[ToolSpec], JsonObject]:
    """The tools to offer, and the choice among them; one that must be called is the only one offered."""
    if choice is None:
        return tools, {}
    if choice.parallel is False and tools and choice.mode != "none":
        out.say("several tools may be called at once", "cannot be held to one call")
    if choice.mode == "required" and not tools:
        raise InvalidRequestError(
            "tool_choice demands a call, and there are no tools.",
            field="tool_choice",
            remedy="Offer tools, or leave it out.",
        )
    if choice.name is not None:
        named = [tool for tool in tools if tool.name == choice.name]
        if not named:
            raise InvalidRequestError(
                f"tool_choice names {choice.name}, which is not among the tools.",
                field="tool_choice",
                remedy="Name a tool that stands in tools.",
            )
        if len(tools) > 1:
            out.say(f"{choice.name} is the only tool offered", "cannot be told which one to call")
        return named, {"tool_choice": "REQUIRED"}
    words = {"required": "REQUIRED", "none": "NONE"}
    if choice.mode not in words or (choice.mode == "none" and not tools):
        return tools, {}
    return tools, {"tool_choice": words[choice.mode]}


def _write_tool(tool: ToolSpec, rest: JsonObject, names: ToolNames) -> JsonObject:
    function: JsonObject = {"name": names.wire(tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    function.update(as_object(rest.get("function")))
    return {"type": "function", "function": function, **{k: v for k, v in rest.items() if k != "function"}}


def _write_format(request: CompletionRequest, note: Mapping[str, Json], out: Outgoing) -> JsonObject:
    wanted = request.response_format
    if wanted is None:
        return {"response_format": {"type": "text"}} if note.get("response_format") == "text" else {}
    made: JsonObject = {"type": "json_object"}
    if wanted.kind == "json_schema" and wanted.schema is not None:
        made["json_schema"] = _object_schema(wanted.schema, out)
    if wanted.description is not None:
        out.say("the description of the form is left out", "is shown its schema alone")
    if wanted.strict is False:
        out.say("the schema of the answer is enforced", "knows no loose one")
    return {"response_format": made}


def _object_schema(schema: JsonObject, out: Outgoing) -> JsonObject:
    kind = schema.get("type")
    if kind == "object":
        return schema
    if kind is not None:
        raise out.cannot(
            "response_format",
            "takes only the schema of an object",
            "Put what is asked into a property of an object.",
        )
    out.say("the answer is an object", "takes only the schema of one")
    return {"type": "object", **schema}
