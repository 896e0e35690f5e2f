"""Retry and breaker, on a clock that stands still."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    OverloadedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.resilience import Breaker, RetryBudget, RetryPolicy, retry
from interlock_core.testing import FakeClock


class Failing:
    """Raises its errors in turn, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []

    async def __call__(self, attempt: int) -> str:
        """Make one attempt."""
        self.attempts.append(attempt)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_an_operation_that_succeeds_is_called_once() -> None:
    """Success needs no second attempt and no wait."""
    clock, operation = FakeClock(), Failing()
    assert await retry(operation, clock=clock, sleep=clock.sleep) == "done"
    assert (operation.attempts, clock.slept) == ([1], [])


async def test_delays_double_and_stay_within_their_limit() -> None:
    """Without jitter the waits are base, double, double, capped."""
    clock = FakeClock()
    operation = Failing(*(UpstreamError("down") for _ in range(4)))
    policy = RetryPolicy(attempts=5, base_delay_s=1, max_delay_s=3, jitter=0)
    assert await retry(operation, policy=policy, clock=clock, sleep=clock.sleep) == "done"
    assert clock.slept == [1, 2, 3, 3]


async def test_the_last_error_is_raised_when_attempts_run_out() -> None:
    """The caller sees the last attempt's own error."""
    clock = FakeClock()
    errors = [UpstreamError(str(number)) for number in range(3)]
    with pytest.raises(UpstreamError) as caught:
        await retry(Failing(*errors), clock=clock, sleep=clock.sleep)
    assert caught.value is errors[-1]


@pytest.mark.parametrize("error", [InvalidRequestError("wrong"), ValueError("bug"), asyncio.CancelledError()])
async def test_errors_that_no_wait_can_mend_pass_at_once(error: BaseException) -> None:
    """Caller errors, foreign errors and cancellation are not retried."""
    clock, operation = FakeClock(), Failing(error)
    with pytest.raises(type(error)):
        await retry(operation, clock=clock, sleep=clock.sleep)
    assert operation.attempts == [1]


async def test_the_caller_can_say_what_is_retried() -> None:
    """A predicate replaces the class's own word in both directions."""
    clock, operation = FakeClock(), Failing(InvalidRequestError("once"))
    assert await retry(operation, clock=clock, sleep=clock.sleep, retryable=lambda error: True) == "done"
    stubborn = Failing(UpstreamError("down"))
    with pytest.raises(UpstreamError):
        await retry(stubborn, clock=clock, sleep=clock.sleep, retryable=lambda error: False)


async def test_a_longer_retry_after_is_honoured() -> None:
    """The other side's word counts more than our own delay."""
    clock = FakeClock()
    operation = Failing(UpstreamRateLimitError("slow down", retry_after=17))
    await retry(operation, policy=RetryPolicy(jitter=0), clock=clock, sleep=clock.sleep)
    assert clock.slept == [17]


async def test_a_retry_after_beyond_the_limit_ends_the_retries() -> None:
    """Nobody waits an hour without having been asked."""
    clock, operation = FakeClock(), Failing(UpstreamRateLimitError("tomorrow", retry_after=3600))
    with pytest.raises(UpstreamRateLimitError):
        await retry(operation, clock=clock, sleep=clock.sleep)
    assert clock.slept == []


async def test_no_attempt_starts_after_the_deadline() -> None:
    """A wait that would end past the deadline is not begun."""
    clock = FakeClock()
    operation = Failing(*(UpstreamError("down") for _ in range(9)))
    policy = RetryPolicy(attempts=10, base_delay_s=1, max_delay_s=1, jitter=0)
    with pytest.raises(UpstreamError):
        await retry(
            operation, policy=policy, clock=clock, sleep=clock.sleep, deadline=clock.monotonic() + 2.5
        )
    assert operation.attempts == [1, 2, 3]


async def test_defaults_work_on_the_real_clock() -> None:
    """Without doubles the policy, clock, sleep and jitter of the machine are used."""
    operation = Failing(UpstreamError("down"))
    assert await retry(operation, policy=RetryPolicy(base_delay_s=0)) == "done"


