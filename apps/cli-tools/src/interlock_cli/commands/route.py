"""`interlock route`."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from interlock_cli._bar import Bar
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._input import prompt_of
from interlock_cli._screen import Screen
from interlock_cli._session import settings_of, with_runtime
from interlock_core import Candidate, RouteDecision

if TYPE_CHECKING:
    from interlock_runtime import Runtime
    from interlock_runtime.replaying import Evaluation, ReplayReport


class _How(TypedDict):
    """The options of a replay that say how the table is gone through."""

    policy: str
    seed: int
    no_task: bool
    no_priors: bool
    in_order: bool
    quiz: int
    floor: float
    log: Path | None


@click.group()
def route() -> None:
    """Explain which model the router would choose, and try policies and learning on what is known."""


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

    async def action(runtime: "Runtime", screen: Screen) -> None:
        decision = await runtime.explain(text, policy=policy, tools=tools, task=task)
        if screen.as_json:
            screen.json(decision.as_json())
        show_decision(screen, decision)

    with_runtime(options, action)


@route.command(
    "replay",
    epilog=examples(
        "interlock route replay --data outcomes.jsonl",
        "interlock route replay --data outcomes.jsonl --policy best --seed 3 --json",
        "interlock route replay --data outcomes.jsonl --cost-weight 0.2 --no-task --quiz 30",
    ),
)
@click.option(
    "--data",
    required=True,
    metavar="F",
    type=click.Path(path_type=Path),
    help='One JSON object a line: {"id", "prompt", "task", "outcomes": {"MODEL": {"score", "cost_usd"}}}.',
)
@click.option("--policy", default="default", show_default=True, help="Name of the policy.")
@click.option(
    "--cost-weight",
    type=float,
    metavar="W",
    help="Weight of the cost: utility = score - W x cost / mean cost of the dearest model. "
    "Else the policy's weight of the price.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order and of the choices.")
@click.option("--no-task", is_flag=True, help="Hide the table's classes of task from the router.")
@click.option("--no-priors", is_flag=True, help="Start without what is published of the models.")
@click.option("--in-order", is_flag=True, help="Keep the order of the table.")
@click.option(
    "--quiz",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Have the first N requests answered by every model; their cost counts, their scores do not.",
)
@click.option(
    "--floor",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="PART",
    help="Part of the choices made by chance, so that the log can judge any policy.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    metavar="F",
    help="Write each decision with its probabilities and its outcome, for 'route evaluate'.",
)
@click.pass_obj
def replay(options: Globals, *, data: Path, cost_weight: float | None, **how: Unpack[_How]) -> None:
    """Learn online over a table of known outcomes: the router sees the outcome of its choices only.

    Prints what that brought, beside the best single model, a choice by chance, and an oracle.
    """
    from interlock_runtime.replaying import ReplayOptions, replay_table

    screen = Screen(options)
    bar = Bar(screen, "requests")
    report = replay_table(
        data,
        settings_of(options),
        ReplayOptions(
            policy=how["policy"],
            seed=how["seed"],
            use_task=not how["no_task"],
            use_priors=not how["no_priors"],
            in_order=how["in_order"],
            quiz=how["quiz"],
            floor=how["floor"],
        ),
        cost_weight=cost_weight,
        told=lambda done, total: bar(data.name, done, total),
        log=how["log"],
    )
    if screen.as_json:
        screen.json(report.as_json())
    show_replay(screen, report)


def show_replay(screen: Screen, report: "ReplayReport") -> None:
    """A replay as tables: what the router brought beside others, and where the requests went."""
    compared = {
        "router": report.ours,
        "  first 500": report.first_500,
        "  last quarter": report.last_quarter,
        f"best single model, {report.best_fixed.model}": report.best_fixed,
        "by chance": report.random,
        "oracle": report.oracle,
    }
    screen.table(
        ["", "SCORE", "UTILITY"],
        [[name, f"{one.mean_score:.4f}", f"{one.mean_utility:.4f}"] for name, one in compared.items()],
    )
    screen.result("")
    shares = sorted(report.share.items(), key=lambda one: -one[1])
    screen.table(["MODEL", "SHARE"], [[model, f"{part:.1%}"] for model, part in shares])
    p50, p99 = report.decision_us
    screen.result(
        f"\n{report.n:,} requests, ${report.total_cost_usd:.4f} "
        f"(${report.quiz_cost_usd:.4f} of it for the quiz); a decision takes {p50:.0f} us of CPU, "
        f"{p99:.0f} us at the 99th percentile."
    )


@route.command(
    "evaluate",
    epilog=examples(
        "interlock route evaluate --log decisions.jsonl --policy cheap",
        "interlock route evaluate --log decisions.jsonl --policy best --json",
    ),
)
@click.option(
    "--log",
    required=True,
    metavar="F",
    type=click.Path(path_type=Path),
    help="Decisions with their probabilities and outcomes, as 'route replay --log' writes them.",
)
@click.option("--policy", required=True, help="Name of the policy to judge.")
@click.pass_obj
def evaluate(options: Globals, *, log: Path, policy: str) -> None:
    """Say what a policy would have brought, by the log of another that was run.

    Ends with 1 when the log cannot tell.
    """
    from interlock_runtime.replaying import evaluate_log

    screen = Screen(options)
    found = evaluate_log(log, settings_of(options), policy=policy)
    if screen.as_json:
        screen.json({"policy": policy, **found.as_json()})
    show_evaluation(screen, found, policy)
    if found.refused:
        click.get_current_context().exit(1)


def show_evaluation(screen: Screen, found: "Evaluation", policy: str) -> None:
    """An evaluation as a table: the estimates beside what was run."""
    if found.refused:
        screen.warn(f"{policy} cannot be judged by this log. {found.refused}")
    rows = [["what was run", _figure(found.logged_score), "", _figure(found.logged_cost_usd)]]
    if found.score is not None:
        one, cost = found.score, found.cost_usd
        spread = f"{one.low:.4f} to {one.high:.4f}"
        rows.append([policy, _figure(one.dr), spread, _figure(cost and cost.dr)])
        rows.append(["  by weights alone (SNIPS)", _figure(one.snips), "", _figure(cost and cost.snips)])
    screen.table(["", "SCORE", "95 % INTERVAL", "COST, USD"], rows)
    screen.result(
        f"\n{found.n:,} decisions with a score, {found.unscored:,} without; worth {found.effective:,.0f} "
        f"outcomes to this policy; {found.supported:.1%} of its choices are supported."
    )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def show_decision(screen: Screen, decision: RouteDecision) -> None:
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
