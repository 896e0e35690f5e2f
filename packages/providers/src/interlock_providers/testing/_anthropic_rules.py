"""What Anthropic's Messages API refuses, in its own words.

Written from the types and comments of its SDK (`message_create_params`, the `*_block_param` modules), from
the migration notes for version 2026-10-21, and from refusals that users report in public.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_number, as_object, as_text

LATEST = "2026-10-21"
"""The version without sampling parameters."""

VERSIONS = frozenset({"2023-01-01", "2023-06-01", LATEST})
"""The versions that the vendor takes."""

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_SAMPLING = ("temperature", "top_p", "top_k")
_ASKED = frozenset(
    [
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    ]
)
_COUNTED = frozenset(
    [
        "cache_control",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    ]
)
_BETA = frozenset(
    [
        "billing_policy",
        "compaction",
        "context_management",
        "fallback_credit_token",
        "fallbacks",
        "mcp_servers",
        "thread",
    ]
)
_TOOL = frozenset(
    [
        "name",
        "description",
        "input_schema",
        "type",
        "strict",
        "cache_control",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
        "allowed_callers",
    ]
)
_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "cache_control", "citations"}),
    "image": frozenset({"source", "cache_control", "transformations"}),
    "document": frozenset({"source", "cache_control", "citations", "context", "title"}),
    "search_result": frozenset({"content", "source", "title", "cache_control", "citations"}),
    "thinking": frozenset({"signature", "thinking"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "input", "name", "cache_control", "caller", "toolset_name"}),
    "tool_result": frozenset({"tool_use_id", "cache_control", "content", "is_error", "toolset_name"}),
    "container_upload": frozenset({"file_id", "cache_control"}),
}
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "thinking": ("signature", "thinking"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "input", "name"),
    "tool_result": ("tool_use_id",),
}
_ROLES: Mapping[str, frozenset[str]] = {
    "user": frozenset(_BLOCKS) - {"thinking", "redacted_thinking", "tool_use"},
    "assistant": frozenset({"text", "document", "thinking", "redacted_thinking", "tool_use"}),
    "system": frozenset({"text"}),
}
_RESULTS = frozenset({"text", "image", "search_result", "document", "tool_reference", "browser_state"})
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_BREAKPOINTS = 4
_EXTRA = "Extra inputs are not permitted"
_MISSING = "Field required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A request to judge.

    Attributes:
        body: Its JSON.
        version: The API's version that it names.
        beta: It asks for something that is not generally available.
        counting: It only asks for a count of tokens.
        issued: The payloads that the vendor gave out, and the thought that each seals.
    """

    body: JsonObject
    version: str
    beta: bool
    counting: bool
    issued: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Turn:
    """Messages of one role, taken together as the vendor takes them, each block with its path."""

    role: str
    blocks: list[tuple[str, JsonObject]]


def wrong(checked: Checked) -> str | None:
    """Why the vendor would refuse, or None."""
    return next(
        chain(
            _fields(checked),
            _limits(checked),
            _sampling(checked),
            _tools(checked.body),
            _choice(checked.body),
            _system(checked.body),
            _messages(checked),
            _pairs(checked.body),
            _cached(checked.body),
        ),
        None,
    )


def _fields(checked: Checked) -> Iterator[str]:
    allowed = _COUNTED if checked.counting else _ASKED
    if checked.beta:
        allowed |= _BETA
    required = ("model", "messages") if checked.counting else ("model", "messages", "max_tokens")
    yield from (f"{name}: {_MISSING}" for name in required if checked.body.get(name) is None)
    yield from (f"{name}: {_EXTRA}" for name in checked.body if name not in allowed)
    extra = set(as_object(checked.body.get("metadata"))) - {"user_id"}
    yield from (f"metadata.{name}: {_EXTRA}" for name in sorted(extra))


