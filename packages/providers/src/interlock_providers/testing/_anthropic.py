"""A simulated vendor of Anthropic's Messages API."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_core.testing import Answer, ReceivedRequest
from interlock_providers.testing import _anthropic_wire as wire
from interlock_providers.testing._anthropic_rules import VERSIONS, Checked, wrong
from interlock_providers.testing._script import Failure, Meaning, Say, Scripted, Thought
from interlock_providers.testing._server import Ask, Endpoint, Frame, Headers, SimulatedVendor
from interlock_providers.testing._words import count, echo, example_call, example_text, said

_FAILURES: Mapping[Meaning, Failure] = {
    "bad_key": Failure(status=401, message="invalid x-api-key"),
    "content_policy": Failure(status=400, message="Output blocked by content filtering policy"),
    "invalid": Failure(status=400, message="{detail}"),
    "model_not_found": Failure(status=404, message="model: {detail}"),
    "no_money": Failure(
        status=402, message="Your credit balance is too low to access the API. Go to Plans & Billing."
    ),
    "not_found": Failure(status=404, message="Not found"),
    "overloaded": Failure(status=529, message="Overloaded"),
    "permission": Failure(status=403, message="Your API key may not use this resource."),
    "rate_limit": Failure(status=429, message="This request would exceed your organization's rate limit."),
    "server_error": Failure(status=500, message="Internal server error"),
    "timeout": Failure(status=504, message="The request timed out."),
    "too_large": Failure(status=413, message="Request exceeds the maximum allowed number of bytes."),
    "too_long": Failure(status=400, message="prompt is too long: 1000001 tokens > {detail} maximum"),
}


class AnthropicServer(SimulatedVendor):
    """A vendor of Messages, with everything a `SimulatedVendor` has.

    It answers `/v1/messages`, `/v1/messages/count_tokens` and `/v1/models`, and wants its key as a bearer
    token or as `x-api-key`. Its `url` has no path, as its SDK takes it.

    A thought comes back only as it was given out: `issued` holds every payload, made up or scripted.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.

    Attributes:
        issued: The payloads that it gave out, and the thought that each seals; a test may add its own.
    """

    failures: ClassVar[Mapping[Meaning, Failure]] = _FAILURES
    prefix: ClassVar[str] = ""

    def __init__(
        self, *, models: Sequence[str] = ("sim-1",), key: str | None = None, default: Scripted | None = None
    ) -> None:
        super().__init__(models=models, key=key, default=default)
        self.issued: dict[str, str] = {}

    def shown_keys(self, request: ReceivedRequest) -> Sequence[str | None]:
        """The bearer token and `x-api-key`."""
        return (*super().shown_keys(request), request.header("x-api-key"))

    def headers_of(self, number: int) -> Headers:
        """The request's id, the organisation and the limits."""
        return wire.headers_of(number)

    def failure_body(self, failure: Failure, ask: Ask) -> JsonObject:
        """The vendor's error object."""
        return wire.error_body(failure, wire.request_id(ask.number))

    def route(self, ask: Ask) -> Answer | None:
        """The vendor's paths."""
        version = ask.request.header("anthropic-version")
        if version not in VERSIONS:
            words = "header is required" if version is None else f'"{version}" is not a valid version'
            return self.fail(Failure.invalid(f"anthropic-version: {words}"), ask)
        match (ask.request.method, ask.request.path):
            case ("POST", "/v1/messages"):
                return self.converse(_Messages(self), ask)
            case ("POST", "/v1/messages/count_tokens"):
                return self.unsaid(ask) or self._counted(ask)
            case ("GET", "/v1/models"):
                return self.json(wire.models_page(self.models, dict(ask.request.query)), ask)
            case ("GET", path) if path.startswith("/v1/models/"):
                name = path.removeprefix("/v1/models/")
                if name not in self.models:
                    return self.fail(Failure.model_not_found(name), ask)
                return self.json(wire.model_info(name), ask)
            case _:
                return None

    def judged(self, ask: Ask, *, counting: bool = False) -> Failure | None:
        """Why the vendor would refuse a request, or None.

        Args:
            ask: The request.
            counting: It only asks for a count of tokens.
        """
        checked = Checked(
            body=ask.body,
            version=ask.request.header("anthropic-version") or "",
            beta=ask.request.header("anthropic-beta") is not None,
            counting=counting,
            issued=self.issued,
        )
        if (words := wrong(checked)) is not None:
            return Failure.invalid(words)
        model = as_text(ask.body.get("model")) or ""
        return None if model in self.models else Failure.model_not_found(model)

    def _counted(self, ask: Ask) -> Answer:
        if (failure := self.judged(ask, counting=True)) is not None:
            return self.fail(failure, ask)
        tools = "".join(dump_json(tool) + " " for tool in as_array(ask.body.get("tools")))
        return self.json({"input_tokens": count(f"{wire.prompt_text(ask.body)} {tools}")}, ask)


class _Messages(Endpoint):
    """`/v1/messages`."""

    ping = b'event: ping\ndata: {"type": "ping"}\n\n'

    def __init__(self, vendor: AnthropicServer) -> None:
        self._vendor = vendor

    def refused(self, ask: Ask) -> Failure | None:
        """Everything that the rules name, and unknown models."""
        return self._vendor.judged(ask)

    def own_answer(self, ask: Ask) -> Say:
        """A required call, JSON for a schema, or an echo up to the limit or a stop sequence."""
        asked = ask.body
        choice = as_object(asked.get("tool_choice"))
        tools = [as_object(tool) for tool in as_array(asked.get("tools"))]
        named = as_text(choice.get("name"))
        wanted = [tool for tool in tools if named in (None, tool.get("name"))]
        if wanted and choice.get("type") in ("any", "tool"):
            return example_call(as_text(wanted[0].get("name")) or "", wanted[0].get("input_schema"))
        form = as_object(as_object(asked.get("output_config")).get("format"))
        if form.get("type") == "json_schema":
            return example_text(form.get("schema"))
        most = as_int(asked.get("max_tokens"))
        if most == 0:
            return Say(finish="max_tokens")
        heard = echo(wire.last_said(asked), most, "max_tokens")
        text = heard.text or ""
        for stop in as_array(asked.get("stop_sequences")):
            if (sequence := as_text(stop)) and sequence in text:
                return Say(text.partition(sequence)[0], stop_sequence=sequence)
        return heard

    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """A message."""
        self._issue(say, ask)
        return wire.whole(say, ask.body, ask.number)

    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """`message_start` to `message_stop`."""
        self._issue(say, ask)
        return list(wire.frames(say, ask.body, ask.number))

    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """The error object as an event of its own."""
        return wire.error_body(failure, wire.request_id(ask.number))

    def encode(self, body: JsonObject, number: int) -> bytes:
        """An event with its type as its name."""
        del number
        name = as_text(body.get("type")) or ""
        return b"event: %s\ndata: %s\n\n" % (name.encode(), dump_json(body).encode())

    def _issue(self, say: Say, ask: Ask) -> None:
        for index, block in enumerate(wire.shown(say, ask.body)):
            if isinstance(block, Thought):
                self._vendor.issued[wire.sealed(block, ask.number, index)] = said(block)
