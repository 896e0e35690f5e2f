"""What the simulated Mistral refuses.

Sources: the fields are those of `ChatCompletionRequest` and `EmbeddingRequest` in `mistralai.client.models`;
that others are refused with 422 and `detail`, and the words and codes for models, tool call ids, names and
the order of messages, are from answers that users of the API published, and from the error glossary of the
vendor's documentation. Where no code is published, none is given.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_providers.testing._script import Failure
from interlock_providers.testing._shapes import Either, Flaw, Kind, Many, Shape, Tagged, flaws

_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TEXT: Kind = "string"
_IMAGE = Shape({"url": _TEXT, "detail": _TEXT}, frozenset({"url"}))
_CHUNK = Tagged(
    "type",
    {
        "text": Shape({"text": _TEXT}, frozenset({"text"})),
        "image_url": Shape({"image_url": Either((_TEXT, _IMAGE))}, frozenset({"image_url"})),
        "document_url": Shape({"document_url": _TEXT, "document_name": _TEXT}, frozenset({"document_url"})),
        "file": Shape({"file_id": _TEXT}, frozenset({"file_id"})),
        "input_audio": Shape({"input_audio": _TEXT}, frozenset({"input_audio"})),
        "thinking": Shape(
            {"thinking": Many(None), "signature": _TEXT, "closed": "boolean"}, frozenset({"thinking"})
        ),
        "reference": Shape({"reference_ids": Many(None)}, frozenset({"reference_ids"})),
        "tool_reference": Shape(
            {"tool": _TEXT, "title": _TEXT, "url": _TEXT, "favicon": _TEXT, "description": _TEXT},
            frozenset({"tool", "title"}),
        ),
    },
)
_CONTENT = Either((_TEXT, Many(_CHUNK)))
_OR_NULL = Either((_TEXT, Many(_CHUNK), "null"))
_CALL = Shape(
    {
        "id": _TEXT,
        "type": _TEXT,
        "index": "integer",
        "function": Shape({"name": _TEXT, "arguments": None}, frozenset({"name", "arguments"})),
    },
    frozenset({"function"}),
)
_MESSAGE = Tagged(
    "role",
    {
        "system": Shape({"content": _CONTENT}, frozenset({"content"})),
        "user": Shape({"content": _OR_NULL}, frozenset({"content"})),
        "assistant": Shape({"content": _CONTENT, "tool_calls": Many(_CALL), "prefix": "boolean"}),
        "tool": Shape({"content": _OR_NULL, "tool_call_id": _TEXT, "name": _TEXT}, frozenset({"content"})),
    },
)
_FUNCTION = Shape(
    {"name": _TEXT, "description": _TEXT, "parameters": None, "strict": "boolean"},
    frozenset({"name", "parameters"}),
)
_TOOL = Shape({"type": _TEXT, "function": _FUNCTION}, frozenset({"function"}))
_NAMED_TOOL = Shape(
    {"type": _TEXT, "function": Shape({"name": _TEXT}, frozenset({"name"}))}, frozenset({"function"})
)
_FORMAT = Shape(
    {
        "type": ("text", "json_object", "json_schema"),
        "json_schema": Shape(
            {"name": _TEXT, "schema": None, "description": _TEXT, "strict": "boolean"},
            frozenset({"name", "schema"}),
        ),
    }
)
CHAT = Shape(
    MappingProxyType(
        {
            "model": _TEXT,
            "messages": Many(_MESSAGE),
            "temperature": "number",
            "top_p": "number",
            "max_tokens": "integer",
            "stream": "boolean",
            "stop": Either((_TEXT, Many(_TEXT))),
            "random_seed": "integer",
            "metadata": None,
            "response_format": _FORMAT,
            "tools": Many(_TOOL),
            "tool_choice": Either((("auto", "none", "any", "required"), _NAMED_TOOL)),
            "presence_penalty": "number",
            "frequency_penalty": "number",
            "min_tokens": "integer",
            "repetition_penalty": "number",
            "top_k": "integer",
            "logprobs": "boolean",
            "top_logprobs": "integer",
            "prompt_logprobs": "boolean",
            "top_prompt_logprobs": "integer",
            "n": "integer",
            "prediction": None,
            "parallel_tool_calls": "boolean",
            "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
            "prompt_mode": ("reasoning",),
            "guardrails": Many(None),
            "prompt_cache_key": _TEXT,
            "service_tier": ("auto", "standard_only"),
            "safe_prompt": "boolean",
        }
    ),
    frozenset({"model", "messages"}),
)
"""The fields of a chat request."""

EMBEDDING = Shape(
    MappingProxyType(
        {
            "model": _TEXT,
            "input": Either((_TEXT, Many(_TEXT))),
            "metadata": None,
            "output_dimension": "integer",
            "output_dtype": ("float", "int8", "uint8", "binary", "ubinary"),
            "encoding_format": ("float", "base64"),
        }
    ),
    frozenset({"model", "input"}),
)
"""The fields of an embedding request."""

_AFTER: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "system": frozenset({"system", "user", "assistant"}),
        "user": frozenset({"system", "user", "assistant"}),
        "assistant": frozenset({"user", "assistant", "tool"}),
        "tool": frozenset({"assistant", "tool"}),
    }
)
"""Which roles may follow which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprocessable(Failure):
    """A request whose fields are wrong.

    Attributes:
        details: What the vendor says of each of them.
    """

    details: tuple[JsonObject, ...] = ()


