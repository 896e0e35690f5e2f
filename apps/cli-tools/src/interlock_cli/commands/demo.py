"""`interlock demo`: the main job from end to end, on what is installed."""

import time
from contextlib import aclosing
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import click

from interlock_cli._approver import Terminal
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._money import dollars
from interlock_cli._screen import Screen
from interlock_cli._session import settings_of
from interlock_cli._trace import show_event
from interlock_cli.commands.ask import run_json
from interlock_cli.commands.audit import show_verification
from interlock_cli.commands.route import show_decision
from interlock_cli.commands.spec_to_github import run_job
from interlock_core import JsonObject, Money, RunResult, Usage
from interlock_core.errors import InterlockError, VerificationError
from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from interlock_runtime.demonstration import Demonstration
    from interlock_runtime.jobs import JobResult


_SHOWN = 5


@click.command(epilog=examples("interlock demo", "interlock demo --spec my-spec.md --hold"))
@click.option(
    "--spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A specification in place of the one that is shipped.",
)
@click.option("--hold", is_flag=True, help="Keep the stand-in running at the end, to look at its pages.")
@click.pass_obj
def demo(options: Globals, spec: Path | None, hold: bool) -> None:
    """Run the main job on embedded defaults, without a key.

    A specification goes in, the router chooses a model, issues are created through a tool made from an
    OpenAPI document, and the audit log proves what happened. GitHub is played by a stand-in on this machine.
    """
    import asyncio

    asyncio.run(_demo(options, spec, hold=hold))


async def _demo(options: Globals, spec: Path | None, *, hold: bool) -> None:
    from interlock_runtime.demonstration import demonstration

    started = time.monotonic()
    screen = Screen(options)
    approver = Terminal(ask=not options.no_input)
    async with demonstration(settings_of(options), specification=spec, approver=approver) as shown:
        facts = await _walk(screen, shown, started)
        if screen.as_json:
            screen.json(facts)
        _next(screen, shown)
        if hold:
            await _held(screen, shown)
        if not facts["audit_ok"]:
            raise VerificationError("The audit log does not hold.")


async def _walk(screen: Screen, shown: "Demonstration", started: float) -> JsonObject:
    for entry in shown.reused:
        screen.say(f"Reusing {entry}.")
    screen.say(
        f"GitHub is played by a stand-in on this machine: {shown.api}. Nothing leaves it, no key is used."
    )
    screen.say("")

    screen.heading("1. The route: which model will do it, and why")
    decision = await shown.runtime.explain("Turn a requirement into a GitHub issue as JSON.", task="writing")
    quiet = _Told(screen)
    show_decision(quiet, decision)
    screen.say("")

    screen.heading(f"2. The job: {shown.job.file.name} becomes issues in {shown.job.owner}/{shown.job.repo}")
    job = await run_job(shown.runtime, quiet, shown.job)
    screen.say("")

    screen.heading("3. A question: the model itself chooses a tool of the stand-in and calls it")
    screen.say(f"asked    {shown.question.prompt}")
    answer = await _ask(quiet, shown)
    screen.say("")

    screen.heading("4. The proof: the audit log, verified")
    report = await shown.runtime.trail.verify()
    show_verification(quiet, report)
    screen.say("")
    return _account(screen, job, answer, report, time.monotonic() - started)


class _Told(Screen):
    """A screen on which results are remarks: the demonstration's one result comes at its end."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(Globals())
        self._screen = screen

    def json(self, value: object) -> None:
        """Say nothing: the demonstration prints one JSON document of its own."""

    def result(self, text: str, *, end: str = "\n") -> None:
        """Say it."""
        self._screen.say(text.rstrip("\n"))

    def say(self, text: str = "") -> None:
        """Say it."""
        self._screen.say(text)

    def status(self, text: str) -> None:
        """Show progress."""
        self._screen.status(text)


async def _ask(screen: Screen, shown: "Demonstration") -> RunResult:
    result: RunResult | None = None
    async with aclosing(shown.runtime.ask_events(shown.question)) as events:
        async for item in events:
            if isinstance(item, RunResult):
                result = item
            else:
                show_event(screen, item)
    if result is None:  # pragma: no cover - a run always ends in a result
        raise InterlockError("The run ended without a result.")
    for line in _seen(result):
        screen.result(f"         {line}")
    screen.result(f"answer   {' '.join(result.text.split())}")
    screen.result("         (a very small model's words; what the tool said stands above)")
    if result.detail:
        screen.result(f"         ({result.detail})")
    return result


def _seen(result: RunResult) -> list[str]:
    """The issues that a tool's answer names, one line each: what is true, whatever the model says of it."""
    issues = [
        as_object(issue)
        for step in result.steps
        for answer in step.results
        for issue in as_array(answer.structured)
    ]
    shown = [f"#{issue.get('number')} {issue.get('title')}" for issue in issues[:_SHOWN]]
    return [*shown, f"and {len(issues) - _SHOWN} more"] if len(issues) > _SHOWN else shown


def _account(
    screen: Screen, job: "JobResult", answer: RunResult, report: JsonObject, seconds: float
) -> JsonObject:
    parts = [part for part in (job.usage, answer.usage) if part is not None]
    usage = parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]) if parts else Usage()
    cost = None if job.cost is None or answer.cost is None else Money.total([job.cost, answer.cost])
    screen.result(
        f"In all: {len(job.issues)} issues, {usage.input_tokens:,} + {usage.output_tokens:,} tokens, "
        f"{dollars(cost)}, {seconds:.1f} s"
    )
    return {
        "job": job.as_json(),
        "question": run_json(answer),
        "audit_ok": bool(report["ok"]),
        "audit": report,
        "seconds": round(seconds, 3),
    }


def _next(screen: Screen, shown: "Demonstration") -> None:
    command = "interlock" if which("interlock") else ".venv/bin/interlock"
    screen.say("")
    screen.heading("What to type next")
    screen.say(f"  your own specification   {command} demo --spec my-spec.md")
    screen.say(f"  look at the issues       {command} demo --hold   (then open {shown.page})")
    screen.say("  real GitHub, seen first  export GITHUB_TOKEN=…")
    screen.say(
        f"                           {command} spec-to-github --spec my-spec.md --owner O --repo R --dry-run"
    )
    screen.say(f"  a stronger model         export OPENAI_API_KEY=…; {command} ask 'Hello' -m auto/best")
    screen.say(f"  a gateway for clients    {command} serve   (then open http://127.0.0.1:8420)")
    screen.say(f"  this run's records       INTERLOCK_HOME={shown.home} {command} audit tail")


async def _held(screen: Screen, shown: "Demonstration") -> None:
    import asyncio

    screen.say(f"\nThe stand-in runs on: {shown.page} (Ctrl-C ends it)")
    await asyncio.Event().wait()
