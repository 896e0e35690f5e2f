"""The seams: what a part offers to the others, and all that another part knows of it.

A part implements a protocol and never imports its users; runtime joins the two. Behaviour is added by
wrapping: a class with the same protocol around the old one.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from interlock_core.call import Call, Outcome, Verdict
from interlock_core.completion import Chunk, Completion, CompletionRequest, Embeddings
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import ToolCall, ToolResult
from interlock_core.models import ModelInfo, Price
from interlock_core.record import record
from interlock_core.run import Event, RunRequest, RunResult
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest, ToolSpec

if TYPE_CHECKING:
    from pathlib import Path


@runtime_checkable
class Provider(Protocol):
    """Answers requests to models. The router is one too, and so is every wrapper around one.

    `call` carries who asks and within which bounds; None means nobody in particular and no bounds.
    All methods raise only errors of `interlock_core.errors`.
    """

    @property
    def name(self) -> str:
        """Name under which models of this provider stand before the slash."""
        ...

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        ...

    def stream(self, request: CompletionRequest, call: Call | None = None) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece.

        Closing the generator (`aclose`, or leaving `contextlib.aclosing`) closes the upstream at once.
        """
        ...

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text.

        Raises:
            UnsupportedError: The provider makes no vectors.
        """
        ...

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked, with what is known of it."""
        ...

    async def aclose(self) -> None:
        """Give back connections and memory. Closing twice does nothing."""
        ...


class ToolCatalog(Protocol):
    """The tools that exist."""

    def list(self, patterns: Sequence[str] = ("*",)) -> Sequence[ToolSpec]:
        """Tools whose name matches one of the patterns (`github.*`), sorted by name."""
        ...

    def get(self, name: str) -> ToolSpec:
        """One tool by its name.

        Raises:
            NotFoundError: There is none; the remedy names the nearest.
        """
        ...

    def search(self, query: str, *, limit: int = 10) -> Sequence[ToolSpec]:
        """The tools that fit a query, best first."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A validated call that waits to be made.

    Attributes:
        tool: The tool.
        arguments: Arguments after validation and defaults.
        request: The exact HTTP request without credentials; None for a tool that runs in process.
    """

    tool: ToolSpec
    arguments: JsonObject
    request: HttpRequest | None = None


class ToolExecutor(Protocol):
    """Makes tool calls."""

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break the tool's schema; the text is fit for a model.
        """
        ...

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call. What the tool answers, failures included, is a result that a model can read.

        Raises:
            RefusedError: A rule forbids it; nothing was sent.
        """
        ...


class Runner(Protocol):
    """Runs an agent: a prompt, tools, a model, until there is an answer."""

    async def run(self, request: RunRequest) -> RunResult:
        """Run to the end."""
        ...

    def events(self, request: RunRequest) -> AsyncGenerator[Event | RunResult, None]:
        """Run to the end, telling each step; the last item is the result."""
        ...


class Guard(Protocol):
    """A rule around a call: permission, limit, quota, audit, record.

    Entering may refuse by raising a `RefusedError`; nothing has happened then. On leaving,
    `call.ending.outcome` holds what became of it (or the error passes through). For a stream,
    leaving happens when it ends, is cancelled or fails.
    """

    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """The context in which the call is made."""
        ...


class Permit(Protocol):
    """Says who may do what."""

    def may(self, call: Call) -> Verdict:
        """Whether the call's principal, and its agent, may make it. Doubt is a no."""
        ...


class Recorder(Protocol):
    """Takes note of calls; never waits and never fails its caller."""

    def record(self, call: Call, outcome: Outcome) -> None:
        """Note one call that ended."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class Performance:
    """How a model has done.

    Attributes:
        model: `provider/model`.
        task: Class of task, or None for all.
        requests: How many calls the figures rest on.
        success_rate: Part of calls that did what they were for, 0 to 1.
        latency_p50_s: Median seconds to the end.
        latency_p95_s: 95th percentile of the same.
        first_token_p50_s: Median seconds to the first token; None when never streamed.
        quality: Mean score, 0 to 1; None when nothing was judged.
        judged: How many calls the score rests on.
        cost_mean_usd: Mean price; None when unknown.
    """

    model: str
    task: str | None = None
    requests: int = 0
    success_rate: float = 1.0
    latency_p50_s: float = 0.0
    latency_p95_s: float = 0.0
    first_token_p50_s: float | None = None
    quality: float | None = None
    judged: int = 0
    cost_mean_usd: float | None = None


class PerformanceSource(Protocol):
    """Tells how models have done."""

    def performance(self, model: str, task: str | None = None) -> Performance | None:
        """What is known of a model, from memory, at once; None when it was never called."""
        ...


class SecretStore(Protocol):
    """Keeps secrets, and gives one out only to the code that places it."""

    async def get(self, name: str) -> Secret:
        """One secret.

        Raises:
            ConfigurationError: There is none of that name; the remedy says how to set it.
        """
        ...


class Audience(StrEnum):
    """Toward whom a text goes: it decides what is hidden."""

    MODEL = "model"
    STORE = "store"


class StreamRedactor(Protocol):
    """Redacts a text that comes in pieces; a secret cut in two is found all the same."""

    def feed(self, piece: str) -> str:
        """Take the next piece and give back what is safe to pass on."""
        ...

    def flush(self) -> str:
        """Give back the rest at the end."""
        ...


class Redactor(Protocol):
    """Hides what must not be seen."""

    def text(self, value: str, *, toward: Audience = Audience.STORE) -> str:
        """The text with every hidden thing replaced."""
        ...

    def json(self, value: Json, *, toward: Audience = Audience.STORE) -> Json:
        """The value with every hidden thing replaced, in keys and values."""
        ...

    def stream(self, *, toward: Audience = Audience.STORE) -> StreamRedactor:
        """A redactor for one stream."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How many input tokens a request has.

    Attributes:
        tokens: Best estimate.
        upper_bound: Proven bound: never below the truth.
        exact: The model's own tokeniser counted.
    """

    tokens: int
    upper_bound: int
    exact: bool = False


class TokenCounter(Protocol):
    """Counts input tokens before a call."""

    def count(self, request: CompletionRequest) -> TokenCount:
        """Tokens of the request's input, tools included."""
        ...


class PriceBook(Protocol):
    """Knows what models cost."""

    def price(self, model: str) -> Price | None:
        """Price of `provider/model`; None when unknown, which is not zero."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's answer.

    Attributes:
        granted: Yes or no.
        by: Who answered.
        reason: Their words, or why nobody could be asked.
    """

    granted: bool
    by: str = ""
    reason: str = ""


class Approver(Protocol):
    """Asks a person. No answer means no."""

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Ask about one call, showing exactly what would be sent."""
        ...


class Notifier(Protocol):
    """Tells people about things."""

    async def notify(self, event: Event) -> None:
        """Send one event on; failures are logged, never raised."""
        ...


@record(frozen=True, slots=True, kw_only=True)
class SandboxResult:
    """What a command did in a sandbox.

    Attributes:
        exit_code: Its exit code; negative when a signal ended it.
        stdout: Its output, cut at the sandbox's limit.
        stderr: Its other output, cut likewise.
        timed_out: It was ended for taking too long.
    """

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Sandbox(Protocol):
    """Runs a command where it can do no harm."""

    async def run(
        self, command: Sequence[str], *, folder: "Path", timeout_s: float, environment: Mapping[str, str]
    ) -> SandboxResult:
        """Run a command on a copy of a folder, without network, within limits.

        Raises:
            UnsupportedError: The system has no means to do so; the remedy says how to get them.
        """
        ...
