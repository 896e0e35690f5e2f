"""What came out of the job, in the form that `spec-to-github --json` prints."""

from dataclasses import dataclass
from enum import StrEnum

from interlock_core import HttpRequest, Json, JsonObject, Money, RouteDecision, Usage
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import parse_json
from interlock_pipeline.spec_to_github._draft import IssueDraft
from interlock_pipeline.specification import Specification


class IssueState(StrEnum):
    """What became of an issue.

    `unknown` means that it was sent and no answer says whether it is there.
    """

    PLANNED = "planned"
    CREATED = "created"
    EXISTING = "existing"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRecord:
    """One issue and what became of it.

    Attributes:
        draft: The issue.
        state: What became of it.
        number: Its number once it is there.
        url: Its page once it is there.
        request: The exact request, without credentials, as it was or would be sent.
        reason: Why it failed, or why nobody knows.
    """

    draft: IssueDraft
    state: IssueState
    number: int | None = None
    url: str | None = None
    request: HttpRequest | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The account of a whole specification: each requirement is in one of `issues` or in `unassigned`.

    Attributes:
        run: Id of the run.
        specification: What was read.
        issues: The issues that are there, or would be, in the order of the requirements.
        unassigned: Requirements without an issue that is known to be there, with the reason of each.
        dry_run: Nothing was sent.
        failed: The issues behind `unassigned` that failed or whose fate is unknown.
        stopped: What stopped the job before its end, if something did.
        usage: Tokens in all; None when no model said anything.
        cost: Money in all; None when a price was unknown.
        decisions: The router's decision for each model that answered, the first of each.
        duration_s: Wall seconds.
    """

    run: str
    specification: Specification
    issues: tuple[IssueRecord, ...]
    unassigned: tuple[tuple[str, str], ...]
    dry_run: bool
    failed: tuple[IssueRecord, ...] = ()
    stopped: InterlockError | None = None
    usage: Usage | None = None
    cost: Money | None = None
    decisions: tuple[RouteDecision, ...] = ()
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every issue is there, or would be."""
        return not self.failed and self.stopped is None

    def as_json(self) -> JsonObject:
        """The account as JSON; `requests` holds exactly what was or would be sent, without credentials."""
        order = {entry.id: index for index, entry in enumerate(self.specification.requirements)}
        records = sorted([*self.issues, *self.failed], key=lambda record: order[record.draft.requirements[0]])
        facts: JsonObject = {
            "run": self.run,
            "ok": self.ok,
            "dry_run": self.dry_run,
            "specification": self.specification.name,
            "requirements": [
                {"id": entry.id, "lines": list(entry.lines), "text": entry.text}
                for entry in self.specification.requirements
            ],
            "issues": [_issue_json(record) for record in self.issues],
            "requests": [_request_json(record.request) for record in records if record.request is not None],
            "unassigned": [{"id": entry, "reason": reason} for entry, reason in self.unassigned],
            "failed": [_issue_json(record) for record in self.failed],
            "usage": None
            if self.usage is None
            else {"input_tokens": self.usage.input_tokens, "output_tokens": self.usage.output_tokens},
            "cost_usd": None if self.cost is None else self.cost.as_usd,
            "duration_s": round(self.duration_s, 3),
        }
        if self.stopped is not None:
            facts["stopped"] = self.stopped.as_json()
        return facts


def _issue_json(record: IssueRecord) -> Json:
    facts: JsonObject = {
        "title": record.draft.title,
        "body": record.draft.body,
        "labels": list(record.draft.labels),
        "requirements": list(record.draft.requirements),
        "state": record.state,
        "drafted_by": record.draft.drafted_by,
    }
    optional: JsonObject = {
        "note": record.draft.note or None,
        "number": record.number,
        "url": record.url,
        "reason": record.reason or None,
    }
    return facts | {name: value for name, value in optional.items() if value is not None}


def _request_json(request: HttpRequest) -> Json:
    return {"method": request.method, "url": request.url, "body": _body_json(request.body)}


def _body_json(body: bytes | None) -> Json:
    if body is None:
        return None
    try:
        return parse_json(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