def refusal(asked: JsonObject, shape: Shape, models: Sequence[str]) -> Failure | None:
    """The first thing that the vendor would refuse: fields, then the model, tools, messages.

    Args:
        asked: The request.
        shape: Its fields.
        models: The models that there are.
    """
    found = flaws(asked, shape)
    if found:
        return Unprocessable(status=422, details=tuple(_detail(flaw) for flaw in found))
    model = as_text(asked["model"]) or ""
    if model not in models:
        return Failure.model_not_found(model)
    if shape is not CHAT:
        return None
    messages = [as_object(message) for message in as_array(asked["messages"])]
    rules = (*_bad_names(asked), *_bad_order(messages), *_bad_messages(messages))
    return rules[0] if rules else None


def _detail(flaw: Flaw) -> JsonObject:
    kind, words = _words_for(flaw)
    return {"type": kind, "loc": ["body", *flaw.path], "msg": words, "input": flaw.value}


def _words_for(flaw: Flaw) -> tuple[str, str]:
    if flaw.fault == "unknown":
        return "extra_forbidden", "Extra inputs are not permitted"
    if flaw.fault == "missing":
        return "missing", "Field required"
    if isinstance(flaw.wanted, tuple):
        listed = ", ".join(f"'{one}'" for one in flaw.wanted[:-1])
        last = f"'{flaw.wanted[-1]}'"
        return "literal_error", f"Input should be {f'{listed} or {last}' if listed else last}"
    names = {"array": "list", "object": "dict", "boolean": "bool", "integer": "int", "number": "float"}
    words = {"list": "list", "dict": "dictionary", "bool": "boolean", "int": "integer", "float": "number"}
    name = names.get(flaw.wanted, flaw.wanted)
    return f"{name}_type", f"Input should be a valid {words.get(name, name)}"


def _bad_names(asked: Mapping[str, Json]) -> Iterator[Failure]:
    for tool in as_array(asked.get("tools")):
        name = as_text(as_object(as_object(tool).get("function")).get("name")) or ""
        if not _TOOL_NAME.fullmatch(name):
            yield Failure(status=400, message=_name_words(name))


def _name_words(name: str) -> str:
    return (
        f"Function name was {name} but must be a-z, A-Z, 0-9, or contain underscores and dashes, "
        "with a maximum length of 64."
    )


def _bad_order(messages: Sequence[JsonObject]) -> Iterator[Failure]:
    if not messages:
        yield Failure(status=400, message="Conversation must have at least one message")
        return
    roles = [as_text(message["role"]) or "" for message in messages]
    if roles[0] == "tool":
        yield _out_of_order("Unexpected role 'tool' as the first message")
    for before, role in pairwise(roles):
        if role not in _AFTER[before]:
            yield _out_of_order(f"Unexpected role '{role}' after role '{before}'")
    last = messages[-1]
    if roles[-1] not in {"user", "tool"} and last.get("prefix") is not True:
        wanted = "Expected last role User or Tool (or Assistant with prefix True) for serving"
        yield _out_of_order(f"{wanted} but got {roles[-1]}")
    yield from _unanswered(messages)


def _unanswered(messages: Sequence[JsonObject]) -> Iterator[Failure]:
    """Calls that have more or fewer results than there are calls."""
    open_calls = 0
    for message in messages:
        if message["role"] == "tool":
            open_calls -= 1
        else:
            if open_calls:
                break
            open_calls = len(as_array(message.get("tool_calls")))
    if open_calls:
        yield _out_of_order("Not the same number of function calls and responses")


def _out_of_order(words: str) -> Failure:
    return Failure(status=400, code="3230", kind="invalid_request_message_order", message=words)


def _bad_messages(messages: Sequence[JsonObject]) -> Iterator[Failure]:
    for message in messages:
        calls = [as_object(call) for call in as_array(message.get("tool_calls"))]
        if message["role"] == "assistant" and not calls and not message.get("content"):
            words = "Assistant message must have either content or tool_calls, but not none."
            yield Failure(status=400, message=words)
        if message["role"] == "tool":
            yield from _bad_id(message.get("tool_call_id"))
        for call in calls:
            yield from _bad_id(call.get("id"))
            name = as_text(as_object(call["function"])["name"]) or ""
            if not _TOOL_NAME.fullmatch(name):
                yield _bad_call(_name_words(name))


def _bad_id(given: Json) -> Iterator[Failure]:
    name = as_text(given) or "null"
    if name == "null":
        yield _bad_call("Tool call id has to be defined in serving mode.")
    elif not _CALL_ID.fullmatch(name):
        yield _bad_call(f"Tool call id was {name} but must be a-z, A-Z, 0-9, with a length of 9.")


def _bad_call(words: str) -> Failure:
    return Failure(status=400, code="3280", kind="invalid_function_call", message=words)
