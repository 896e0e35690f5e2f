"""`interlock ask`."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock_cli._amount import USD
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._input import prompt_of
from interlock_cli._money import dollars
from interlock_cli._screen import Screen
from interlock_cli._session import server_of, with_runtime
from interlock_cli._trace import show_event
from interlock_core import EventKind, JsonObject, RunResult, StopReason
from interlock_core.errors import BudgetExceededError, InterlockError

if TYPE_CHECKING:
    from interlock_runtime import Question, Runtime


@click.command(
    epilog=examples(
        "interlock ask 'Why is the sky blue?'",
        "git diff | interlock ask - --system 'Review this change.'",
        "interlock ask 'Which issues are open in acme/notes?' --tools 'github.issues_list'",
        "interlock ask 'Name three cities.' --schema cities.json --json",
    )
)
@click.argument("prompt")
@click.option("-m", "--model", default="auto", show_default=True, help="provider/model, auto or auto/POLICY.")
@click.option("--policy", help="Routing policy; the same as -m auto/POLICY.")
@click.option("--tools", multiple=True, metavar="GLOB", help="Tools the model may call, such as 'github.*'.")
@click.option("--system", help="System prompt.")
@click.option(
    "--image",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Image to show the model.",
)
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Schema that the answer must fit.",
)
@click.option("--max-cost", type=USD, metavar="USD", help="Most dollars the run may cost.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Most output tokens of an answer.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Randomness, 0 to 2.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@click.pass_obj
def ask(options: Globals, /, prompt: str, **flags: object) -> None:
    """Ask a model one thing. PROMPT is the question, or - for standard input."""
    from interlock_cli._question import question_of

    question = question_of(prompt_of(prompt), flags)
    stream = not flags.get("no_stream") and not options.json and question.schema is None

    server = server_of(options)
    if server is not None:
        from interlock_cli._remote import ask_server

        ask_server(server, question, Screen(options), stream=stream)
        return

    async def action(runtime: "Runtime", screen: Screen) -> None:
        await _ask(runtime, screen, question, stream=stream)

    with_runtime(options, action)


async def _ask(runtime: "Runtime", screen: Screen, question: "Question", *, stream: bool) -> None:
    result: RunResult | None = None
    async with aclosing(runtime.ask_events(question)) as events:
        async for item in events:
            if isinstance(item, RunResult):
                result = item
            elif stream and item.kind is EventKind.TEXT_DELTA:
                screen.result(str(item.data["text"]), end="")
            elif question.tools or screen.verbose:
                show_event(screen, item)
    if result is None:  # pragma: no cover - a run always ends in a result
        return
    _finish(screen, result, streamed=stream)


def _finish(screen: Screen, result: RunResult, *, streamed: bool) -> None:
    if screen.as_json:
        screen.json(run_json(result))
    elif streamed:
        screen.result("")
    else:
        screen.result(result.text)
    usage = result.usage
    tokens = "no usage" if usage is None else f"{usage.input_tokens} + {usage.output_tokens} tokens"
    model = result.steps[-1].completion.model if result.steps else "no model"
    screen.say(f"[{model} · {tokens} · {dollars(result.cost)} · {result.duration_s:.1f} s]")
    problem = problem_of(result)
    if problem is not None:
        raise problem


def problem_of(result: RunResult) -> InterlockError | None:
    """The error that a run's end means for the exit code; None when it answered."""
    if result.stop is StopReason.ANSWERED:
        return None
    if result.stop is StopReason.BUDGET:
        return BudgetExceededError(
            result.detail, remedy="What was reached so far is printed; raise the bound."
        )
    return InterlockError(
        result.detail or f"The run ended: {result.stop}.", remedy="See the steps with --verbose."
    )


def run_json(result: RunResult) -> JsonObject:
    """A run's result as `ask --json` prints it."""
    usage, last = result.usage, result.steps[-1].completion if result.steps else None
    decision = next((step.completion.decision for step in result.steps if step.completion.decision), None)
    return {
        "run": result.run,
        "text": result.text,
        "stop": result.stop,
        "detail": result.detail,
        "model": "" if last is None else last.model,
        "usage": None
        if usage is None
        else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "exact": usage.exact},
        "cost_usd": None if result.cost is None else result.cost.as_usd,
        "duration_s": round(result.duration_s, 3),
        "route": None if decision is None else decision.as_json(),
        "tool_calls": [
            {
                "tool": call.name,
                "arguments": call.arguments,
                "ok": not answer.is_error,
                "status": answer.status,
            }
            for step in result.steps
            for call, answer in zip(step.calls, step.results, strict=False)
        ],
    }
