"""Keeps account of one job: what became of each requirement, and what it cost."""

from interlock_core import Clock, Completion, Event, EventKind, JsonObject, Redactor, RouteDecision, new_id
from interlock_core.errors import InterlockError, UpstreamError
from interlock_pipeline.spec_to_github._purse import Purse
from interlock_pipeline.spec_to_github._request import JobRequest
from interlock_pipeline.spec_to_github._result import IssueRecord, IssueState, JobResult

_FAILURES_IN_A_ROW = 5
_WITHOUT_ISSUE = frozenset({IssueState.FAILED, IssueState.UNKNOWN})
_UNSENT = frozenset({IssueState.EXISTING, IssueState.PLANNED})


class Account:
    """The account of one run of the job.

    Args:
        request: What was asked.
        clock: Time.
        redactor: Hides secrets in events.
    """

    def __init__(self, request: JobRequest, clock: Clock, redactor: Redactor | None) -> None:
        self.request = request
        self.run = request.run or new_id("run")
        self.purse = Purse(request.budget, clock)
        self.stopped: InterlockError | None = None
        self._clock = clock
        self._redactor = redactor
        self._started = clock.monotonic()
        self._records: list[IssueRecord] = []
        self._decisions: dict[str, RouteDecision] = {}
        self._failures = 0

    @property
    def sent_something(self) -> bool:
        """Whether a result must be given, because something was sent or has a reason of its own."""
        return any(record.state not in _UNSENT for record in self._records)

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return self._clock.monotonic()

    def keep(self, record: IssueRecord) -> None:
        """Note what became of an issue; after five failures in a row the job stops."""
        self._records.append(record)
        self._failures = self._failures + 1 if record.state in _WITHOUT_ISSUE else 0
        if self._failures == _FAILURES_IN_A_ROW:
            self.stopped = UpstreamError(
                f"{_FAILURES_IN_A_ROW} issues in a row could not be created; the last: {record.reason}",
                remedy="See to the reason and run it again: what was created is found.",
            )

    def decided(self, completion: Completion | None) -> RouteDecision | None:
        """Note how a model was chosen; the decision when it is the first for that model."""
        decision = None if completion is None else completion.decision
        if decision is None or decision.chosen in self._decisions:
            return None
        self._decisions[decision.chosen] = decision
        return decision

    def event(self, kind: EventKind, data: JsonObject) -> Event:
        """One event, now."""
        shown = data if self._redactor is None else self._redactor.json(data)
        facts = shown if isinstance(shown, dict) else {}
        return Event(kind=kind, run=self.run, at=self._clock.now(), data=facts)

    def result(self) -> JobResult:
        """The account so far; whatever has no issue has a reason."""
        specification = self.request.specification
        order = {entry.id: index for index, entry in enumerate(specification.requirements)}
        records = sorted(self._records, key=lambda record: order[record.draft.requirements[0]])
        reasons = {
            entry.id: f"its box is ticked at line {entry.lines[0]}: it is done"
            for entry in specification.requirements
            if entry.done
        }
        failed = [record for record in records if record.state in _WITHOUT_ISSUE]
        reasons |= {entry: record.reason for record in failed for entry in record.draft.requirements}
        there = {entry for record in records for entry in record.draft.requirements} - reasons.keys()
        rest = f"not tried, because the job stopped: {self.stopped}"
        return JobResult(
            run=self.run,
            specification=specification,
            issues=tuple(record for record in records if record.state not in _WITHOUT_ISSUE),
            unassigned=tuple((entry, reasons.get(entry, rest)) for entry in order if entry not in there),
            dry_run=self.request.dry_run,
            failed=tuple(failed),
            stopped=self.stopped,
            usage=self.purse.usage,
            cost=None if self.purse.unpriced else self.purse.cost,
            decisions=tuple(self._decisions.values()),
            duration_s=self._clock.monotonic() - self._started,
        )
