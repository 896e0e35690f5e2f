"""A simulated vendor of the dialect that OpenAI's Chat Completions began."""

import re
from collections.abc import Sequence

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_core.testing import Answer
from interlock_providers.testing import _openai_wire as wire
from interlock_providers.testing._script import Failure, Say
from interlock_providers.testing._server import Ask, Endpoint, Frame, Headers, SimulatedVendor
from interlock_providers.testing._words import echo, example_call, example_text

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the vendor takes for a tool's name."""


class OpenAIChatServer(SimulatedVendor):
    """A vendor of Chat Completions, with everything a `SimulatedVendor` has.

    It answers `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`, and wants its key as a bearer
    token.
    """

    def headers_of(self, number: int) -> Headers:
        """The request's id and the limits."""
        return (
            ("x-request-id", f"req_{number}"),
            ("openai-processing-ms", "1"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "6ms"),
        )

    def failure_body(self, failure: Failure, ask: Ask) -> JsonObject:
        """The vendor's error object."""
        return wire.error_body(failure)

    def route(self, ask: Ask) -> Answer | None:
        """The vendor's paths."""
        match (ask.request.method, ask.request.path):
            case ("GET", "/v1/models"):
                return self.json(wire.listed_models(self.models), ask)
            case ("POST", "/v1/embeddings"):
                return self.unsaid(ask) or self.json(wire.embeddings(ask.body), ask)
            case ("POST", "/v1/chat/completions"):
                return self.converse(_ChatCompletions(self.models), ask)
            case _:
                return None


class _ChatCompletions(Endpoint):
    """`/v1/chat/completions`."""

    def __init__(self, models: Sequence[str]) -> None:
        self._models = models

    def refused(self, ask: Ask) -> Failure | None:
        """Unknown models, missing messages, lost options, illegal tool names."""
        asked = ask.body
        model = as_text(asked.get("model"))
        if not as_array(asked.get("messages")):
            return Failure.invalid("Missing required parameter: 'messages'.", "messages")
        if model not in self._models:
            return Failure.model_not_found(model or "")
        if asked.get("stream_options") is not None and not asked.get("stream"):
            words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            return Failure.invalid(words, "stream_options")
        for index, tool in enumerate(as_array(asked.get("tools"))):
            name = as_text(as_object(as_object(tool).get("function")).get("name"))
            if as_object(tool).get("type") == "function" and not TOOL_NAME.fullmatch(name or ""):
                return bad_name(f"tools[{index}].function.name")
        return None

    def own_answer(self, ask: Ask) -> Say:
        """A required call, JSON for a schema, or an echo."""
        asked = ask.body
        choice = asked.get("tool_choice")
        tools = [as_object(as_object(tool).get("function")) for tool in as_array(asked.get("tools"))]
        named = as_text(as_object(as_object(choice).get("function")).get("name"))
        wanted = [tool for tool in tools if named in (None, tool.get("name"))]
        if wanted and (choice == "required" or named is not None):
            return example_call(as_text(wanted[0].get("name")) or "", wanted[0].get("parameters"))
        form = as_object(asked.get("response_format"))
        if form.get("type") in ("json_schema", "json_object"):
            return example_text(as_object(form.get("json_schema")).get("schema"))
        most = as_int(asked.get("max_completion_tokens")) or as_int(asked.get("max_tokens"))
        return echo(wire.last_said(asked), most, "length")

    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """A `chat.completion`."""
        return wire.whole(say, ask.body, _answer_id(ask), _choices(ask))

    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """`chat.completion.chunk`s and `[DONE]`."""
        return list(wire.frames(say, ask.body, _answer_id(ask), _choices(ask)))

    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """The error object in place of a chunk."""
        return wire.error_body(failure)


def bad_name(path: str) -> Failure:
    """The refusal of a tool's name."""
    words = f"Invalid '{path}': string does not match pattern '^[a-zA-Z0-9_-]+$'."
    return Failure(status=400, code="invalid_value", message=words, param=path)


def _answer_id(ask: Ask) -> str:
    return f"chatcmpl-{ask.number}"


def _choices(ask: Ask) -> int:
    return as_int(ask.body.get("n")) or 1
