"""Shows the specification job to a person: one line an issue, and the account at the end."""

from interlock_cli._money import dollars
from interlock_cli._screen import Screen
from interlock_core import Event, EventKind
from interlock_core.jsontypes import as_int, as_text
from interlock_runtime.jobs import IssueState, JobResult


class JobScreen:
    """Follows one job.

    Args:
        screen: Where to write.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._total = 0
        self._done = 0

    def event(self, event: Event) -> None:
        """Show one step."""
        data = event.data
        match event.kind:
            case EventKind.RUN_STARTED:
                self._total = as_int(data.get("requirements")) or 0
                self._screen.say(f"{data.get('specification')}: {self._total} requirements")
                self._progress("asking the model")
            case EventKind.PROGRESS if data.get("state") == IssueState.EXISTING:
                self._done += 1
                where = f"#{data.get('number')} (there already)  {data.get('url')}"
                self._screen.result(f"{data.get('requirement'):>4} -> {where}")
            case EventKind.PROGRESS:
                self._progress(as_text(data.get("title")) or "")
            case EventKind.TOOL_FINISHED:
                self._done += 1
                self._line(event)
                self._progress("asking the model")
            case _:
                pass

    def _progress(self, what: str) -> None:
        width = 24
        full = width * self._done // max(self._total, 1)
        self._screen.status(f"  [{'#' * full}{'.' * (width - full)}] {self._done}/{self._total}  {what}")

    def _line(self, event: Event) -> None:
        data = event.data
        if data.get("ok"):
            issue = f"#{data.get('number')} {data.get('title')}"
            self._screen.result(f"{data.get('requirement'):>4} -> {issue}  {data.get('url')}")
        else:
            self._screen.warn(f"{data.get('requirement')} failed: {data.get('reason')}")

    def result(self, result: JobResult) -> None:
        """Show the account."""
        screen = self._screen
        if screen.as_json:
            screen.json(result.as_json())
        if result.dry_run:
            self._requests(result)
        for requirement, reason in result.unassigned:
            screen.say(f"  {requirement} has no issue: {reason}")
        own = sum(
            record.draft.drafted_by == "structure" and bool(record.draft.note) for record in result.issues
        )
        if own:
            screen.say(
                f"  {own} titles are the requirement's own words: what the model wrote there did not hold"
            )
        usage = result.usage
        tokens = "no tokens" if usage is None else f"{usage.input_tokens} + {usage.output_tokens} tokens"
        screen.say(f"  {tokens}, {dollars(result.cost)}, {result.duration_s:.1f} s")

    def _requests(self, result: JobResult) -> None:
        for record in result.issues:
            if record.request is not None:
                body = (record.request.body or b"").decode("utf-8", "replace")
                self._screen.result(f"{record.request.method} {record.request.url}\n{body}\n")
        self._screen.say(f"Dry run: {len(result.issues)} requests shown, nothing was sent.")
