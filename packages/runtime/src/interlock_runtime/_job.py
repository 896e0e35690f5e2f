"""The specification job as the runtime runs it: read, check what can be checked first, then run."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from interlock_core import Budget, Event
from interlock_core.errors import ConfigurationError
from interlock_pipeline.spec_to_github import JobRequest, JobResult, SpecToGitHub
from interlock_pipeline.specification import read_specification, split

if TYPE_CHECKING:
    from interlock_runtime._join import Joined
    from interlock_runtime._question import SpecificationJob

NAMESPACE = "github"
"""Namespace of the tools that the job uses."""

_CREATE = f"{NAMESPACE}.issues_create"


async def run_job(house: "Joined", job: "SpecificationJob") -> AsyncGenerator[Event | JobResult, None]:
    """Run the job, telling each step; the last item is the account."""
    text = await asyncio.to_thread(read_specification, job.file)
    specification = split(text, name=job.file.name)
    if job.api_url is not None:
        await house.tools.redirect(NAMESPACE, job.api_url)
    catalog = await house.tools.catalog()
    if not job.dry_run:
        await _check(house, job)
    request = JobRequest(
        specification=specification,
        owner=job.owner,
        repo=job.repo,
        principal=house.principal,
        model=job.model,
        labels=job.labels,
        dry_run=job.dry_run,
        budget=Budget(max_cost=job.max_cost),
    )
    runner = SpecToGitHub(
        provider=house.provider,
        catalog=catalog,
        executor=house.tools.executor,
        redactor=house.redactor,
    )
    async with aclosing(runner.events(request)) as events:
        async for item in events:
            yield item


async def _check(house: "Joined", job: "SpecificationJob") -> None:
    """Refuse before any model is asked what would be refused for every issue."""
    catalog = await house.tools.catalog()
    await house.access.require_tool(house.principal, catalog.get(_CREATE))
    if not await house.tools.has_credential(NAMESPACE):
        raise ConfigurationError(
            f"There is no token for {job.owner}/{job.repo}.",
            field="GITHUB_TOKEN",
            remedy="Set GITHUB_TOKEN, or see what would be sent with --dry-run.",
        )