def _limits(checked: Checked) -> Iterator[str]:
    body = checked.body
    most = as_int(body.get("max_tokens"))
    if not checked.counting and (most is None or most < 0):
        yield "max_tokens: Input should be a valid integer, greater than or equal to 0"
    thinking = as_object(body.get("thinking"))
    if thinking.get("type") not in (None, "enabled", "adaptive", "between_tools", "disabled"):
        yield f"thinking: Input tag '{thinking['type']}' found using 'type' does not match any expected tag"
    if thinking.get("type") == "enabled":
        budget = as_int(thinking.get("budget_tokens"))
        if budget is None:
            yield f"thinking.enabled.budget_tokens: {_MISSING}"
        elif budget < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        elif most is not None and budget >= most:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`."
    if any(not (as_text(stop) or "").strip() for stop in as_array(body.get("stop_sequences"))):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        yield "service_tier: Input should be 'auto' or 'standard_only'"


def _sampling(checked: Checked) -> Iterator[str]:
    given = [name for name in _SAMPLING if checked.body.get(name) is not None]
    if checked.version == LATEST:
        yield from (f"`{name}` is not supported in API version {LATEST}." for name in given)
        return
    temperature = as_number(checked.body.get("temperature"))
    if temperature is not None and not 0 <= temperature <= 1:
        yield "temperature: range: 0..1"
    thinks = as_object(checked.body.get("thinking")).get("type") in ("enabled", "adaptive")
    if thinks and temperature not in (None, 1):
        yield "`temperature` may only be set to 1 when thinking is enabled."


def _tools(body: JsonObject) -> Iterator[str]:
    names: set[str] = set()
    for index, given in enumerate(as_array(body.get("tools"))):
        tool = as_object(given)
        name = as_text(tool.get("name")) or ""
        if tool.get("type") in (None, "custom"):
            path = f"tools.{index}.custom"
            if not _TOOL_NAME.fullmatch(name):
                yield f"{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            if as_object(tool.get("input_schema")).get("type") != "object":
                yield f"{path}.input_schema.type: Input should be 'object'"
            yield from (f"{path}.{key}: {_EXTRA}" for key in sorted(set(tool) - _TOOL))
        if name in names:
            yield "tools: Tool names must be unique."
        names.add(name)


def _choice(body: JsonObject) -> Iterator[str]:
    if body.get("tool_choice") is None:
        return
    choice = as_object(body["tool_choice"])
    names = [as_object(tool).get("name") for tool in as_array(body.get("tools"))]
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        yield f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags"
    if not names:
        yield "tool_choice: tool_choice may only be specified while providing tools."
    if kind == "tool" and choice.get("name") not in names:
        yield f"tool_choice: Tool '{choice.get('name')}' not found in provided tools"
    thinks = as_object(body.get("thinking")).get("type") in ("enabled", "adaptive")
    if thinks and kind in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _system(body: JsonObject) -> Iterator[str]:
    for index, block in enumerate(as_array(body.get("system"))):
        if as_object(block).get("type") != "text":
            yield f"system.{index}: Input tag '{as_object(block).get('type')}' does not match 'text'"
        if not as_object(block).get("text"):
            yield "system: text content blocks must be non-empty"


def _cached(body: JsonObject) -> Iterator[str]:
    """No more than four breakpoints, wherever they are."""
    marked = _marked([body.get("tools"), body.get("system"), body.get("messages")])
    marked += body.get("cache_control") is not None
    if marked > _BREAKPOINTS:
        yield f"A maximum of {_BREAKPOINTS} blocks with cache_control may be provided. Found {marked}."


def _marked(value: Json) -> int:
    if isinstance(value, list):
        return sum(map(_marked, value))
    block = as_object(value)
    return (block.get("cache_control") is not None) + _marked(as_array(block.get("content")))


def _messages(checked: Checked) -> Iterator[str]:
    listed = as_array(checked.body.get("messages"))
    if not listed:
        yield "messages: at least one message is required"
    for index, given in enumerate(listed):
        message = as_object(given)
        path = f"messages.{index}"
        role = as_text(message.get("role")) or ""
        if role not in _ROLES or (role == "system" and checked.version != LATEST):
            yield f"{path}.role: Unexpected role \"{role}\". Allowed roles are 'user' and 'assistant'."
            continue
        yield from (f"{path}.{key}: {_EXTRA}" for key in sorted(set(message) - {"role", "content"}))
        yield from _content(message.get("content"), path, last=index == len(listed) - 1, role=role)
        for at, block in _blocks(message, path):
            yield from _block(block, at, role, checked)
    roles = [as_object(message).get("role") for message in listed]
    if next((role for role in roles if role != "system"), "user") != "user":
        yield 'messages: first message must use the "user" role'


def _content(content: Json, path: str, *, last: bool, role: str) -> Iterator[str]:
    """Content that is missing or empty, or ends in white space where the model goes on with it."""
    if not isinstance(content, str | list):
        yield f"{path}.content: {_MISSING}"
    elif not content and not (last and role == "assistant"):
        words = "all messages must have non-empty content except for the optional final assistant message"
        yield f"{path}: {words}"
    text = content if isinstance(content, str) else as_text(as_object(_last(content)).get("text"))
    if last and role == "assistant" and text and text != text.rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _last(content: Json) -> Json:
    return (as_array(content) or [None])[-1]


def _block(block: JsonObject, path: str, role: str, checked: Checked) -> Iterator[str]:
    kind = as_text(block.get("type")) or ""
    if kind.startswith("server_tool_use") or kind.endswith("_tool_result"):
        return
    if kind not in _ROLES[role]:
        tags = ", ".join(f"'{name}'" for name in sorted(_ROLES[role]))
        yield f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        return
    yield from (f"{path}.{kind}.{name}: {_MISSING}" for name in _REQUIRED.get(kind, ()) if name not in block)
    extra = sorted(set(block) - _BLOCKS[kind] - {"type"})
    yield from (f"{path}.{kind}.{name}: {_EXTRA}" for name in extra)
    yield from _inside(block, path, role, checked)


def _inside(block: JsonObject, path: str, role: str, checked: Checked) -> Iterator[str]:
    """What one kind of block has to be."""
    match block["type"]:
        case "text":
            yield from _text(block, path, role, checked.version)
        case "document" if role == "assistant" and checked.version == LATEST:
            yield f"{path}: `document` blocks are not permitted in assistant messages"
        case "thinking" | "redacted_thinking":
            yield from _thought(block, path, checked.issued)
        case "tool_use":
            yield from _tool_use(block, path)
        case "tool_result":
            yield from _tool_result(block, path)
        case "image":
            yield from _image(block, path)
        case _:
            pass


def _thought(block: JsonObject, path: str, issued: Mapping[str, str]) -> Iterator[str]:
    """A thought that the vendor did not give out, or not in these words."""
    if block["type"] == "redacted_thinking":
        if as_text(block.get("data")) not in issued:
            yield f"{path}: Invalid `data` in `redacted_thinking` block"
    elif issued.get(as_text(block.get("signature")) or "") != block.get("thinking"):
        yield f"{path}: Invalid `signature` in `thinking` block"


def _text(block: JsonObject, path: str, role: str, version: str) -> Iterator[str]:
    if not as_text(block.get("text")):
        yield "messages: text content blocks must be non-empty"
    if role == "user" and version == LATEST and as_array(block.get("citations")):
        yield f"{path}.text.citations: citations are not permitted in user messages"


def _tool_use(block: JsonObject, path: str) -> Iterator[str]:
    if not _CALL_ID.fullmatch(as_text(block.get("id")) or ""):
        yield f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not _TOOL_NAME.fullmatch(as_text(block.get("name")) or ""):
        yield f"{path}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
    if not isinstance(block.get("input"), dict):
        yield f"{path}.tool_use.input: Input should be a valid dictionary"


def _tool_result(block: JsonObject, path: str) -> Iterator[str]:
    for index, given in enumerate(as_array(block.get("content"))):
        part = as_object(given)
        if part.get("type") not in _RESULTS:
            place = f"{path}.tool_result.content.{index}"
            yield f"{place}: Input tag '{part.get('type')}' does not match any of the expected tags"
        if part.get("type") == "text" and not part.get("text"):
            yield "messages: text content blocks must be non-empty"


def _image(block: JsonObject, path: str) -> Iterator[str]:
    source = as_object(block.get("source"))
    if source.get("type") not in ("base64", "url", "file"):
        yield f"{path}.image.source: Input tag '{source.get('type')}' does not match 'base64', 'url', 'file'"
    if source.get("type") == "base64" and source.get("media_type") not in _IMAGES:
        kinds = ", ".join(f"'{kind}'" for kind in _IMAGES)
        yield f"{path}.image.source.base64.media_type: Input should be {kinds}"


def _blocks(message: JsonObject, path: str) -> Iterator[tuple[str, JsonObject]]:
    for index, block in enumerate(as_array(message.get("content"))):
        yield f"{path}.content.{index}", as_object(block)


def _turns(body: JsonObject) -> list[_Turn]:
    turns: list[_Turn] = []
    for index, given in enumerate(as_array(body.get("messages"))):
        message = as_object(given)
        role = as_text(message.get("role")) or ""
        if not turns or turns[-1].role != role:
            turns.append(_Turn(role, []))
        if isinstance(message.get("content"), str):
            turns[-1].blocks.append((f"messages.{index}.content", {"type": "text"}))
        turns[-1].blocks.extend(_blocks(message, f"messages.{index}"))
    return turns


def _pairs(body: JsonObject) -> Iterator[str]:
    """Every call needs its result at the beginning of the next turn, and every result its call."""
    turns = _turns(body)
    seen: set[str] = set()
    open_calls: dict[str, str] = {}
    for turn in [*turns, _Turn("end", [])]:
        results = _leading_results(turn)
        lost = sorted(set(open_calls) - results)
        if lost and turn.role != "end":
            yield (
                f"{open_calls[lost[0]]}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(lost)}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )
        for path, block in turn.blocks:
            name = as_text(block.get("tool_use_id"))
            if block.get("type") == "tool_result" and name not in open_calls:
                yield (
                    f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        calls = [(path, block) for path, block in turn.blocks if block.get("type") == "tool_use"]
        open_calls = {as_text(block.get("id")) or "": path for path, block in calls}
        if len(open_calls) < len(calls) or seen & set(open_calls):
            yield "messages: `tool_use` ids must be unique"
        seen |= set(open_calls)


def _leading_results(turn: _Turn) -> set[str]:
    found: set[str] = set()
    for _, block in turn.blocks:
        if block.get("type") != "tool_result":
            break
        found.add(as_text(block.get("tool_use_id")) or "")
    return found
