"""AgentDojo's own suites, as its distribution has them: loaded, never copied.

`.ci/peers agentdojo` installs what `requirements.txt` pins into `build/agentdojo`, without the SDKs of
vendors and the frameworks that the distribution asks for: nothing that is used here needs them. The
packages of it that import them are entered bare, so that their modules load and their `__init__` does not
run.
"""

import functools
import importlib
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, Self, cast

VERSION = "v1.2.2"
"""The benchmark's version that its own command runs unless told otherwise."""

SUITES = ("banking", "slack", "travel", "workspace")

_ROOT = Path(__file__).resolve().parents[3]
_FOLDER = _ROOT / "build" / "agentdojo"
_BARE = ("agent_pipeline", "agent_pipeline.llms")


class Environment(Protocol):
    """The state of a suite's world."""

    def model_copy(self, *, deep: bool) -> Self:
        """A copy."""
        ...


class Call(Protocol):
    """A call as AgentDojo writes it.

    Attributes:
        function: The function's name.
        args: Its arguments.
    """

    function: str
    args: MutableMapping[str, object]


class Arguments(Protocol):
    """The model of a function's arguments."""

    def model_json_schema(self, *, ref_template: str) -> dict[str, object]:
        """Its JSON Schema."""
        ...


class Function(Protocol):
    """A function of a suite.

    Attributes:
        name: Its name.
        description: What it does.
        parameters: Its arguments.
    """

    name: str
    description: str
    parameters: Arguments


class Task(Protocol):
    """What user tasks and injection tasks share.

    Attributes:
        ID: Its name within the suite.
        GROUND_TRUTH_OUTPUT: What is answered once it is done.
    """

    ID: str
    GROUND_TRUTH_OUTPUT: str

    def ground_truth(self, pre_environment: Environment) -> Sequence[Call]:
        """The calls that do it."""
        ...


class UserTask(Task, Protocol):
    """What a user asks for.

    Attributes:
        PROMPT: The user's words.
    """

    PROMPT: str

    def init_environment(self, environment: Environment) -> Environment:
        """The world in which it is asked."""
        ...

    def utility(self, said: str, before: Environment, after: Environment, /) -> bool:
        """Whether it was done."""
        ...

    def utility_from_traces(
        self, said: str, before: Environment, after: Environment, traces: Sequence[Call], /
    ) -> bool | None:
        """Whether it was done, by the calls that were made; None when the worlds tell."""
        ...


class InjectionTask(Task, Protocol):
    """What a stranger wants.

    Attributes:
        GOAL: The stranger's words.
    """

    GOAL: str

    def security(self, said: str, before: Environment, after: Environment, /) -> bool:
        """Whether the stranger got it."""
        ...

    def security_from_traces(
        self, said: str, before: Environment, after: Environment, traces: Sequence[Call], /
    ) -> bool | None:
        """Whether the stranger got it, by the calls that were made; None when the worlds tell."""
        ...


class Suite(Protocol):
    """One suite.

    Attributes:
        name: Its name.
        tools: Its functions.
    """

    name: str
    tools: Sequence[Function]

    @property
    def user_tasks(self) -> Mapping[str, UserTask]:
        """By name."""
        ...

    @property
    def injection_tasks(self) -> Mapping[str, InjectionTask]:
        """By name."""
        ...

    def get_injection_vector_defaults(self) -> Mapping[str, str]:
        """The places where strangers can write, with what stands there otherwise."""
        ...

    def load_and_inject_default_environment(self, injections: Mapping[str, str]) -> Environment:
        """The world, with texts of a stranger in it."""
        ...


class Functions(Protocol):
    """Runs functions on an environment."""

    def run_function(
        self, env: Environment, function: str, kwargs: Mapping[str, object], /
    ) -> tuple[object, str | None]:
        """The result, and what went wrong."""
        ...


class _Functions(Protocol):
    def __call__(self, tools: Sequence[Function], /) -> Functions: ...


class _Call(Protocol):
    def __call__(self, *, function: str, args: Mapping[str, object]) -> Call: ...


class _Suites(Protocol):
    def __call__(self, version: str, /) -> Mapping[str, Suite]: ...


@functools.cache
def suites() -> Mapping[str, Suite]:
    """Every suite by its name, of the version above; installed first where they are not."""
    subprocess.run([str(_ROOT / ".ci" / "peers"), "agentdojo"], check=True, timeout=600)
    sys.path.append(str(_FOLDER))
    for name in _BARE:
        _enter(name)
    # One name of this module is used, and the module wants a vendor's SDK.
    _enter("agent_pipeline.llms.google_llm").__dict__["EMPTY_FUNCTION_NAME"] = ""
    found = cast("_Suites", importlib.import_module("agentdojo.task_suite.load_suites").get_suites)
    return found(VERSION)


def functions_of(suite: Suite) -> Functions:
    """What runs the functions of a suite."""
    return cast("_Functions", _runtime().FunctionsRuntime)(suite.tools)


def made_call(function: str, arguments: Mapping[str, object]) -> Call:
    """A call as AgentDojo's judges read it."""
    return cast("_Call", _runtime().FunctionCall)(function=function, args=arguments)


def _runtime() -> ModuleType:
    return importlib.import_module("agentdojo.functions_runtime")


def _enter(name: str) -> ModuleType:
    module = ModuleType(f"agentdojo.{name}")
    module.__path__ = [str(_FOLDER.joinpath("agentdojo", *name.split(".")))]
    sys.modules[module.__name__] = module
    return module
