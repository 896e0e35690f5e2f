"""A simulated Mistral."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_core.testing import Answer
from interlock_providers.testing import _mistral_rules as rules
from interlock_providers.testing import _mistral_wire as wire
from interlock_providers.testing._script import Failure, Meaning, Say, Scripted
from interlock_providers.testing._server import Ask, Endpoint, Frame, Headers, SimulatedVendor
from interlock_providers.testing._words import echo, example_call, example_text

_KIND_BY_STATUS: Mapping[int, str] = MappingProxyType({403: "authentication_error", 429: "rate_limit_error"})


class MistralServer(SimulatedVendor):
    """Mistral, with everything a `SimulatedVendor` has.

    It answers `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`, and wants its key as a bearer
    token. Its base URL is its origin, as the vendor's own SDK wants it.

    How it says what a script tells it:

    - Text is text. Where there are thoughts, citations or a `RawBlock` too, whole content is a list of
      chunks; on a stream all but text comes as lists of chunks, and the first text after a thought in one
      list with what closes the thought. A `RawBlock` of a text chunk streams text as a list.
    - A `Thought` is a `thinking` chunk, `sealed` its signature; without `sealed` it has none.
    - A `Citation` is a number in a `reference` chunk after the text.
    - A `ToolUse` without `pieces` streams as the vendor's own models tell it: whole, in the event that also
      says the finish and the usage. One with `pieces` is cut, as the models of others that the vendor hosts
      tell it: id and name first, then arguments without id, or with the one of `continued_id`.
    - The vendor has no field for a refusal: it is text.

    It refuses, with 422 and `detail`, fields that its API does not know (`seed`, `stream_options`,
    `max_completion_tokens` …), missing ones and ones of the wrong type; with 400 unknown models (code 1500),
    tool call ids that are not nine letters and digits (3280), messages in an order that it does not take
    (3230), and illegal names of tools. A wrong key is answered with 401 and `{"detail": "Unauthorized"}`, a
    wrong path and a timeout in the words of the proxy before the API; other errors are objects with
    `object`, `message`, `type`, `param` and `code`. It does not check ranges of numbers, nor what a schema
    says.

    Sources: the types in `mistralai.client.models`, the vendor's API reference, reasoning page and error
    glossary, and answers of its API that users published.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.
        cards: By model, what its card in the list says otherwise.
        continued_id: The id that later pieces of a cut tool call bear; none unless given. Some models send
            `null` as a text, or an id of their own.
        padding: Events of streams bear padding in a field `p` of which the SDK's types know nothing.
    """

    prefix: ClassVar[str] = ""
    failures: ClassVar[Mapping[Meaning, Failure]] = MappingProxyType(
        {
            "bad_key": Failure(status=401, message="Unauthorized"),
            "permission": Failure(
                status=403,
                code="forbidden",
                kind="invalid_request_error",
                message="You do not have access to this model.",
            ),
            "no_money": Failure(status=402, kind="payment_required", message="Payment required"),
            "rate_limit": Failure(
                status=429, code="1300", kind="rate_limited", message="Rate limit exceeded"
            ),
            "overloaded": Failure(
                status=429,
                code="3505",
                kind="service_tier_capacity_exceeded",
                message="Service tier capacity exceeded for this model.",
            ),
            "server_error": Failure(status=500, kind="server_error", message="Internal server error"),
            "timeout": Failure(status=504, message="The upstream server is timing out"),
            "model_not_found": Failure(
                status=400, code="1500", kind="invalid_model", message="Invalid model: {detail}"
            ),
            "not_found": Failure(status=404, message="no Route matched with those values"),
            "too_long": Failure(
                status=400,
                code="3051",
                kind="invalid_request_prompt_too_long",
                # The leading 1 makes the prompt longer than any limit that stands after it.
                message="Prompt contains 1{detail} tokens and 0 draft tokens, "
                "too large for model with {detail} maximum context length",
            ),
            "too_large": Failure(status=413, message="Request body too large."),
            "content_policy": Failure(
                status=403,
                code="content_moderation",
                kind="guardrail_violation",
                message="The request was blocked by a guardrail.",
            ),
        }
    )

    def __init__(
        self,
        *,
        models: Sequence[str] = ("sim-1",),
        key: str | None = None,
        default: Scripted | None = None,
        cards: Mapping[str, Mapping[str, Json]] | None = None,
        continued_id: str | None = None,
        padding: bool = False,
    ) -> None:
        super().__init__(models=models, key=key, default=default)
        self._cards = cards or {}
        self._habits = wire.Habits(continued_id=continued_id, padding=padding)

    def headers_of(self, number: int) -> Headers:
        """The request's id and the limits."""
        return (
            ("mistral-correlation-id", _request_id(number)),
            ("x-kong-request-id", _request_id(number)),
            ("x-ratelimit-limit-tokens-minute", "5000000"),
            ("x-ratelimit-remaining-tokens-minute", "4999000"),
            ("x-ratelimit-limit-req-minute", "720"),
            ("x-ratelimit-remaining-req-minute", str(max(720 - number, 0))),
        )

    def failure_body(self, failure: Failure, ask: Ask) -> JsonObject:
        """The vendor's error: an object of its own, `detail`, or what the proxy before it says."""
        if isinstance(failure, rules.Unprocessable):
            return {"detail": [*failure.details]}
        if failure.status == 422:
            return {"detail": [_detail_of(failure)]}
        if failure.status == 401:
            return {"detail": failure.message}
        if failure.status in {404, 504} and failure.kind is None:
            return {"message": failure.message, "request_id": _request_id(ask.number)}
        return _error(failure)

    def route(self, ask: Ask) -> Answer | None:
        """The vendor's paths."""
        match (ask.request.method, ask.request.path):
            case ("GET", "/v1/models"):
                return self.json(wire.listed_models(self.models, self._cards), ask)
            case ("POST", "/v1/embeddings"):
                return self._embed(ask)
            case ("POST", "/v1/chat/completions"):
                return self.converse(_ChatCompletions(self.models, self._habits), ask)
            case _:
                return None

    def _embed(self, ask: Ask) -> Answer:
        wrong = rules.refusal(ask.body, rules.EMBEDDING, self.models)
        if wrong is not None:
            return self.fail(wrong, ask)
        return self.unsaid(ask) or self.json(wire.embeddings(ask.body, ask.number), ask)


