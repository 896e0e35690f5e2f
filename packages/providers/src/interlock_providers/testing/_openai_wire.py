"""The JSON of the simulated vendor, written from OpenAI's API reference."""

from collections.abc import Iterator, Mapping, Sequence

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json
from interlock_providers.testing._script import Say

CREATED = 1_790_000_000
FINGERPRINT = "fp_simulated"


def count(text: str) -> int:
    """Tokens of a text: a word is one, so that every count can be told beforehand."""
    return len(text.split())


def prompt_text(request: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    texts: list[str] = []
    for message in as_array(request.get("messages")):
        content = as_object(message).get("content")
        if isinstance(content, str):
            texts.append(content)
        texts.extend(as_text(as_object(part).get("text")) or "" for part in as_array(content))
    return " ".join(texts)


def last_said(request: Mapping[str, Json]) -> str:
    """The text of the last message."""
    return prompt_text({"messages": as_array(request.get("messages"))[-1:]})


def usage_of(say: Say, request: Mapping[str, Json]) -> Json:
    """What the vendor says that it counted; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    thought = count(say.reasoning or "")
    spoken = " ".join([say.text or "", say.refusal or "", *(call.arguments for call in say.calls)])
    into, out = count(prompt_text(request)), count(spoken) + thought
    return {
        "prompt_tokens": into,
        "completion_tokens": out,
        "total_tokens": into + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def finish_of(say: Say) -> str:
    """Why the answer ends."""
    return say.finish or ("tool_calls" if say.calls else "stop")


def _calls(say: Say) -> list[Json]:
    return [
        {
            "id": call.id or f"call_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(say.calls)
    ]


def whole(say: Say, request: Mapping[str, Json], answer: str, choices: int) -> JsonObject:
    """A whole answer.

    Args:
        say: What is said.
        request: What was asked.
        answer: Id of the answer.
        choices: How many times it is said.
    """
    message: JsonObject = {"role": "assistant", "content": say.text, "refusal": say.refusal}
    if say.reasoning is not None:
        message["reasoning_content"] = say.reasoning
    if say.calls:
        message["tool_calls"] = _calls(say)
    message["annotations"] = []
    listed: list[Json] = [
        {"index": index, "message": message, "logprobs": say.logprobs, "finish_reason": finish_of(say)}
        for index in range(choices)
    ]
    body: JsonObject = {
        "id": answer,
        "object": "chat.completion",
        "created": CREATED,
        "model": request["model"],
        "choices": listed,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    usage = usage_of(say, request)
    return body if usage is None else {**body, "usage": usage}


def deltas(say: Say) -> Iterator[JsonObject]:
    """What the events of a stream say, one after the other, without the finish."""
    yield {"role": "assistant", "content": None if say.text is None else "", "refusal": None}
    if say.reasoning is not None:
        yield {"reasoning_content": say.reasoning}
    for piece in cut(say):
        yield {"content": piece}
    if say.refusal is not None:
        yield {"refusal": say.refusal}
    for index, call in enumerate(_calls(say)):
        made = as_object(call)
        function = as_object(made["function"])
        yield {"tool_calls": [{**made, "index": index, "function": {**function, "arguments": ""}}]}
        arguments = as_text(function["arguments"]) or ""
        for at in range(0, len(arguments), 4):
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 4]}}]}


def cut(say: Say) -> Sequence[str]:
    """The pieces of the text."""
    if say.pieces is not None:
        return say.pieces
    words = (say.text or "").split(" ")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)] if say.text else []


def event(
    request: Mapping[str, Json], answer: str, choices: list[Json], *, usage: Json = None, asked: bool = False
) -> bytes:
    """One event of a stream."""
    body: JsonObject = {
        "id": answer,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request["model"],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
    }
    if asked:
        body["usage"] = usage
    return b"data: %s\n\n" % dump_json(body).encode()


def choice(index: int, delta: JsonObject, finish: str | None = None, logprobs: Json = None) -> JsonObject:
    """One choice of an event."""
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def example(schema: Mapping[str, Json]) -> Json:
    """A small value that fits a simple schema."""
    options = as_array(schema.get("enum"))
    if options:
        return options[0]
    match schema.get("type"):
        case "object":
            properties = as_object(schema.get("properties"))
            names = (as_text(name) or "" for name in as_array(schema.get("required")))
            return {name: example(as_object(properties.get(name))) for name in names}
        case "array":
            return []
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return "text"
