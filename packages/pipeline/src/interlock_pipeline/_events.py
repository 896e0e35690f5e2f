"""What a run tells of itself: facts for people and records, with secrets hidden."""

from interlock_core import (
    Clock,
    Completion,
    Event,
    EventKind,
    Json,
    JsonObject,
    Redactor,
    StopReason,
    ToolCall,
)
from interlock_core.jsontypes import dump_json
from interlock_core.protocols import Audience, StreamRedactor
from interlock_pipeline._answer import End
from interlock_pipeline._turn import Asked, Began, Ended

_MOST_ARGUMENTS = 4_000
_MOST_SUMMARY = 500
_MOST_SCANNED = 64_000
_MOST_NAME = 128


class Teller:
    """Makes the events of one run.

    Args:
        run: Id of the run.
        clock: Time.
        redactor: Hides secrets; without one, events carry no arguments and no results.
    """

    __slots__ = ("_clock", "_redactor", "_run")

    def __init__(self, run: str, clock: Clock, redactor: Redactor | None) -> None:
        self._run = run
        self._clock = clock
        self._redactor = redactor

    def event(self, kind: EventKind, data: JsonObject) -> Event:
        """One event, now."""
        return Event(kind=kind, run=self._run, at=self._clock.now(), data=data)

    def words(self) -> "Words":
        """A teller of one stream of words."""
        redactor = self._redactor
        return Words(None if redactor is None else redactor.stream(toward=Audience.MODEL))

    def warning(self, message: str) -> Event:
        """Something that a person should know."""
        return self.event(EventKind.WARNING, {"message": self._shown(message, _MOST_ARGUMENTS)})

    def ended(self, end: End) -> tuple[Event, ...]:
        """The run ended."""
        facts: JsonObject = {"stop": end.stop, "detail": self._shown(end.detail, _MOST_ARGUMENTS)}
        finished = self.event(EventKind.RUN_FINISHED, facts)
        if end.error is not None:
            return (self.event(EventKind.RUN_FAILED, end.error.as_json()),)
        if end.bound is not None:
            return (self.event(EventKind.BUDGET_REACHED, {"bound": end.bound}), finished)
        return (self.warning(end.detail), finished) if end.stop is StopReason.LOOP else (finished,)

    def proposed(self, call: ToolCall) -> Event:
        """The model wants this call made."""
        facts = self._call_facts(call)
        if self._redactor is not None:
            facts["arguments"] = self._shown(call.arguments, _MOST_ARGUMENTS)
        return self.event(EventKind.TOOL_PROPOSED, facts)

    def called(self, news: Began | Asked | Ended) -> Event:
        """A call began, a person was asked about it or answered, it ended, or it was not made."""
        facts = self._call_facts(news.call)
        if isinstance(news, Asked):
            return self._asked(news, facts)
        if isinstance(news, Began):
            return self.event(EventKind.TOOL_STARTED, facts)
        result = news.result
        facts |= {
            "ok": not result.is_error,
            "status": result.status,
            "error": result.error_code,
            "duration_s": news.duration_s,
        }
        if self._redactor is not None:
            facts["summary"] = self._shown(result.text, _MOST_SUMMARY)
        return self.event(EventKind.TOOL_REJECTED if news.rejected else EventKind.TOOL_FINISHED, facts)

    def _asked(self, asked: Asked, facts: JsonObject) -> Event:
        approval = asked.news.approval
        if approval is not None:
            reason = self._shown(approval.reason, _MOST_SUMMARY)
            by = self._shown(approval.by, _MOST_NAME)
            return self.event(
                EventKind.APPROVAL_GIVEN,
                {**facts, "granted": approval.granted, "by": by, "reason": reason},
            )
        prepared = asked.news.prepared
        facts["effect"] = prepared.tool.effect.value
        if self._redactor is not None:
            request = prepared.request
            shown = dump_json(prepared.arguments) if request is None else request.readable()
            facts["request"] = self._shown(shown, _MOST_ARGUMENTS)
        return self.event(EventKind.APPROVAL_ASKED, facts)

    def answered(self, completion: Completion) -> Event:
        """The model's answer ended."""
        usage: Json = None
        if completion.usage is not None:
            usage = {
                "input_tokens": completion.usage.input_tokens,
                "output_tokens": completion.usage.output_tokens,
            }
        return self.event(
            EventKind.MODEL_FINISHED,
            {
                "model": completion.model,
                "finish": completion.finish,
                "usage": usage,
                "cost_usd": None if completion.cost is None else completion.cost.as_usd,
                "attempts": completion.attempts,
                "tool_calls": len(completion.message.tool_calls),
            },
        )

    def _call_facts(self, call: ToolCall) -> JsonObject:
        return {"call": call.id, "tool": self._shown(call.name, _MOST_NAME)}

    def _shown(self, text: str, most: int) -> str:
        scanned = text[:_MOST_SCANNED]
        shown = scanned if self._redactor is None else self._redactor.text(scanned)
        return shown if len(shown) <= most else f"{shown[: most - 1]}…"


class Words:
    """Passes on one stream of words; a secret that is cut in two is hidden all the same.

    Args:
        redactor: Hides secrets; None passes everything on.
    """

    __slots__ = ("_redactor",)

    def __init__(self, redactor: StreamRedactor | None) -> None:
        self._redactor = redactor

    def feed(self, piece: str) -> str:
        """Take the next piece and give back what can be shown now."""
        if not piece or self._redactor is None:
            return piece
        return self._redactor.feed(piece)

    def flush(self) -> str:
        """The rest."""
        return "" if self._redactor is None else self._redactor.flush()
