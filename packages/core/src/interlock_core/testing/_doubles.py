"""Doubles for permission, guards, secrets, tools and the like."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase

from interlock_core.call import Budget, Call, CallKind, Outcome, Principal, Verdict
from interlock_core.errors import ConfigurationError, InterlockError, NotFoundError
from interlock_core.jsontypes import Json
from interlock_core.messages import Text, ToolCall, ToolResult
from interlock_core.models import Price
from interlock_core.nearest import suggestion
from interlock_core.protocols import Approval, Audience, Prepared
from interlock_core.secret import Secret
from interlock_core.toolspec import Effect, ToolSpec


def make_call(
    name: str = "scripted/model",
    *,
    kind: CallKind = CallKind.MODEL,
    user: str = "local:test",
    roles: Iterable[str] = ("admin",),
    effect: Effect = Effect.READ,
    budget: Budget | None = None,
    call_id: str = "call_test",
) -> Call:
    """A `Call` with the fields that most tests care for."""
    principal = Principal(user=user, roles=frozenset(roles))
    return Call(id=call_id, kind=kind, name=name, principal=principal, effect=effect, budget=budget)


class OpenPermit:
    """A `Permit` that allows everything, and remembers in `asked` what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Call] = []

    def may(self, call: Call) -> Verdict:
        """Yes."""
        self.asked.append(call)
        return Verdict(allowed=True, reason="This test allows everything.", rule="test:open")


class DenyPermit:
    """A `Permit` that forbids the names that match its patterns; all, when none are given."""

    def __init__(self, *patterns: str) -> None:
        self.patterns = patterns or ("*",)
        self.asked: list[Call] = []

    def may(self, call: Call) -> Verdict:
        """No for a matching name."""
        self.asked.append(call)
        denied = any(fnmatchcase(call.name, pattern) for pattern in self.patterns)
        reason = f"This test forbids {call.name}." if denied else "This test does not forbid it."
        return Verdict(allowed=not denied, reason=reason, rule="test:deny")


class RecordingGuard:
    """A `Guard` that remembers what passed it.

    Args:
        name: Written into `log`, so that the order of several guards can be seen.
        refuse: Raised on entering, when given.
        log: A list that several guards may share; gets `enter <name>` and `leave <name>`.
    """

    def __init__(
        self, name: str = "guard", *, refuse: InterlockError | None = None, log: list[str] | None = None
    ) -> None:
        self.name = name
        self.refuse = refuse
        self.log: list[str] = [] if log is None else log
        self.entered: list[Call] = []
        self.left: list[tuple[Call, Outcome | None]] = []
        self.errors: list[BaseException] = []

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """Note the call, then what became of it."""
        if self.refuse is not None:
            raise self.refuse
        self.entered.append(call)
        self.log.append(f"enter {self.name}")
        try:
            yield
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.left.append((call, call.ending.outcome))
            self.log.append(f"leave {self.name}")


class RecordingRecorder:
    """A `Recorder` that keeps everything in `records`."""

    def __init__(self) -> None:
        self.records: list[tuple[Call, Outcome]] = []

    def record(self, call: Call, outcome: Outcome) -> None:
        """Keep one call."""
        self.records.append((call, outcome))


