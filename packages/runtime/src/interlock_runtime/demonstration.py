"""The demonstration: the main job against a stand-in for GitHub on loopback.

It needs nothing but what is installed, keeps its data in a folder of its own, uses no key from the
environment, and reaches no other machine.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from interlock_core import Approver
from interlock_core.errors import InvalidRequestError
from interlock_runtime._question import Question, SpecificationJob
from interlock_runtime._runtime import Runtime
from interlock_runtime.settings import Settings, ToolSettings
from interlock_tools.testing.github import GitHubStandIn

OWNER = "interlock-demo"
REPO = "team-notes"
MODEL = "local/smollm2-135m"
_MOST_SHOWN = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """Everything that the demonstration shows, ready to run.

    Attributes:
        runtime: An Interlock on embedded defaults.
        page: Address of the stand-in's page of issues.
        api: Address of the stand-in's API.
        job: The specification job.
        question: What the model is asked afterwards, with tools to choose from.
        reused: What was there from an earlier run, one sentence each.
        home: The folder of its data.
    """

    runtime: Runtime
    page: str
    api: str
    job: SpecificationJob
    question: Question
    reused: tuple[str, ...]
    home: Path


@asynccontextmanager
async def demonstration(
    settings: Settings, *, specification: Path | None = None, approver: Approver | None = None
) -> AsyncGenerator[Demonstration, None]:
    """Start the stand-in and open a runtime on it.

    Args:
        settings: Where the data folder is; nothing else of them is used.
        specification: A specification in place of the one that is shipped.
        approver: Who is asked before destructive calls.

    Raises:
        InvalidRequestError: The specification is no file.
    """
    home = settings.home / "demo"
    reused = _reused(home)
    async with GitHubStandIn(owner=OWNER, repo=REPO) as github:
        chosen = Settings(
            home=home,
            tools={
                "github": ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)
            },
            pipeline=replace(settings.pipeline, max_turns=3, max_result_chars=_MOST_SHOWN),
        )
        with as_file(files("interlock_runtime") / "demo" / "specification.md") as shipped:
            file = specification or shipped
            if not file.is_file():
                raise InvalidRequestError(
                    f"{file} is no file.", field="spec", remedy="Give a Markdown or text file."
                )
            async with Runtime.open(chosen, environment={}, approver=approver) as runtime:
                yield Demonstration(
                    runtime=runtime,
                    page=github.page,
                    api=github.url,
                    job=SpecificationJob(file=file, owner=OWNER, repo=REPO),
                    question=Question(
                        prompt=f"Which issues are open in {OWNER}/{REPO}?",
                        model=MODEL,
                        tools=("github.issues_list", "github.issues_create", "github.repos_get"),
                        max_tokens=60,
                        temperature=0.0,
                    ),
                    reused=reused,
                    home=home,
                )


def _reused(home: Path) -> tuple[str, ...]:
    if not (home / "interlock.db").is_file():
        return ()
    return (f"the database and audit log of an earlier run in {home}",)
