"""The JSON of Chat Completions, written from OpenAI's API reference and the types of its SDK."""

from collections.abc import Iterator, Mapping

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.testing._script import Citation, Declined, Failure, Say, Spoken, Thought, ToolUse
from interlock_providers.testing._server import Frame
from interlock_providers.testing._words import CREATED, count, counted, pieces_of, said, texts_of

FINGERPRINT = "fp_simulated"


def error_body(failure: Failure) -> JsonObject:
    """The error object as the vendor writes it."""
    error: JsonObject = {
        "message": failure.message,
        "type": failure.kind or "invalid_request_error",
        "param": failure.param,
        "code": failure.code,
    }
    return {"error": error}


def prompt_text(request: Mapping[str, Json]) -> str:
    """Everything that a request says, for counting."""
    messages = (as_object(message).get("content") for message in as_array(request.get("messages")))
    return " ".join(text for content in messages for text in texts_of(content))


def last_said(request: Mapping[str, Json]) -> str:
    """The text of the last message."""
    return prompt_text({"messages": as_array(request.get("messages"))[-1:]})


def usage_of(say: Say, request: Mapping[str, Json]) -> Json:
    """What the vendor says that it counted; None for nothing."""
    if say.usage == "missing":
        return None
    if not isinstance(say.usage, str):
        return {**say.usage}
    into = count(prompt_text(request))
    out, thought = counted(say.blocks())
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


def _finish(say: Say) -> str:
    called = any(isinstance(block, ToolUse) for block in say.blocks())
    return say.finish or ("tool_calls" if called else "stop")


def _call(call: ToolUse, index: int, arguments: str) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": arguments}
    return {"id": call.id or f"call_{index}", "type": "function", "function": function}


def _annotations(say: Say) -> list[Json]:
    """What the text stands on; only the web is cited here."""
    cited = [one for block in say.blocks() if isinstance(block, Spoken) for one in block.citations]
    return [_annotation(one) if isinstance(one, Citation) else {**one} for one in cited]


def _annotation(citation: Citation) -> JsonObject:
    place: JsonObject = {
        "start_index": citation.start,
        "end_index": citation.end,
        "title": citation.title or citation.source,
        "url": citation.url or f"https://example.com/{citation.source}",
    }
    return {"type": "url_citation", "url_citation": place}


def _message(say: Say) -> JsonObject:
    blocks = say.blocks()
    texts = [said(block) for block in blocks if isinstance(block, Spoken)]
    refusals = [block.text for block in blocks if isinstance(block, Declined)]
    thoughts = [said(block) for block in blocks if isinstance(block, Thought) and not block.redacted]
    calls = [block for block in blocks if isinstance(block, ToolUse)]
    message: JsonObject = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = [_call(call, index, call.arguments) for index, call in enumerate(calls)]
    message["annotations"] = _annotations(say)
    return message


def whole(say: Say, request: Mapping[str, Json], answer: str, choices: int) -> JsonObject:
    """A whole answer.

    Args:
        say: What is said.
        request: What was asked.
        answer: Id of the answer.
        choices: How many times it is said.
    """
    listed: list[Json] = []
    for index in range(choices):
        one = say.choice(index)
        ending: JsonObject = {"logprobs": one.logprobs, "finish_reason": _finish(one)}
        listed.append({"index": index, "message": _message(one), **ending})
    body: JsonObject = {
        "id": answer,
        "object": "chat.completion",
        "created": CREATED,
        "model": request["model"],
        "choices": listed,
        "service_tier": say.service_tier or "default",
        "system_fingerprint": FINGERPRINT,
    }
    usage = usage_of(say, request)
    return body if usage is None else {**body, "usage": usage}


def _deltas(say: Say) -> Iterator[JsonObject]:
    """What the events of a choice say, one after the other, without the finish."""
    texts = any(isinstance(block, Spoken) for block in say.blocks())
    yield {"role": "assistant", "content": "" if texts else None, "refusal": None}
    calls = 0
    for block in say.blocks():
        match block:
            case Thought() if not block.redacted:
                for piece in pieces_of(block):
                    yield {"reasoning_content": piece}
            case Spoken():
                for piece in pieces_of(block):
                    yield {"content": piece}
                if block.citations:
                    yield {"annotations": _annotations(Say(parts=(block,)))}
            case Declined():
                yield {"refusal": block.text}
            case ToolUse():
                yield {"tool_calls": [{**_call(block, calls, ""), "index": calls}]}
                for piece in pieces_of(block):
                    yield {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]}
                calls += 1
            case _:
                pass


def frames(say: Say, request: Mapping[str, Json], answer: str, choices: int) -> Iterator[Frame]:
    """The events of a streamed answer, as `whole` says it."""
    asked = bool(as_object(request.get("stream_options")).get("include_usage"))
    head: JsonObject = {
        "id": answer,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request["model"],
        "service_tier": say.service_tier or "default",
        "system_fingerprint": FINGERPRINT,
    }

    def event(listed: list[Json], usage: Json = None) -> JsonObject:
        return {**head, "choices": listed, **({"usage": usage} if asked else {})}

    told = [list(_deltas(say.choice(index))) for index in range(choices)]
    for number in range(max(map(len, told))):
        present = [index for index in range(choices) if number < len(told[index])]
        for at, index in enumerate(present):
            logprobs = say.choice(index).logprobs if number == 1 else None
            listed = [_choice(index, told[index][number], logprobs=logprobs)]
            yield Frame(event(listed), "open" if number == 0 else "same" if at else "piece")
    for index in range(choices):
        yield Frame(event([_choice(index, {}, _finish(say.choice(index)))]), "close")
    usage = usage_of(say, request)
    if usage is not None and asked:
        yield Frame(event([], usage), "close")
    yield Frame(b"data: [DONE]\n\n", "end")


def _choice(index: int, delta: JsonObject, finish: str | None = None, logprobs: Json = None) -> Json:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def embeddings(asked: Mapping[str, Json]) -> JsonObject:
    """Vectors that follow from the texts."""
    import base64
    import hashlib
    import struct

    given = asked.get("input")
    texts = [given] if isinstance(given, str) else [str(text) for text in as_array(given)]
    size = dimensions if isinstance(dimensions := asked.get("dimensions"), int) else 8
    data: list[Json] = []
    for index, text in enumerate(texts):
        digest = hashlib.shake_128(text.encode()).digest(size)
        vector = [(byte - 128) / 128 for byte in digest]
        packed = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        value: Json = packed if asked.get("encoding_format") == "base64" else [*vector]
        data.append({"object": "embedding", "index": index, "embedding": value})
    used = sum(count(text) for text in texts)
    usage: JsonObject = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "data": data, "model": asked.get("model"), "usage": usage}


def listed_models(models: tuple[str, ...]) -> JsonObject:
    """The list of models."""
    data: list[Json] = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"} for name in models
    ]
    return {"object": "list", "data": data}
