"""Shows the steps of a run to a person, one line each."""

from interlock_cli._screen import Screen
from interlock_core import Event, EventKind
from interlock_core.jsontypes import as_number, as_object, as_text


def show_event(screen: Screen, event: Event) -> None:
    """One event as one line; events that carry pieces of text show nothing."""
    line = _line(event)
    if line:
        screen.say(line)


def _line(event: Event) -> str:
    data = event.data
    match event.kind:
        case EventKind.ROUTE_DECIDED:
            return f"route    {data.get('chosen')} ({as_text(data.get('reason')) or data.get('policy')})"
        case EventKind.MODEL_FINISHED:
            usage = as_object(data.get("usage"))
            tokens = (
                f"{usage.get('input_tokens')} + {usage.get('output_tokens')} tokens" if usage else "no usage"
            )
            return f"model    {data.get('model')} ended with {data.get('finish')} ({tokens})"
        case EventKind.TOOL_PROPOSED:
            return f"call     {data.get('tool')} {as_text(data.get('arguments')) or ''}"
        case EventKind.TOOL_FINISHED | EventKind.TOOL_REJECTED:
            return _result_line(event)
        case EventKind.BUDGET_REACHED:
            return f"budget   {data.get('bound')} reached"
        case EventKind.WARNING:
            return f"warning  {data.get('message')}"
        case _:
            return ""


def _result_line(event: Event) -> str:
    data = event.data
    word = "refused" if event.kind is EventKind.TOOL_REJECTED else "result " if data.get("ok") else "failed "
    status = f"HTTP {data['status']}, " if data.get("status") else ""
    seconds = as_number(data.get("duration_s")) or 0.0
    summary = " ".join((as_text(data.get("summary")) or "").split())
    return f"{word}  {data.get('tool')} ({status}{seconds * 1000:.0f} ms) {summary[:120]}".rstrip()
