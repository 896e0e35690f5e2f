"""`interlock spec-to-github`."""

import re
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from interlock_cli._amount import USD
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._job_screen import JobScreen
from interlock_cli._session import with_runtime
from interlock_core import Event
from interlock_core.errors import InterlockError

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime, SpecificationJob
    from interlock_runtime.jobs import JobResult

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
_REPO = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


_LONGEST_LABEL = 50


def _checked_owner(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not _OWNER.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no owner: letters, digits and single hyphens, at most 39.")
    return value


def _checked_repo(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not _REPO.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no name of a repository; write it without its owner.")
    return value


def _checked_labels(
    _context: click.Context, _option: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    for label in value:
        if not label.strip() or len(label) > _LONGEST_LABEL:
            raise click.BadParameter(f"{label!r} is no label: 1 to {_LONGEST_LABEL} characters.")
    return value


def _checked_url(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError as exc:
        raise click.BadParameter(
            "it is no address; write one such as https://github.example/api/v3."
        ) from exc
    if parts.username is not None or parts.password is not None:
        raise click.BadParameter("it holds a user or password; leave them away and set GITHUB_TOKEN.")
    if parts.scheme not in {"http", "https"} or not host:
        raise click.BadParameter(f"{value!r} is no http or https address.")
    return value.rstrip("/")


@click.command(
    "spec-to-github",
    epilog=examples(
        "interlock spec-to-github --spec spec.md --owner acme --repo notes --dry-run",
        "interlock spec-to-github --spec spec.md --owner acme --repo notes --label spec",
    ),
)
@click.option(
    "--spec",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Specification: Markdown or text.",
)
@click.option("--owner", required=True, callback=_checked_owner, help="Owner of the repository.")
@click.option("--repo", required=True, callback=_checked_repo, help="Name of the repository.")
@click.option("-m", "--model", default="auto", show_default=True, help="provider/model, auto or auto/POLICY.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="L",
    callback=_checked_labels,
    help="Label for every issue; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing; print exactly what would be sent.")
@click.option(
    "--api-url",
    metavar="URL",
    callback=_checked_url,
    help="Address of the API, for GitHub Enterprise or a stand-in.",
)
@click.option("--max-cost", type=USD, metavar="USD", help="Most dollars the models may cost.")
@click.pass_obj
def spec_to_github(options: Globals, /, spec: Path, owner: str, repo: str, **flags: object) -> None:
    """Turn a specification into GitHub issues.

    Every requirement becomes one issue that names its source lines, or is listed with the reason why not. The
    token comes from GITHUB_TOKEN.
    """
    from interlock_core import Money
    from interlock_runtime import SpecificationJob

    max_cost = cast("float | None", flags["max_cost"])
    job = SpecificationJob(
        file=spec,
        owner=owner,
        repo=repo,
        model=str(flags["model"]),
        labels=cast("tuple[str, ...]", flags["labels"]),
        dry_run=bool(flags["dry_run"]),
        api_url=cast("str | None", flags["api_url"]),
        max_cost=None if max_cost is None else Money.usd(max_cost),
    )

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await run_job(runtime, screen, job)

    with_runtime(options, action)


async def run_job(runtime: "Runtime", screen: "Screen", job: "SpecificationJob") -> "JobResult":
    """Run one job on the screen: what an earlier run left open, each step, the account at the end."""
    for entry in await runtime.trail.open_intents():
        screen.warn(entry)
    shown = JobScreen(screen)
    result: JobResult | None = None
    async with aclosing(runtime.spec_to_github(job)) as events:
        async for item in events:
            if isinstance(item, Event):
                shown.event(item)
            else:
                result = item
    if result is None:  # pragma: no cover - a job always ends in a result
        raise InterlockError("The job ended without a result.")
    shown.result(result)
    if not result.ok:
        raise InterlockError(
            "Some issues could not be created; the reasons stand above.", remedy="Run it again."
        )
    return result
