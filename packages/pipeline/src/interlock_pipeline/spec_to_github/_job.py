"""The job's public face."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from interlock_core import Clock, Event, Provider, Redactor, SystemClock, ToolCatalog, ToolExecutor
from interlock_core.errors import UpstreamError
from interlock_pipeline.spec_to_github._account import Account
from interlock_pipeline.spec_to_github._request import JobRequest
from interlock_pipeline.spec_to_github._result import JobResult
from interlock_pipeline.spec_to_github._walk import Walk


class SpecToGitHub:
    """Turns a specification into issues.

    Args:
        provider: Answers the model requests; usually the router.
        catalog: Holds the tools.
        executor: Makes the calls; its guards are its own.
        redactor: Hides secrets in events.
        clock: Time.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        catalog: ToolCatalog,
        executor: ToolExecutor,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._provider = provider
        self._catalog = catalog
        self._executor = executor
        self._redactor = redactor
        self._clock = clock or SystemClock()

    async def run(self, request: JobRequest) -> JobResult:
        """Run to the end.

        Raises:
            InvalidRequestError: The specification holds no requirement, or a label is none.
            NotFoundError: There is no such tool or model.
            InterlockError: A model cannot be asked, the issues cannot be listed, or a rule refuses the calls,
                and nothing was sent yet.
        """
        async with aclosing(self.events(request)) as events:
            async for item in events:
                if isinstance(item, JobResult):
                    return item
        raise UpstreamError("The job ended without a result.")  # pragma: no cover - events ends in one

    async def events(self, request: JobRequest) -> AsyncGenerator[Event | JobResult, None]:
        """Run to the end, telling each step; the last item is the result.

        Raises:
            InvalidRequestError: The specification holds no requirement, or a label is none.
            NotFoundError: There is no such tool or model.
            InterlockError: A model cannot be asked, the issues cannot be listed, or a rule refuses the calls,
                and nothing was sent yet; a `run.failed` event comes first.
        """
        request.check()
        account = Account(request, self._clock, self._redactor)
        walk = Walk(
            account,
            provider=self._provider,
            executor=self._executor,
            create=self._catalog.get(request.create_tool),
            listing=None if request.dry_run else self._catalog.get(request.list_tool),
        )
        async with aclosing(walk.events()) as events:
            async for event in events:
                yield event
        yield account.result()
