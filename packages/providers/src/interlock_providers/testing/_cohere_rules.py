"""What the simulated Cohere refuses.

Sources: the fields are those of `chat` and `embed` in `cohere.v2.client` and of the types in `cohere.types`;
limits are from their docstrings; words are from the errors page of the vendor's documentation and from
answers that users of the API published. Where no words are published, ours say what is wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_number, as_object, as_text
from interlock_providers.testing._script import Failure
from interlock_providers.testing._shapes import Either, Flaw, Kind, Many, Shape, Tagged, flaws, type_of

_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE_DATA = re.compile(r"data:image/(jpeg|png|webp|gif);base64,\S+")
_TEXT: Kind = "string"
_TEXT_PART = Shape({"text": _TEXT}, frozenset({"text"}))
_IMAGE_PART = Shape(
    {"image_url": Shape({"url": _TEXT, "detail": ("auto", "low", "high")}, frozenset({"url"}))},
    frozenset({"image_url"}),
)
_DOCUMENT = Shape({"data": Shape({}), "id": _TEXT}, frozenset({"data"}))
_CALL = Shape(
    {"id": _TEXT, "type": ("function",), "function": Shape({"name": _TEXT, "arguments": _TEXT})},
    frozenset({"id"}),
)


def _content(shapes: Mapping[str, Shape]) -> Kind:
    return Either((_TEXT, Many(Tagged("type", shapes))))


_MESSAGE = Tagged(
    "role",
    {
        "system": Shape({"content": _content({"text": _TEXT_PART})}, frozenset({"content"})),
        "user": Shape(
            {"content": _content({"text": _TEXT_PART, "image_url": _IMAGE_PART})}, frozenset({"content"})
        ),
        "assistant": Shape(
            {
                "content": _content(
                    {"text": _TEXT_PART, "thinking": Shape({"thinking": _TEXT}, frozenset({"thinking"}))}
                ),
                "tool_calls": Many(_CALL),
                "tool_plan": _TEXT,
                "citations": Many(None),
            }
        ),
        "tool": Shape(
            {
                "tool_call_id": _TEXT,
                "content": _content(
                    {
                        "text": _TEXT_PART,
                        "document": Shape({"document": None}, frozenset({"document"})),
                    }
                ),
            },
            frozenset({"tool_call_id", "content"}),
        ),
    },
)
_FUNCTION = Shape(
    {"name": _TEXT, "description": _TEXT, "parameters": None}, frozenset({"name", "parameters"})
)
_TOOL = Shape({"type": ("function",), "function": _FUNCTION}, frozenset({"type", "function"}))

CHAT = Shape(
    MappingProxyType(
        {
            "model": _TEXT,
            "messages": Many(_MESSAGE),
            "tools": Many(_TOOL),
            "strict_tools": "boolean",
            "documents": Many(Either((_TEXT, Shape({"data": None, "id": _TEXT}, frozenset({"data"}))))),
            "citation_options": Shape({"mode": ("ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF")}),
            "response_format": Tagged(
                "type", {"text": Shape({}), "json_object": Shape({"json_schema": None})}
            ),
            "safety_mode": ("CONTEXTUAL", "STRICT", "OFF"),
            "max_tokens": "integer",
            "stop_sequences": Many(_TEXT),
            "temperature": "number",
            "seed": "integer",
            "frequency_penalty": "number",
            "presence_penalty": "number",
            "k": "integer",
            "p": "number",
            "logprobs": "boolean",
            "tool_choice": ("REQUIRED", "NONE"),
            "thinking": Shape(
                {"type": ("enabled", "disabled"), "token_budget": "integer"}, frozenset({"type"})
            ),
            "priority": "integer",
            "stream": "boolean",
        }
    ),
    frozenset({"model", "messages"}),
)
"""The fields of a chat request."""

EMBED = Shape(
    MappingProxyType(
        {
            "model": _TEXT,
            "input_type": ("search_document", "search_query", "classification", "clustering", "image"),
            "texts": Many(_TEXT),
            "images": Many(_TEXT),
            "inputs": Many(
                Shape(
                    {"content": Many(Tagged("type", {"text": _TEXT_PART, "image_url": _IMAGE_PART}))},
                    frozenset({"content"}),
                )
            ),
            "max_tokens": "integer",
            "output_dimension": "integer",
            "embedding_types": Many(("float", "int8", "uint8", "binary", "ubinary", "base64")),
            "truncate": ("NONE", "START", "END"),
            "priority": "integer",
        }
    ),
    frozenset({"model"}),
)
"""The fields of an embedding request."""

_MISSING: Mapping[str, str] = MappingProxyType(
    {
        "model": "a model parameter is required for this endpoint.",
        "messages.tool_call_id": "tool call id must be provided with tool message",
    }
)
"""What the vendor says of some fields that are not there."""

_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "temperature": (0, 1),
        "frequency_penalty": (0, 1),
        "presence_penalty": (0, 1),
        "k": (0, 500),
        "p": (0.01, 0.99),
    }
)


def chat_refusal(asked: JsonObject, models: Sequence[str]) -> Failure | None:
    """The first thing that the vendor would refuse in a chat: fields, the model, limits, tools, messages."""
    return _fields_refusal(asked, CHAT, models) or next(
        (wrong for rule in (_bad_numbers, _bad_format, _bad_tools, _bad_messages) for wrong in rule(asked)),
        None,
    )


def embed_refusal(asked: JsonObject, models: Sequence[str]) -> Failure | None:
    """The first thing that the vendor would refuse in an embedding request."""
    return _fields_refusal(asked, EMBED, models) or next(_bad_inputs(asked), None)


def _invalid(words: str) -> Failure:
    return Failure(status=400, message=f"invalid request: {words}")


def _plain(words: str) -> Failure:
    return Failure(status=400, message=words)


def _fields_refusal(asked: JsonObject, shape: Shape, models: Sequence[str]) -> Failure | None:
    for flaw in flaws(asked, shape):
        return _flaw(flaw)
    model = as_text(asked["model"]) or ""
    return None if model in models else Failure.model_not_found(model)


def _flaw(flaw: Flaw) -> Failure:
    name = ".".join(flaw.names)
    match flaw.fault:
        case "unknown":
            words = f"unknown field: parameter '{flaw.names[-1]}' is not a valid field"
            return Failure(status=422, message=words)
        case "missing":
            return _plain(_MISSING.get(name, f"{name} is required"))
        case "choice":
            return _invalid(f"{name} must be one of {', '.join(flaw.wanted)}.")
        case "type":
            given = type_of(flaw.value)
            words = f"parameter '{name}' is of type {given} but should be of type {_wanted(flaw)}"
            return _plain(f"invalid type: {words}")


def _wanted(flaw: Flaw) -> str:
    return flaw.wanted if isinstance(flaw.wanted, str) else "string"


def _bad_numbers(asked: Mapping[str, Json]) -> Iterator[Failure]:
    for name, (least, most) in _RANGES.items():
        number = as_number(asked.get(name))
        if number is not None and not least <= number <= most:
            top = "1.0" if name == "temperature" else f"{most:g}"
            yield _invalid(f"{name} must be between {least:g} and {top} inclusive.")
    if len(as_array(asked.get("stop_sequences"))) > 5:
        yield _invalid("stop_sequences must have at most 5 elements.")
    budget = as_number(as_object(asked.get("thinking")).get("token_budget"))
    if budget is not None and budget <= 0:
        yield _invalid("thinking.token_budget must be a positive integer.")
    tokens = as_number(asked.get("max_tokens"))
    if tokens is not None and tokens < 1:
        yield _invalid("max_tokens must be at least 1.")


def _bad_format(asked: Mapping[str, Json]) -> Iterator[Failure]:
    form = as_object(asked.get("response_format"))
    if form.get("type") != "json_object":
        return
    if asked.get("documents"):
        yield _invalid("response_format is not supported with RAG.")
    if asked.get("tools"):
        yield _invalid("response_format is not supported with tools.")
    schema = as_object(form.get("json_schema"))
    if form.get("json_schema") is None:
        return
    if schema.get("type") != "object":
        yield _plain("schema must be an object")
    for name in as_array(schema.get("required")):
        if name not in as_object(schema.get("properties")):
            yield _plain(f"required field {name} not found in properties")


def _bad_tools(asked: Mapping[str, Json]) -> Iterator[Failure]:
    if asked.get("tool_choice") == "REQUIRED" and not asked.get("tools"):
        yield _invalid("tool_choice REQUIRED needs tools.")
    for tool in as_array(asked.get("tools")):
        name = as_text(as_object(as_object(tool).get("function")).get("name")) or ""
        if not _TOOL_NAME.fullmatch(name):
            yield _invalid(
                "tool names can only contain certain characters (A-Za-z0-9_) and can't begin with a digit "
                f"(provided name: '{name}')."
            )


def _bad_messages(asked: Mapping[str, Json]) -> Iterator[Failure]:
    messages = [as_object(message) for message in as_array(asked.get("messages"))]
    if not messages:
        yield _invalid("messages must not be empty.")
    spoken = False
    for message in messages:
        if message["role"] == "system" and spoken:
            yield _plain("system turn must be the first in the list")
        spoken = spoken or message["role"] != "system"
        if message["role"] == "user" and not message["content"]:
            yield _plain("message must not be empty in a turn")
        yield from _bad_images(message)
    yield from _bad_ids(messages)


def _bad_ids(messages: Sequence[JsonObject]) -> Iterator[Failure]:
    """Calls of the same id, and results of no call."""
    known: set[Json] = set()
    for message in messages:
        for call in as_array(message.get("tool_calls")):
            name = as_text(as_object(call)["id"])
            if name in known:
                yield _plain("cannot have duplicate tool ids")
            known.add(name)
        if message["role"] == "tool" and message["tool_call_id"] not in known:
            yield _plain("tool call id not found in previous tool calls")


def _bad_images(message: Mapping[str, Json]) -> Iterator[Failure]:
    for part in as_array(message.get("content")):
        url = as_text(as_object(as_object(part).get("image_url")).get("url"))
        if url is not None and not url.startswith(("https://", "http://")) and not _is_image(url):
            yield _invalid("image_url.url must be a web address or an image in a data URI.")


def _is_image(url: str) -> bool:
    return _IMAGE_DATA.fullmatch(url) is not None


def _bad_inputs(asked: Mapping[str, Json]) -> Iterator[Failure]:
    if asked.get("input_type") is None:
        yield _invalid("valid input_type must be provided with the provided model")
    given = [name for name in ("texts", "images", "inputs") if asked.get(name) is not None]
    if len(given) != 1:
        yield _invalid("exactly one of texts, images and inputs must be given.")
    for name in given:
        number = len(as_array(asked[name]))
        if not number:
            yield _invalid(f"{name} must not be empty.")
        if number > 96 and name != "images":
            yield _invalid(f"total number of {name} must be at most 96 - received {number}")
    if asked.get("images") and asked.get("input_type") not in {None, "image"}:
        yield _invalid("images must be used with input_type=image")
    if any(not _is_image(as_text(image) or "") for image in as_array(asked.get("images"))):
        yield _invalid("images must be data URIs of an image.")
