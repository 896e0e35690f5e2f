"""A simulated Cohere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar, Literal

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_core.testing import Answer
from interlock_providers.testing import _cohere_rules as rules
from interlock_providers.testing import _cohere_wire as wire
from interlock_providers.testing._script import Failure, Meaning, RawBlock, Say, Scripted
from interlock_providers.testing._server import Ask, Endpoint, Frame, Headers, SimulatedVendor
from interlock_providers.testing._words import CREATED, echo, example_call, example_text

_CALLS_LEFT = "x-trial-endpoint-call-remaining"
_RESET = "x-ratelimit-reset"


class CohereServer(SimulatedVendor):
    """Cohere's second API, with everything a `SimulatedVendor` has.

    It answers `/v2/chat`, `/v2/embed` and `/v1/models`, and wants its key as a bearer token. Its base URL is
    its origin, as the vendor's own SDK wants it.

    How it says what a script tells it:

    - Thoughts and texts are blocks of the content, in their order; the vendor has no field for a refusal: it
      is text. A thought has no signature, and a redacted one no text.
    - What `plan` gives is the plan beside the calls. Any other `RawBlock` is a block of the content.
    - A `Citation` names a document by its `source`. On a stream citations come at the end of their block;
      with the mode `FAST` each comes as soon as its passage is said.
    - A `ToolUse` streams in a start, pieces and an end, numbered among the calls; where `pieces` is empty,
      its start says all of it.
    - Prompts count eight tokens more than are billed.
    - `Say.fail` ends a stream with `message-end`, the error's words, and `ERROR` or, for status 504,
      `TIMEOUT`. `Say.finish_details` are further fields of the delta of `message-end`. Without
      `Say.end_mark` there is no `message-end`.
    - `Say.logprobs` is one item or a list of them, of which each delta of content takes one.

    It refuses, with 422, fields that its API does not know, also inside messages, such as `index` in a tool
    call; with 404 unknown models; with 400 values of the wrong type or out of range, more than five stop
    sequences, `json_schema` that is no schema of an object, a response format beside tools or documents,
    images that are neither at an address nor in a data URI, tool results without a call, system messages
    that are not first, names of tools with other characters than letters, digits and `_` or with a digit
    first, and embeddings without `input_type` or with too many texts. It does not check what a schema says
    beyond its type and its required fields. Every error has `message` and `id`; a 429 says in
    `x-ratelimit-reset` when to come back, and no more how many calls are left.

    Sources: the types in `cohere.types` and `cohere.v2.types` and the docstrings in `cohere.v2.client`, the
    vendor's API reference and pages on streaming and errors, and answers of its API that users published.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.
        cards: By model, what its card in the list says otherwise.
        reset_at: When limits end, in seconds since 1970.
        done: On a stream, `[DONE]` follows `message-end`.
        empty_fields: On a stream, the first event bears empty fields, as the vendor sends them, of which the
            SDK's types know nothing.
    """

    prefix: ClassVar[str] = ""
    failures: ClassVar[Mapping[Meaning, Failure]] = MappingProxyType(
        {
            "bad_key": Failure(status=401, message="invalid api token"),
            "permission": Failure(status=403, message="you do not have access to this resource"),
            "no_money": Failure(status=402, message="Please add or update your payment method to continue"),
            "rate_limit": Failure(
                status=429,
                message="You are using a Trial key, which is limited to 20 API calls / minute. "
                "You can continue to use the Trial key for free or upgrade to a Production key.",
            ),
            "overloaded": Failure(status=503, message="the service is temporarily unavailable"),
            "server_error": Failure(
                status=500, message="internal server error, this has been reported to our developers."
            ),
            "timeout": Failure(status=504, message="upstream request timeout"),
            "model_not_found": Failure(
                status=404,
                message="model '{detail}' not found, make sure the correct model ID was used "
                "and that you have access to the model.",
            ),
            "not_found": Failure(status=404, message="path not found: {detail}"),
            "too_long": Failure(
                status=400,
                # The leading 1 makes the prompt longer than any limit that stands before it.
                message="too many tokens: total number of tokens in the prompt cannot exceed {detail} "
                "- received 1{detail}. Try using a shorter prompt, or enabling prompt truncating.",
            ),
            "too_large": Failure(status=413, message="request body too large"),
            "content_policy": Failure(
                status=498, message="blocked input: please adjust your prompt and try again."
            ),
            "invalid": Failure(status=400, message="invalid request: {detail}"),
        }
    )

    def __init__(
        self,
        *,
        models: Sequence[str] = ("sim-1",),
        key: str | None = None,
        default: Scripted | None = None,
        cards: Mapping[str, Mapping[str, Json]] | None = None,
        reset_at: int = CREATED + 60,
        done: bool = True,
        empty_fields: bool = False,
    ) -> None:
        super().__init__(models=models, key=key, default=default)
        self._cards = cards or {}
        self._reset_at = reset_at
        self._habits = wire.Habits(done=done, empty_fields=empty_fields)

    @staticmethod
    def plan(text: str) -> RawBlock:
        """A part of an answer that is the plan of its calls."""
        return RawBlock({"tool_plan": text})

    def headers_of(self, number: int) -> Headers:
        """The request's id and the limits of a trial."""
        return (
            ("x-debug-trace-id", f"{number:032x}"),
            ("x-endpoint-monthly-call-limit", "1000"),
            ("x-trial-endpoint-call-limit", "20"),
            (_CALLS_LEFT, str(max(20 - number, 0))),
        )

    def fail(self, failure: Failure, ask: Ask) -> Answer:
        """An error as an answer; one about limits says when they end."""
        if self.worded(failure).status == 429:
            headers = tuple(header for header in ask.headers if header[0] != _CALLS_LEFT)
            told = any(name.lower() == _RESET for name, _ in failure.headers)
            reset = () if told else ((_RESET, str(self._reset_at)),)
            ask = replace(ask, headers=(*reset, *headers))
        return super().fail(failure, ask)

    def failure_body(self, failure: Failure, ask: Ask) -> JsonObject:
        """The vendor's error object, the same for every status."""
        return {"id": wire.answer_id(ask.number), "message": failure.message}

    def route(self, ask: Ask) -> Answer | None:
        """The vendor's paths."""
        match (ask.request.method, ask.request.path):
            case ("GET", "/v1/models"):
                query = dict(ask.request.query)
                return self.json(wire.listed_models(self.models, self._cards, query), ask)
            case ("POST", "/v2/embed"):
                return self._embed(ask)
            case ("POST", "/v2/chat"):
                return self.converse(_Chat(self.models, self._habits), ask)
            case _:
                return None

    def _embed(self, ask: Ask) -> Answer:
        wrong = rules.embed_refusal(ask.body, self.models)
        if wrong is not None:
            return self.fail(wrong, ask)
        return self.unsaid(ask) or self.json(wire.embeddings(ask.body, ask.number), ask)


