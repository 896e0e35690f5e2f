"""A suite's world behind HTTP: each operation of its document runs the suite's own function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote

from pydantic_core import to_jsonable_python

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import Answer, ReceivedRequest, json_answer

from .documents import schema_of
from .package import Call, Environment, Suite, functions_of, made_call


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    Attributes:
        function: The function.
        arguments: Its arguments.
    """

    function: str
    arguments: JsonObject

    @classmethod
    def of(cls, call: Call) -> "Step":
        """A call as AgentDojo writes it."""
        return cls(call.function, as_object(as_json(dict(call.args))))


class World:
    """The functions of a suite on one environment.

    Args:
        suite: The suite.
        environment: The state, which calls change.

    Attributes:
        environment: The state.
        made: The calls that were made, in order.
    """

    def __init__(self, suite: Suite, environment: Environment) -> None:
        self.environment = environment
        self.made: list[Step] = []
        self._functions = functions_of(suite)
        self._lists = {function.name: _lists(schema_of(function)) for function in suite.tools}

    @property
    def traces(self) -> list[Call]:
        """The calls that were made, as AgentDojo's judges read them."""
        return [made_call(step.function, step.arguments) for step in self.made]

    def begin(self, environment: Environment) -> None:
        """Start anew with another state."""
        self.environment = environment
        self.made.clear()

    def make(self, step: Step) -> tuple[Json, str | None]:
        """Make one call; its result, or what went wrong."""
        self.made.append(step)
        result, wrong = self._functions.run_function(self.environment, step.function, step.arguments)
        return as_json(result), wrong

    def answer(self, request: ReceivedRequest) -> Answer:
        """Make the call that a request asks for."""
        function = unquote(request.path.removeprefix("/"))
        arguments = as_object(request.json()) if request.body else self._queried(function, request)
        result, wrong = self.make(Step(function, arguments))
        fresh = (("cache-control", "no-store"),)
        if wrong is not None:
            return json_answer({"error": wrong}, status=422, headers=fresh)
        return json_answer(result, headers=fresh)

    def _queried(self, function: str, request: ReceivedRequest) -> JsonObject:
        arguments: JsonObject = {}
        for name, value in request.query:
            if name in self._lists[function]:
                arguments[name] = [*as_array(arguments.get(name)), value]
            else:
                arguments[name] = value
        return arguments


def as_json(value: object) -> Json:
    """Anything that functions take or give, as JSON."""
    return cast("Json", to_jsonable_python(value))


def _lists(schema: Mapping[str, Json]) -> set[str]:
    """The arguments that take several values."""
    properties = as_object(schema.get("properties"))
    return {name for name, facts in properties.items() if as_object(facts).get("type") == "array"}