class _ChatCompletions(Endpoint):
    """`/v1/chat/completions`."""

    def __init__(self, models: Sequence[str], habits: wire.Habits) -> None:
        self._models = models
        self._habits = habits

    def refused(self, ask: Ask) -> Failure | None:
        """Wrong fields, unknown models, illegal names and ids, messages out of order."""
        return rules.refusal(ask.body, rules.CHAT, self._models)

    def own_answer(self, ask: Ask) -> Say:
        """A required call, JSON for a schema, or an echo."""
        asked = ask.body
        choice = asked.get("tool_choice")
        tools = [as_object(as_object(tool).get("function")) for tool in as_array(asked.get("tools"))]
        named = as_text(as_object(as_object(choice).get("function")).get("name"))
        wanted = [tool for tool in tools if named in (None, tool.get("name"))]
        if wanted and (choice in ("any", "required") or named is not None):
            return example_call(as_text(wanted[0].get("name")) or "", wanted[0].get("parameters"))
        form = as_object(asked.get("response_format"))
        if form.get("type") in ("json_schema", "json_object"):
            return example_text(as_object(form.get("json_schema")).get("schema"))
        return echo(wire.last_said(asked), as_int(asked.get("max_tokens")), "length")

    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """A `chat.completion`."""
        return wire.whole(say, ask.body, ask.number, _choices(ask))

    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """`chat.completion.chunk`s and `[DONE]`."""
        return list(wire.frames(say, ask.body, ask.number, _choices(ask), self._habits))

    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """The error object in place of a chunk."""
        return _error(failure)


def _error(failure: Failure) -> JsonObject:
    server = "server_error" if failure.status >= 500 else "invalid_request_error"
    return {
        "object": "error",
        "message": failure.message,
        "type": failure.kind or _KIND_BY_STATUS.get(failure.status, server),
        "param": failure.param,
        "code": failure.code,
        "raw_status_code": failure.status,
    }


def _detail_of(failure: Failure) -> JsonObject:
    """What the vendor says of a field, made from a failure that a script gives."""
    path: list[Json] = ["body", *(failure.param or "").split(".")]
    return {"type": failure.kind or "value_error", "loc": path, "msg": failure.message, "input": None}


def _request_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


def _choices(ask: Ask) -> int:
    return as_int(ask.body.get("n")) or 1