class _Chat(Endpoint):
    """`/v2/chat`."""

    def __init__(self, models: Sequence[str], habits: wire.Habits) -> None:
        self._models = models
        self._habits = habits

    def refused(self, ask: Ask) -> Failure | None:
        """Wrong fields, unknown models, limits, tools and messages that do not fit."""
        return rules.chat_refusal(ask.body, self._models)

    def own_answer(self, ask: Ask) -> Say:
        """A required call, JSON for a schema, or an echo."""
        asked = ask.body
        if asked.get("tool_choice") == "REQUIRED":
            tool = as_object(as_object(as_array(asked.get("tools"))[0])["function"])
            return example_call(as_text(tool["name"]) or "", tool["parameters"])
        form = as_object(asked.get("response_format"))
        if form.get("type") == "json_object":
            return example_text(form.get("json_schema"))
        return echo(wire.last_said(asked), as_int(asked.get("max_tokens")), "MAX_TOKENS")

    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """The whole answer."""
        return wire.whole(say, ask.body, ask.number)

    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """`message-start` to `message-end`, and `[DONE]`."""
        return list(wire.frames(say, ask.body, ask.number, self._habits))

    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """A `message-end` that tells of the error."""
        finish: Literal["ERROR", "TIMEOUT"] = "TIMEOUT" if failure.status == 504 else "ERROR"
        return wire.failed(failure.message, finish, ask.body)

    def encode(self, body: JsonObject, number: int) -> bytes:
        """An event under its name."""
        del number
        return b"event: %s\ndata: %s\n\n" % (str(body["type"]).encode(), dump_json(body).encode())
