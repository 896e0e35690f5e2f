"""Words the issues of a job, several side by side, within what its models may use."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from interlock_core import Call, Completion, FinishReason, Provider
from interlock_core.errors import (
    BudgetExceededError,
    InterlockError,
    InvalidRequestError,
    UnsupportedError,
    UpstreamError,
)
from interlock_core.tokens import EstimatingCounter
from interlock_pipeline.spec_to_github._draft import (
    Assignment,
    IssueDraft,
    from_answer,
    from_structure,
    question,
)
from interlock_pipeline.spec_to_github._purse import Allowance, Purse

_ANSWER_TOKENS = 400
_ANSWER_TOKENS_WITH_REASONING = 2_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Words issues.

    Args:
        provider: Answers the requests; usually the router.
        model: As in `CompletionRequest`.
        purse: What the requests may use.
        context: Makes the guarded call of one request.
    """

    provider: Provider
    model: str
    purse: Purse
    context: Callable[[Allowance], Call]

    async def in_order(self, assignments: Sequence[Assignment]) -> AsyncGenerator[IssueDraft, None]:
        """The drafts in the order of the assignments; closing this ends what is still on its way.

        Raises:
            InterlockError: The model cannot be asked at all, and the first draft shows it. Later, the
                requirement's own words are taken and no model is asked any more.
        """
        tasks = [asyncio.ensure_future(self._draft(assignment)) for assignment in assignments]
        try:
            for index, (assignment, task) in enumerate(zip(assignments, tasks, strict=True)):
                try:
                    issue = await task
                except InterlockError:
                    if index == 0 and self.purse.answers == 0:
                        raise
                    issue = from_structure(assignment, note=self.purse.spent or "")
                yield issue
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _draft(self, assignment: Assignment) -> IssueDraft:
        async with self.purse.allowance() as allowance:
            if allowance is None:
                return from_structure(assignment, note=self.purse.spent or "")
            timeout = asyncio.timeout(allowance.seconds)
            try:
                async with timeout:
                    completion = await self._ask(assignment, allowance)
            except TimeoutError:
                note = self.purse.spent if timeout.expired() else None
                return from_structure(assignment, note=note or "the model did not answer in time")
            except (UpstreamError, BudgetExceededError) as error:
                return from_structure(assignment, note=f"the model failed: {error.message}")
            except InterlockError as error:
                if isinstance(error, InvalidRequestError) and not isinstance(error, UnsupportedError):
                    return from_structure(assignment, note=f"the model did not take it: {error.message}")
                self.purse.close(f"the model cannot be asked any more: {error}")
                raise
        return from_answer(assignment, completion)

    async def _ask(self, assignment: Assignment, allowance: Allowance) -> Completion:
        completion = await self._complete(assignment, allowance, _ANSWER_TOKENS)
        usage = completion.usage
        if completion.finish is FinishReason.LENGTH and usage is not None and usage.reasoning_tokens:
            # It spent its tokens on reasoning, which its answer needs more of.
            return await self._complete(assignment, allowance.less(completion), _ANSWER_TOKENS_WITH_REASONING)
        return completion

    async def _complete(self, assignment: Assignment, allowance: Allowance, most: int) -> Completion:
        request = question(assignment, model=self.model, max_tokens=most)
        if allowance.tokens is not None:
            left = allowance.tokens - EstimatingCounter().count(request).tokens
            if left < 1:
                raise BudgetExceededError("Too few tokens are left of the budget for models.")
            request = replace(request, max_tokens=min(most, left))
        completion = await self.provider.complete(request, self.context(allowance))
        self.purse.pay(completion)
        return completion
