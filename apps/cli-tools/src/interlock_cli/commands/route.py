"""`interlock route`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._input import prompt_of
from interlock_cli._session import with_runtime
from interlock_core import Candidate, RouteDecision

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def route() -> None:
    """Explain which model the router would choose."""


@route.command(
    "explain",
    epilog=examples(
        "interlock route explain 'Write a haiku.'",
        "interlock route explain - --policy cheap --json < prompt.txt",
    ),
)
@click.argument("prompt")
@click.option("--policy", default="default", show_default=True, help="Name of the policy.")
@click.option("--tools", multiple=True, metavar="GLOB", help="Tools the request would carry.")
@click.option("--task", help="Class of the task, in place of the classifier's.")
@click.pass_obj
def explain(options: Globals, prompt: str, policy: str, tools: tuple[str, ...], task: str | None) -> None:
    """Say which model would answer PROMPT (- for standard input), and why no other. Asks no model."""
    text = prompt_of(prompt)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        decision = await runtime.explain(text, policy=policy, tools=tools, task=task)
        if screen.as_json:
            screen.json(decision.as_json())
        show_decision(screen, decision)

    with_runtime(options, action)


def show_decision(screen: "Screen", decision: RouteDecision) -> None:
    """A decision as a table: what was looked at, what ruled each out, what each part weighed."""
    screen.result(f"chosen   {decision.chosen}")
    screen.result(f"because  {decision.reason}")
    screen.result(f"policy   {decision.policy}; task {decision.task} ({decision.task_confidence:.0%} sure)")
    if decision.runner_up:
        screen.result(f"next     {decision.runner_up}")
    screen.result("")
    screen.table(
        ["MODEL", "SCORE", "PARTS", "PRICE", "WHY NOT"], [_cells(entry) for entry in decision.candidates]
    )


def _cells(candidate: Candidate) -> list[str]:
    score = "-" if candidate.score is None else f"{candidate.score:.3f}"
    parts = " ".join(f"{name} {value:+.2f}" for name, value in candidate.parts.items()) or "-"
    cost = "unknown" if candidate.expected_cost is None else str(candidate.expected_cost)
    return [candidate.model, score, parts, cost, candidate.excluded or ""]