@given(attempt=st.integers(1, 10_000), draw=st.floats(0, 1), jitter=st.floats(0, 1))
def test_a_delay_is_never_negative_nor_beyond_limit_and_jitter(
    attempt: int, draw: float, jitter: float
) -> None:
    """Whatever the attempt and the draw, the wait is bounded."""
    policy = RetryPolicy(jitter=jitter)
    assert 0 <= policy.delay(attempt, draw) <= policy.max_delay_s * (1 + jitter) * 1.000001


def opened(clock: FakeClock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(clock=clock)
    for _ in range(5):
        assert breaker.allow()
        breaker.failure()
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    """Four failures leave it closed, the fifth opens it."""
    clock = FakeClock()
    breaker = Breaker(clock=clock)
    for _ in range(4):
        breaker.failure()
    assert breaker.state == "closed"
    breaker.failure()
    assert (breaker.state, breaker.allow(), breaker.retry_after) == ("open", False, 30.0)


def test_a_success_starts_the_count_anew() -> None:
    """Failures count only in a row."""
    breaker = Breaker(clock=FakeClock())
    for _ in range(4):
        breaker.failure()
    breaker.success()
    for _ in range(4):
        breaker.failure()
    assert (breaker.state, breaker.retry_after) == ("closed", 0.0)


def test_after_the_cooldown_one_probe_goes_through() -> None:
    """Half-open lets through as many calls as it has probes."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(30)
    assert breaker.state == "half_open"
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.success()
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_again() -> None:
    """One failure while half-open is enough."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(30)
    assert breaker.allow()
    breaker.failure()
    assert breaker.state == "open"


def test_a_probe_that_never_reports_is_forgotten() -> None:
    """A lost probe cannot hold the breaker shut for ever."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(30)
    assert breaker.allow()
    clock.advance(30)
    assert breaker.allow()


def test_late_news_does_not_move_an_open_breaker() -> None:
    """Calls that began before it opened and end after change nothing."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(10)
    breaker.success()
    breaker.failure()
    assert (breaker.state, breaker.retry_after) == ("open", 20.0)


async def test_guard_refuses_while_open_and_says_when_to_return() -> None:
    """Nothing inside is run."""
    breaker = opened(FakeClock())
    with pytest.raises(OverloadedError, match="5 times in a row") as caught:
        async with breaker.guard():
            raise AssertionError("must not run")
    assert caught.value.retry_after == 30.0


async def test_guard_closes_a_half_open_breaker_on_success() -> None:
    """A probe that does what it is for closes it."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(30)
    async with breaker.guard():
        pass
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (UpstreamConnectionError("gone"), "open"),
        (CredentialError("no", vendor_status=401), "closed"),
        (InterlockError("ours"), "half_open"),
        (asyncio.CancelledError(), "half_open"),
    ],
)
async def test_guard_judges_a_probe_by_its_error(error: BaseException, state: str) -> None:
    """Only what the other side did counts; cancellation gives the probe back."""
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(30)
    with pytest.raises(type(error)):
        async with breaker.guard():
            raise error
    assert breaker.state == state
    if state == "half_open":
        assert breaker.allow()


@pytest.mark.promise("P4")
async def test_a_budget_bounds_the_retries_of_all_calls_together() -> None:
    """Ten calls that fail share the burst and what they earn; none of them is refused its first attempt."""
    clock, budget = FakeClock(), RetryBudget(ratio=0.2, burst=5)
    operations = [Failing(*(UpstreamError("down") for _ in range(3))) for _ in range(10)]
    for operation in operations:
        with pytest.raises(UpstreamError):
            await retry(operation, clock=clock, sleep=clock.sleep, budget=budget)
    assert all(operation.attempts for operation in operations)
    assert sum(len(operation.attempts) - 1 for operation in operations) == 6


@given(st.lists(st.booleans(), max_size=200), st.integers(min_value=0, max_value=5))
def test_a_budget_never_gives_more_than_its_share(calls: list[bool], burst: int) -> None:
    """However calls and retries follow each other."""
    budget = RetryBudget(ratio=0.25, burst=burst)
    earned = spent = 0
    for is_call in calls:
        if is_call:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
        assert spent <= burst + earned * 0.25
