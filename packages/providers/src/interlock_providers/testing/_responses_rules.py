"""What OpenAI's Responses API refuses, in its own words.

Written from the types and comments of its SDK (`response_create_params`, `response_input_item_param`), and
from refusals that users report in public.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.testing._openai_chat import TOOL_NAME, bad_name
from interlock_providers.testing._responses_wire import ENCRYPTED, Item
from interlock_providers.testing._script import Failure

_ASKED = frozenset(
    {
        *("access_programs", "background", "background_options", "context_management", "conversation"),
        *("image", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata"),
        *("model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
    }
)
_MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
}
_INCLUDED = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    ENCRYPTED,
    "message.output_text.logprobs",
)
_FIELDS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"id", "content", "role", "status", "phase"}),
    "function_call": frozenset(
        {"id", "arguments", "call_id", "name", "status", "namespace", "caller", "async"}
    ),
    "function_call_output": frozenset({"id", "call_id", "output", "status", "caller", "name", "namespace"}),
    "reasoning": frozenset({"id", "summary", "content", "encrypted_content", "status"}),
    "item_reference": frozenset({"id"}),
}
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "message": ("content",),
    "function_call": ("arguments", "call_id", "name"),
    "function_call_output": ("call_id", "output"),
    "reasoning": ("id", "summary"),
    "item_reference": ("id",),
}
_PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_PARTS: Mapping[str, tuple[str, ...]] = {
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text", "input_image", "input_file", "input_audio"),
    "developer": ("input_text", "input_image", "input_file", "input_audio"),
    "assistant": ("output_text", "refusal"),
}


@dataclass(slots=True)
class Memory:
    """What the vendor gave out, so that it can tell what comes back.

    Attributes:
        payloads: The encrypted reasoning.
        stored: Ids of the items that it keeps.
        thought: By the id of an item, the id of the reasoning that led to it.
        conversations: By the id of a response, every item up to its end.
    """

    payloads: set[str] = field(default_factory=set[str])
    stored: set[str] = field(default_factory=set[str])
    thought: dict[str, str] = field(default_factory=dict[str, str])
    conversations: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])

    def keep(self, asked: JsonObject, response: str, items: list[Item]) -> None:
        """Remember an answer.

        Args:
            asked: The request.
            response: The answer's id.
            items: Its output items.
        """
        stored = asked.get("store") is not False
        bodies = [item.body for item in items]
        before = ""
        for item in bodies:
            name = as_text(item.get("id")) or ""
            if item.get("type") == "reasoning":
                before = name
                self.payloads.add(as_text(item.get("encrypted_content")) or "")
            elif before:
                self.thought[name] = before
                before = ""
            if stored:
                self.stored.add(name)
        if stored:
            self.conversations[response] = [*self.everything(asked), *bodies]

    def everything(self, asked: JsonObject) -> list[JsonObject]:
        """The items of a request after those of the response that it goes on from."""
        earlier = self.conversations.get(as_text(asked.get("previous_response_id")) or "", [])
        given = asked.get("input")
        listed = [{"role": "user", "content": given}] if isinstance(given, str) else as_array(given)
        return [*earlier, *(as_object(item) for item in listed)]


def wrong(asked: JsonObject, memory: Memory) -> Failure | None:
    """Why the vendor would refuse, or None."""
    return next(
        chain(
            _fields(asked),
            _values(asked, memory),
            _tools(asked),
            _choice(asked),
            _items(asked),
            _reasoning(asked, memory),
            _pairs(memory.everything(asked)),
        ),
        None,
    )


def _refused(message: str, param: str | None = None, code: str | None = None) -> Failure:
    return Failure(status=400, message=message, param=param, code=code)


def _missing(path: str) -> Failure:
    return _refused(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def _unknown(path: str) -> Failure:
    return _refused(f"Unknown parameter: '{path}'.", path, "unknown_parameter")


def _invalid(path: str, value: Json, allowed: tuple[str, ...]) -> Failure:
    listed = ", ".join(f"'{one}'" for one in allowed)
    return _refused(f"Invalid value: '{value}'. Supported values are: {listed}.", path, "invalid_value")


def _fields(asked: JsonObject) -> Iterator[Failure]:
    for name in asked:
        if name in _MOVED:
            words = f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to"
            yield _refused(f"{words} '{_MOVED[name]}'.", name, "unsupported_parameter")
        elif name not in _ASKED:
            yield _unknown(name)
    if asked.get("model") is None:
        yield _missing("model")
    if not any(asked.get(name) for name in ("input", "previous_response_id", "prompt", "conversation")):
        yield _missing("input")


def _values(asked: JsonObject, memory: Memory) -> Iterator[Failure]:
    most = as_int(asked.get("max_output_tokens"))
    if most is not None and most < 16:
        words = f"integer below minimum value. Expected a value >= 16, but got {most} instead."
        name = "max_output_tokens"
        yield _refused(f"Invalid '{name}': {words}", name, "integer_below_min_value")
    if asked.get("stream_options") is not None and not asked.get("stream"):
        words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield _refused(words, "stream_options")
    for index, one in enumerate(as_array(asked.get("include"))):
        if one not in _INCLUDED:
            yield _invalid(f"include[{index}]", one, _INCLUDED)
    earlier = as_text(asked.get("previous_response_id"))
    if earlier is not None and earlier not in memory.conversations:
        words = f"Previous response with id '{earlier}' not found."
        yield _refused(words, "previous_response_id", "previous_response_not_found")
    form = as_object(as_object(asked.get("text")).get("format"))
    if form.get("type") not in (None, "text", "json_object", "json_schema"):
        yield _invalid("text.format.type", form["type"], ("text", "json_object", "json_schema"))
    if form.get("type") == "json_schema":
        yield from (_missing(f"text.format.{name}") for name in ("name", "schema") if name not in form)


def _tools(asked: JsonObject) -> Iterator[Failure]:
    for index, given in enumerate(as_array(asked.get("tools"))):
        tool = as_object(given)
        path = f"tools[{index}]"
        if tool.get("type") is None:
            yield _missing(f"{path}.type")
        if tool.get("type") == "function":
            if tool.get("name") is None:
                yield _missing(f"{path}.name")
            if not TOOL_NAME.fullmatch(as_text(tool.get("name")) or ""):
                yield bad_name(f"{path}.name")


def _choice(asked: JsonObject) -> Iterator[Failure]:
    choice = asked.get("tool_choice")
    names = [as_object(tool).get("name") for tool in as_array(asked.get("tools"))]
    if isinstance(choice, str) and choice not in ("auto", "none", "required"):
        yield _invalid("tool_choice", choice, ("none", "auto", "required"))
    named = as_object(choice)
    if named.get("type") == "function" and named.get("name") is None:
        yield _missing("tool_choice.name")
    if named.get("type") == "function" and named.get("name") not in names:
        yield _refused("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")


def _kind(item: JsonObject) -> str:
    return as_text(item.get("type")) or ("message" if "role" in item else "item_reference")


def _items(asked: JsonObject) -> Iterator[Failure]:
    given = asked.get("input")
    for index, one in enumerate(as_array(given)):
        item = as_object(one)
        path, kind = f"input[{index}]", _kind(item)
        if kind not in _FIELDS:
            if not kind.endswith(("_call", "_output")) and kind != "compaction":
                yield _invalid(path, kind, tuple(sorted(_FIELDS)))
            continue
        yield from (_missing(f"{path}.{name}") for name in _REQUIRED[kind] if item.get(name) is None)
        extra = sorted(set(item) - _FIELDS[kind] - {"type"})
        yield from (_unknown(f"{path}.{name}") for name in extra)
        prefix, name = _PREFIXES.get(kind), as_text(item.get("id"))
        if prefix is not None and name is not None and not name.startswith(prefix):
            words = f"Invalid '{path}.id': '{name}'. Expected an ID that begins with '{prefix}'."
            yield _refused(words, f"{path}.id", "invalid_value")
        if kind == "message":
            yield from _message(item, path)
        if kind == "function_call_output" and not isinstance(item.get("output"), str | list):
            words = f"Invalid type for '{path}.output': expected one of an array of objects or string."
            yield _refused(words, f"{path}.output", "invalid_type")


def _message(item: JsonObject, path: str) -> Iterator[Failure]:
    role = as_text(item.get("role")) or ""
    if role not in _PARTS:
        yield _invalid(f"{path}.role", role, tuple(_PARTS))
        return
    for index, part in enumerate(as_array(item.get("content"))):
        kind = as_object(part).get("type")
        if kind not in _PARTS[role]:
            yield _invalid(f"{path}.content[{index}]", kind, _PARTS[role])


def _reasoning(asked: JsonObject, memory: Memory) -> Iterator[Failure]:
    """Reasoning that is not the vendor's own, or not where it was."""
    items = [as_object(item) for item in as_array(asked.get("input"))]
    names = {as_text(item.get("id")) for item in items}
    for index, item in enumerate(items):
        kind, name = _kind(item), as_text(item.get("id")) or ""
        payload = as_text(item.get("encrypted_content"))
        if payload is not None and payload not in memory.payloads:
            words = f"The encrypted content for item {name} could not be verified."
            yield _refused(words, code="invalid_encrypted_content")
        if kind in ("reasoning", "item_reference") and payload is None and name not in memory.stored:
            words = f"Item with id '{name}' not found. Items are not persisted when `store` is set to false."
            yield Failure(status=404, message=words, param="input")
        if kind == "reasoning" and not _followed(items[index + 1 :]):
            words = f"Item '{name}' of type 'reasoning' was provided without its required following item."
            yield _refused(words, "input")
        needed = memory.thought.get(name)
        if needed is not None and needed not in names and "previous_response_id" not in asked:
            words = f"was provided without its required 'reasoning' item: '{needed}'."
            yield _refused(f"Item '{name}' of type '{kind}' {words}", "input")


def _followed(rest: list[JsonObject]) -> bool:
    """Whether something of the model comes next."""
    follower = next((item for item in rest if _kind(item) != "reasoning"), None)
    if follower is None:
        return False
    return follower.get("role") == "assistant" or _kind(follower).endswith("_call")


def _pairs(items: list[JsonObject]) -> Iterator[Failure]:
    """Every call needs its output, and every output its call before it."""
    calls: list[str] = []
    answered: set[str] = set()
    for item in items:
        name = as_text(item.get("call_id")) or ""
        if _kind(item) == "function_call":
            calls.append(name)
        if _kind(item) == "function_call_output":
            if name not in calls:
                words = f"No tool call found for function call output with call_id {name}."
                yield _refused(words, "input")
            answered.add(name)
    yield from (
        _refused(f"No tool output found for function call {name}.", "input")
        for name in calls
        if name not in answered
    )
