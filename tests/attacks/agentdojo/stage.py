"""One suite behind Interlock: the production path, with a scripted model at its far end.

The document of the suite is loaded like any other and not marked as trusted; its tools are on loopback. The
model is a simulated vendor that answers in the wire format of Chat Completions, call by call, whatever it
is told: it makes every call of its script, and goes on when one is refused. The user at this machine is an
administrator, so that only the agent's own rights stand in the way; these are the built-in role `agent`
unless a test says otherwise. Approvals are the default. What is asked is answered by the user's own task:
yes to the calls that it takes, each as often as it takes it, no to any other. Only the bound of turns is
lifted, so that no run ends early by it.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from interlock_core import Approval, Event, EventKind, JsonObject
from interlock_core.call import Call
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.protocols import Prepared
from interlock_core.testing import LoopbackServer
from interlock_providers.testing import OpenAIChatServer, Say, ToolUse
from interlock_runtime import Question, Runtime, Settings
from interlock_runtime.settings import ApprovalSettings, PipelineSettings, ProviderSettings, ToolSettings

from .documents import document_of, schema_of
from .package import Suite
from .world import Step, World

MODEL = "small"
REFUSED = frozenset({"approval_denied", "permission_denied"})
"""What a guard says to a call that it stops."""

KEEPING: JsonObject = {"allow": ["tool:*", "model:*"], "deny": ["effect:destructive"]}
"""A role of agents that may not delete, whoever says yes."""


@dataclass(slots=True)
class Played:
    """What became of one run.

    Attributes:
        asked: How often a person was asked.
        stopped: The calls that did not happen, with the code of why.
        heard: Everything that the model was told.
    """

    asked: int = 0
    stopped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    heard: bytes = b""


class UsersTask:
    """An approver who knows what the user asked for: that, as often as it takes, and nothing else.

    Args:
        suite: The suite, for the defaults of arguments that were left out.
    """

    def __init__(self, suite: Suite) -> None:
        self._suite = suite.name
        self._defaults = {function.name: _defaults(schema_of(function)) for function in suite.tools}
        self._left: Counter[str] = Counter()

    def permit(self, steps: Iterable[Step]) -> None:
        """From now on these calls are the user's."""
        self._left = Counter(self._written(step.function, step.arguments) for step in steps)

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Answer, by exactly what would be sent."""
        written = self._written(call.name.removeprefix(f"{self._suite}."), prepared.arguments)
        if self._left[written] == 0:
            return Approval(granted=False, by="user", reason="I did not ask for that")
        self._left[written] -= 1
        return Approval(granted=True, by="user")

    def _written(self, function: str, arguments: Mapping[str, object]) -> str:
        whole = as_object(self._defaults[function] | dict(arguments))
        return f"{function} {dump_json(whole, sort_keys=True)}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A suite behind Interlock.

    Attributes:
        suite: The suite.
        world: Its world.
        runtime: Interlock.
        vendor: The model's vendor.
        user: Who answers approvals.
    """

    suite: Suite
    world: World
    runtime: Runtime
    vendor: OpenAIChatServer
    user: UsersTask

    async def play(self, prompt: str, steps: Sequence[Step], said: str, *, own: Iterable[Step]) -> Played:
        """Let the agent make some calls one after another, then answer.

        Args:
            prompt: What the user asks.
            steps: The calls that the model makes, whatever it hears.
            said: Its answer at the end.
            own: The calls that are the user's own.
        """
        self.user.permit(own)
        self.vendor.forget()
        self.vendor.requests.clear()
        self.vendor.then(*(Say(calls=(self._use(step),)) for step in steps), Say(said))
        question = Question(prompt=prompt, model=f"stub/{MODEL}", tools=(f"{self.suite.name}.*",))
        played = Played()
        async with aclosing(self.runtime.ask_events(question)) as items:
            async for item in items:
                if isinstance(item, Event):
                    self._note(item, played)
        offered = as_array(as_object(self.vendor.requests[0].json())["tools"])
        names = {str(as_object(as_object(tool)["function"])["name"]) for tool in offered}
        assert names >= {self._use(step).name for step in steps}, "a tool was not offered"
        played.heard = self.vendor.requests[-1].body
        return played

    def _use(self, step: Step) -> ToolUse:
        arguments = dump_json(step.arguments)
        return ToolUse(f"{self.suite.name}_{step.function}", arguments, pieces=(arguments,))

    def _note(self, event: Event, played: Played) -> None:
        played.asked += event.kind is EventKind.APPROVAL_ASKED
        ended = event.kind in {EventKind.TOOL_REJECTED, EventKind.TOOL_FINISHED}
        if ended and not event.data["ok"]:
            played.stopped.append((str(event.data["tool"]), str(event.data["error"])))


@asynccontextmanager
async def stage(
    suite: Suite,
    folder: Path,
    *,
    roles: Mapping[str, JsonObject] | None = None,
    require: Literal["destructive", "never"] = "destructive",
) -> AsyncGenerator[Stage, None]:
    """Open one, with a data folder of its own.

    Args:
        suite: The suite.
        folder: Where its document and Interlock's data are put.
        roles: Own roles; none by default.
        require: What needs a person's yes; the default of the settings unless given.
    """
    file = folder / f"{suite.name}.json"
    file.write_text(dump_json(document_of(suite)), "utf-8")
    world, user = World(suite, suite.load_and_inject_default_environment({})), UsersTask(suite)
    async with LoopbackServer(world.answer) as api, OpenAIChatServer(models=(MODEL,)) as vendor:
        settings = Settings(
            home=folder / f"home-{suite.name}",
            providers={
                "stub": ProviderSettings(kind="openai-compatible", base_url=vendor.url, models=(MODEL,))
            },
            tools={suite.name: ToolSettings(source=str(file), base_url=api.url)},
            pipeline=PipelineSettings(max_turns=0),
            approvals=ApprovalSettings(require=require),
            roles=dict(roles or {}),
        )
        async with Runtime.open(settings, environment={}, approver=user) as runtime:
            yield Stage(suite, world, runtime, vendor, user)


def _defaults(schema: JsonObject) -> dict[str, object]:
    properties = as_object(schema.get("properties"))
    return {
        name: facts["default"] for name in properties if "default" in (facts := as_object(properties[name]))
    }