class MemorySecrets:
    """A `SecretStore` over a dictionary."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._secrets = dict(secrets or {})

    async def get(self, name: str) -> Secret:
        """One secret.

        Raises:
            ConfigurationError: There is none of that name.
        """
        if name not in self._secrets:
            raise ConfigurationError(
                f"There is no secret {name}.", field=name, remedy=suggestion(name, self._secrets)
            )
        return Secret(self._secrets[name], name=name)


class MemoryCatalog:
    """A `ToolCatalog` over a list."""

    def __init__(self, tools: Iterable[ToolSpec] = ()) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def list(self, patterns: Sequence[str] = ("*",)) -> Sequence[ToolSpec]:
        """Tools whose name matches a pattern, sorted."""
        names = sorted(n for n in self._tools if any(fnmatchcase(n, pattern) for pattern in patterns))
        return [self._tools[name] for name in names]

    def get(self, name: str) -> ToolSpec:
        """One tool.

        Raises:
            NotFoundError: There is none.
        """
        if name not in self._tools:
            raise NotFoundError(
                f"There is no tool {name}.", field="name", remedy=suggestion(name, self._tools)
            )
        return self._tools[name]

    def search(self, query: str, *, limit: int = 10) -> Sequence[ToolSpec]:
        """Tools that have a word of the query in their name or description."""
        words = query.lower().split()
        found = [t for t in self.list() if any(w in f"{t.name} {t.description}".lower() for w in words)]
        return found[:limit]


class ScriptedExecutor:
    """A `ToolExecutor` that answers from a table and remembers in `executed` what it was asked.

    Args:
        results: By tool name: a text, a whole result, or an error to raise.
        tools: Descriptions of the tools; one is made up where there is none.
    """

    def __init__(
        self,
        results: Mapping[str, str | ToolResult | InterlockError],
        *,
        tools: Iterable[ToolSpec] = (),
    ) -> None:
        self.results = dict(results)
        self.tools = {tool.name: tool for tool in tools}
        self.prepared: list[ToolCall] = []
        self.executed: list[tuple[ToolCall, Call]] = []

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """The arguments as they are, without a request.

        Raises:
            NotFoundError: The table has no such tool.
        """
        if call.name not in self.results:
            raise NotFoundError(
                f"There is no tool {call.name}.", field="name", remedy=suggestion(call.name, self.results)
            )
        self.prepared.append(call)
        tool = self.tools.get(call.name) or ToolSpec(name=call.name, effect=context.effect)
        return Prepared(tool=tool, arguments=call.parsed())

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """The table's answer.

        Raises:
            InterlockError: The table has one for this tool, or no such tool.
        """
        await self.prepare(call, context)
        self.executed.append((call, context))
        answer = self.results[call.name]
        if isinstance(answer, InterlockError):
            raise answer
        if isinstance(answer, ToolResult):
            return answer
        return ToolResult(call_id=call.id, name=call.name, content=(Text(answer),))


class ScriptedApprover:
    """An `Approver` that gives its answers in turn, and says no when they are used up."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked: list[Prepared] = []

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """The next answer."""
        self.asked.append(prepared)
        granted = self._answers.pop(0) if self._answers else False
        return Approval(granted=granted, by="test", reason="" if granted else "This test said no.")


class StaticPrices:
    """A `PriceBook` over a dictionary."""

    def __init__(self, prices: Mapping[str, Price] | None = None) -> None:
        self._prices = dict(prices or {})

    def price(self, model: str) -> Price | None:
        """The price, or None."""
        return self._prices.get(model)


class PlainRedactor:
    """A `Redactor` that replaces the given texts by `[hidden]`, and holds streams back to their end."""

    def __init__(self, *hidden: str) -> None:
        self.hidden = hidden

    def text(self, value: str, *, toward: Audience = Audience.STORE) -> str:
        """The text without the hidden ones."""
        for secret in self.hidden:
            value = value.replace(secret, "[hidden]")
        return value

    def json(self, value: Json, *, toward: Audience = Audience.STORE) -> Json:
        """The value without the hidden texts, in keys and values."""
        if isinstance(value, str):
            return self.text(value, toward=toward)
        if isinstance(value, list):
            return [self.json(item, toward=toward) for item in value]
        if isinstance(value, dict):
            return {self.text(k, toward=toward): self.json(v, toward=toward) for k, v in value.items()}
        return value

    def stream(self, *, toward: Audience = Audience.STORE) -> "PlainStream":
        """A redactor for one stream."""
        return PlainStream(self, toward)


class PlainStream:
    """The `StreamRedactor` of `PlainRedactor`: keeps everything until `flush`."""

    def __init__(self, redactor: PlainRedactor, toward: Audience) -> None:
        self._redactor = redactor
        self._toward = toward
        self._held = ""

    def feed(self, piece: str) -> str:
        """Hold a piece back; give nothing, or everything when nothing is hidden."""
        if not self._redactor.hidden:
            return piece
        self._held += piece
        return ""

    def flush(self) -> str:
        """All that was held, redacted."""
        held, self._held = self._held, ""
        return self._redactor.text(held, toward=self._toward)
