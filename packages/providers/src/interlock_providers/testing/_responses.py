"""A simulated OpenAI: the Responses API beside Chat Completions, on one base URL."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_core.testing import Answer
from interlock_providers.testing import _responses_wire as wire
from interlock_providers.testing._openai_chat import OpenAIChatServer
from interlock_providers.testing._responses_rules import Memory, wrong
from interlock_providers.testing._responses_stream import frames
from interlock_providers.testing._script import Failure, Say, Scripted
from interlock_providers.testing._server import Ask, Endpoint, Frame
from interlock_providers.testing._words import count, echo, example_call, example_text


class OpenAIServer(OpenAIChatServer):
    """The vendor itself: what an `OpenAIChatServer` answers, and `/v1/responses`.

    It remembers what it gave out, so that it can refuse reasoning that is not its own, items that it did not
    store, and calls without their outputs.

    Args:
        models: The models that it lists and serves.
        key: The key that it wants; None wants none.
        default: What it says once its script is empty; None answers for itself.

    Attributes:
        memory: What it gave out; a test may add its own.
    """

    def __init__(
        self, *, models: Sequence[str] = ("sim-1",), key: str | None = None, default: Scripted | None = None
    ) -> None:
        super().__init__(models=models, key=key, default=default)
        self.memory = Memory()

    def route(self, ask: Ask) -> Answer | None:
        """The vendor's paths."""
        match (ask.request.method, ask.request.path):
            case ("POST", "/v1/responses"):
                return self.converse(_Responses(self), ask)
            case ("POST", "/v1/responses/input_tokens"):
                return self.unsaid(ask) or self._counted(ask)
            case _:
                return super().route(ask)

    def judged(self, ask: Ask) -> Failure | None:
        """Why the vendor would refuse a request, or None."""
        if (failure := wrong(ask.body, self.memory)) is not None:
            return failure
        model = as_text(ask.body.get("model")) or ""
        return None if model in self.models else Failure.model_not_found(model)

    def _counted(self, ask: Ask) -> Answer:
        if (failure := self.judged(ask)) is not None:
            return self.fail(failure, ask)
        tools = " ".join(dump_json(tool) for tool in as_array(ask.body.get("tools")))
        used = count(f"{wire.prompt_text(ask.body)} {tools}")
        return self.json({"object": "response.input_tokens", "input_tokens": used}, ask)


class _Responses(Endpoint):
    """`/v1/responses`."""

    def __init__(self, vendor: OpenAIServer) -> None:
        self._vendor = vendor

    def refused(self, ask: Ask) -> Failure | None:
        """Everything that the rules name, and unknown models."""
        return self._vendor.judged(ask)

    def own_answer(self, ask: Ask) -> Say:
        """A required call, JSON for a schema, or an echo up to the limit."""
        asked = ask.body
        tools = _callable(asked)
        if tools:
            return example_call(as_text(tools[0].get("name")) or "", tools[0].get("parameters"))
        form = as_object(as_object(asked.get("text")).get("format"))
        if form.get("type") in ("json_schema", "json_object"):
            return example_text(form.get("schema"))
        most = as_int(asked.get("max_output_tokens"))
        return echo(wire.last_said(asked), most, "max_output_tokens")

    def whole(self, say: Say, ask: Ask) -> JsonObject:
        """A response."""
        response = wire.answer_of(say, ask.body, ask.number)
        self._keep(say, ask, response)
        return response

    def frames(self, say: Say, ask: Ask) -> Sequence[Frame]:
        """`response.created` to `response.completed`, `.incomplete` or `.failed`."""
        told = list(frames(say, ask.body, ask.number))
        self._keep(say, ask, wire.started(say, ask.body, ask.number))
        return told

    def failed(self, failure: Failure, ask: Ask) -> JsonObject:
        """The `error` event."""
        told: JsonObject = {"code": failure.code, "message": failure.message, "param": failure.param}
        return {"type": "error", **told}

    def broken(self, say: Say) -> bool:
        """A response that failed tells so itself; any other failure is an event of its own."""
        return say.fail is not None and say.finish != "failed"

    def encode(self, body: JsonObject, number: int) -> bytes:
        """An event with its type as its name, and its number."""
        name = as_text(body.get("type")) or ""
        data = dump_json({**body, "sequence_number": number})
        return b"event: %s\ndata: %s\n\n" % (name.encode(), data.encode())

    def _keep(self, say: Say, ask: Ask, response: JsonObject) -> None:
        items = wire.items_of(say, ask.body, ask.number)
        self._vendor.memory.keep(ask.body, as_text(response.get("id")) or "", items)


def _callable(asked: JsonObject) -> list[JsonObject]:
    """The functions of which one has to be called."""
    choice = asked.get("tool_choice")
    named = as_object(choice)
    tools = [as_object(tool) for tool in as_array(asked.get("tools"))]
    functions = [tool for tool in tools if tool.get("type") == "function"]
    if choice == "required":
        return functions
    if named.get("type") == "function":
        return [tool for tool in functions if tool.get("name") == named.get("name")]
    if named.get("type") == "allowed_tools" and named.get("mode") == "required":
        allowed: list[Json] = [as_object(tool).get("name") for tool in as_array(named.get("tools"))]
        return [tool for tool in functions if tool.get("name") in allowed]
    return []
