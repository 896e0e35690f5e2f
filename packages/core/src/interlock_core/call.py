"""One guarded call: who wants what done, within which bounds, and what became of it."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from interlock_core.completion import Usage
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject
from interlock_core.limits import LimitState
from interlock_core.metering import Meter
from interlock_core.money import Money
from interlock_core.record import record
from interlock_core.toolspec import Effect


class CallKind(StrEnum):
    """What is called."""

    MODEL = "model"
    TOOL = "tool"


@record(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who stands behind a call.

    Attributes:
        user: `local:<os user>` on the command line, a user's name over HTTP.
        roles: Names of the roles held.
        key_id: Id (never the text) of the API key used.
        team: The user's team, if any.
        organisation: The team's organisation, if any.
        scopes: Restrictions of the key; empty means none.
    """

    user: str
    roles: frozenset[str] = frozenset()
    key_id: str | None = None
    team: str | None = None
    organisation: str | None = None
    scopes: frozenset[str] = frozenset()


@record(frozen=True, slots=True, kw_only=True)
class Taint:
    """Something untrusted that entered the run's context.

    Attributes:
        source: Name of the tool whose result it was.
        call_id: Id of that call.
    """

    source: str
    call_id: str


@record(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bounds of one run; None means no bound of that kind.

    Attributes:
        max_turns: Most answers of the model.
        max_tool_calls: Most tool calls.
        max_tokens: Most tokens in all.
        max_cost: Most money.
        max_seconds: Most wall time.
    """

    max_turns: int | None = 12
    max_tool_calls: int | None = 64
    max_tokens: int | None = None
    max_cost: Money | None = None
    max_seconds: float | None = None


@record(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a call.

    Attributes:
        ok: It did what it was for.
        error: Code of the error's class when it did not.
        status: HTTP status of the other side, when there was one.
        model: `provider/model` that answered.
        task: Class of the task, when the router named one.
        usage: Tokens, when known.
        cost: Money, when known.
        duration_s: Seconds from start to end.
        first_token_s: Seconds to the first token of a stream.
        attempts: Calls to the other side.
        tool_calls: How many calls the model asked for.
        tool_calls_valid: How many of them named a known tool with valid arguments.
        score: Quality from 0 to 1, when something judged it.
        summary: Short, redacted text of the result for the record.
        cancelled: The client left before the end.
    """

    ok: bool
    error: str | None = None
    status: int | None = None
    model: str | None = None
    task: str | None = None
    usage: Usage | None = None
    cost: Money | None = None
    duration_s: float = 0.0
    first_token_s: float | None = None
    attempts: int = 1
    tool_calls: int = 0
    tool_calls_valid: int = 0
    score: float | None = None
    summary: str = ""
    cancelled: bool = False

    @classmethod
    def failure(cls, error: BaseException, *, duration_s: float = 0.0) -> "Outcome":
        """The outcome of a call that ended in an error."""
        code = error.code if isinstance(error, InterlockError) else type(error).__name__
        status = error.vendor_status if isinstance(error, InterlockError) else None
        cancelled = type(error).__name__ in {"CancelledError", "GeneratorExit"}
        return cls(ok=False, error=code, status=status, duration_s=duration_s, cancelled=cancelled)


class Ending:
    """Where the one that makes a call writes its outcome, and guards read it afterwards.

    Attributes:
        outcome: What became of the call.
        limits: The limits that it fell under, for whoever tells the client.
    """

    __slots__ = ("limits", "outcome")

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.limits: tuple[LimitState, ...] = ()


@record(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to a model or a tool, as every guard sees it.

    Attributes:
        id: Unique id.
        kind: Model or tool.
        name: `provider/model` (or `auto…`) for a model, the tool's name for a tool.
        principal: The user behind it.
        agent: The agent that makes it, when a model decided on it; both must be permitted.
        run: Id of the run that it belongs to.
        effect: What it may do.
        category: Category of the tool.
        tags: The caller's own labels.
        taint: Untrusted sources in the run's context so far.
        budget: Bounds of the run.
        deadline: Point of the monotonic clock, in seconds, after which nobody waits.
        cost_bound: Most money that this call can cost; None when unknown.
        arguments: Arguments of a tool, not yet redacted: guards redact before they store.
        task: Class of the task, given by the caller.
        policy: Routing policy, given by the caller.
        trace_id: Id that joins records, logs and traces.
        idempotency_key: Same key, same effect: once.
        max_pages: Most pages of a tool's answer that are gathered; None leaves it to the operator.
        ending: Where the outcome is written.
        meter: Pays for the requests that are sent to vendors for it; None books nothing.
    """

    id: str
    kind: CallKind
    name: str
    principal: Principal
    agent: str | None = None
    run: str | None = None
    effect: Effect = Effect.READ
    category: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    taint: tuple[Taint, ...] = ()
    budget: Budget | None = None
    deadline: float | None = None
    cost_bound: Money | None = None
    arguments: JsonObject | None = field(default=None, repr=False)
    task: str | None = None
    policy: str | None = None
    trace_id: str = ""
    idempotency_key: str | None = None
    max_pages: int | None = None
    ending: Ending = field(default_factory=Ending, compare=False, repr=False)
    meter: Meter | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to “may this principal do that?”, with its reason.

    Attributes:
        allowed: Yes or no.
        reason: One sentence for a person.
        rule: The rule that decided, such as `role:readonly`.
        approvals: How many people must say yes before the call, where it is allowed at all.
    """

    allowed: bool
    reason: str
    rule: str = ""
    approvals: int = 0
