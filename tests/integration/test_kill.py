"""A killed `spec-to-github`: the log still holds, says what is open, and the next run makes nothing twice."""

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_tools.testing.github import GitHubStandIn

SPECIFICATION = "# Notes\n\n- Export as PDF.\n- Search by author.\n- Share by link.\n- Print on paper.\n"
ISSUES = 4
PATIENCE_S = 60.0

When = Literal["before", "after"]


@pytest_asyncio.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """A simulated vendor."""
    async with OpenAIChatServer(models=("small",)) as server:
        yield server


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


class Machine:
    """A data folder, a configuration file and a specification, and the command line on them."""

    def __init__(self, folder: Path, vendor: OpenAIChatServer, github: GitHubStandIn) -> None:
        self.vendor = vendor
        self.github = github
        self._folder = folder
        (folder / "notes.md").write_text(SPECIFICATION, encoding="utf-8")
        (folder / "config.toml").write_text(
            f'[providers.acme]\nkind = "openai-compatible"\nbase_url = "{vendor.url}"\n'
            '[providers.local]\nkind = "local"\nenabled = false\n',
            encoding="utf-8",
        )

    async def start(self, *words: str) -> Process:
        """Start a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "interlock_cli", "--config", "config.toml", "--no-input", *words),
            cwd=self._folder,
            env=kept | {"INTERLOCK_HOME": str(self._folder / "home"), "GITHUB_TOKEN": self.github.token},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def job(self) -> Process:
        """Start the job."""
        where = ("--owner", "acme", "--repo", "notes", "--api-url", self.github.url)
        return await self.start("spec-to-github", "--spec", "notes.md", *where, "-m", "acme/small", "--json")

    async def ended(self, process: Process) -> tuple[int | None, str, str]:
        """Exit code, stdout and stderr of a command that runs to its end."""
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def verified(self) -> JsonObject:
        """What `audit verify --json` prints, which must end with 0."""
        code, out, err = await self.ended(await self.start("audit", "verify", "--json"))
        assert code == 0, err
        report = as_object(parse_json(out))
        assert report["ok"]
        assert report["problems"] == []
        return report

    async def killed_at_post(self, number: int, when: When) -> None:
        """Run the job and kill it while its request for that issue is on its way."""
        for _ in range(number - 1):
            self.github.hold_next(when=when, method="POST").release()
        hold = self.github.hold_next(when=when, method="POST")
        process = await self.job()
        await asyncio.to_thread(hold.wait, PATIENCE_S)
        process.kill()
        assert await process.wait() == -9
        hold.drop()


@pytest.fixture
def machine(tmp_path: Path, vendor: OpenAIChatServer, github: GitHubStandIn) -> Machine:
    """One machine."""
    return Machine(tmp_path, vendor, github)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_between_intent_and_outcome_is_told_and_repeats_nothing(
    machine: Machine, when: When
) -> None:
    """The log verifies and names the open intent; the next run says so first, and makes what is missing."""
    await machine.killed_at_post(2, when)
    there = 2 if when == "after" else 1
    assert len(machine.github.issues) == there

    notices = [as_object(notice) for notice in as_array((await machine.verified())["notices"])]
    assert len(notices) == 1
    assert "open" in json.dumps(notices)

    asked = len(machine.vendor.requests)
    hold = machine.github.hold_next(method="GET")
    process = await machine.job()
    await asyncio.to_thread(hold.wait, PATIENCE_S)
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        first = (await process.stderr.readline()).decode()
    assert "github.issues_create" in first
    assert "not known" in first
    assert len(machine.vendor.requests) == asked
    hold.release()

    code, out, _ = await machine.ended(process)
    assert code == 0
    made = [as_object(issue)["state"] for issue in as_array(as_object(parse_json(out))["issues"])]
    assert sorted(map(str, made)) == ["created"] * (ISSUES - there) + ["existing"] * there
    titles = [issue.title for issue in machine.github.issues]
    assert len(set(titles)) == len(titles) == ISSUES
    assert len(as_array((await machine.verified())["notices"])) == 1


@pytest.mark.parametrize("seed", [2, 5, 8])
async def test_a_kill_at_any_point_leaves_a_log_that_holds_and_a_job_that_can_go_on(
    machine: Machine, seed: int
) -> None:
    """While a model answers, or around any of the requests to the API."""
    choice = random.Random(seed)
    number = choice.randint(1, ISSUES)
    point = choice.choice(["model", "before", "after"])
    if point == "model":
        machine.vendor.then(*[Say('{"title": "t"}')] * (number - 1), Say("…", hold=True))
        machine.vendor.asked.clear()
        process = await machine.job()
        async with asyncio.timeout(PATIENCE_S):
            await machine.vendor.asked.wait()
        process.kill()
        assert await process.wait() == -9
        machine.vendor.forget()
    else:
        await machine.killed_at_post(number, "before" if point == "before" else "after")
    notices = as_array((await machine.verified())["notices"])
    assert len(notices) == (0 if point == "model" else 1)

    code, _, err = await machine.ended(await machine.job())
    assert code == 0, err
    assert ("not known" in err) == bool(notices)
    titles = [issue.title for issue in machine.github.issues]
    assert len(set(titles)) == len(titles) == ISSUES
    await machine.verified()
