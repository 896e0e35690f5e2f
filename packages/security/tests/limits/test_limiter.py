"""What callers of the limiter are promised: names, settled tokens, slots, and a way on without a cache."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from interlock_core.call import Call, CallKind, Outcome, Principal
from interlock_core.completion import Usage
from interlock_core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    StoreError,
    UpstreamError,
)
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import AuditLog, LimitGuard, LimitKind, LimitRule, LimitScope, RateLimiter
from interlock_security.limits import (
    Answer,
    Claim,
    FallbackBackend,
    LimitBook,
    MemoryBackend,
    ValkeyBackend,
    subjects_of,
)

ADA = subjects_of(user="ada", team="red", key="key_1")


def rule(
    scope: str = "user", name: str = "*", kind: str = "requests", limit: int = 2, window_s: float = 60.0
) -> LimitRule:
    """A rule."""
    window = 0.0 if kind == "concurrency" else window_s
    return LimitRule(scope=LimitScope(scope), name=name, kind=LimitKind(kind), limit=limit, window_s=window)


def limiter(clock: FakeClock, *rules: LimitRule) -> RateLimiter:
    """A limiter in memory."""
    return RateLimiter(MemoryBackend(clock), rules)


class Broken(MemoryBackend):
    """A backend that can be taken away."""

    down = False

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge, unless it is down."""
        if self.down:
            raise StoreError("The cache is away.")
        return await super().take(claims, holder)


async def test_a_star_counts_each_by_itself_and_a_name_stands_in_its_place(clock: FakeClock) -> None:
    """Two for each, five for one of them."""
    one = limiter(clock, rule(limit=2), rule(name="ada", limit=5))
    for _ in range(5):
        await one.take(ADA)
    with pytest.raises(RateLimitedError):
        await one.take(ADA)
    for name in ("ben", "eva"):
        await one.take(subjects_of(user=name))
        await one.take(subjects_of(user=name))
        with pytest.raises(RateLimitedError, match=r"user:\*:requests:60s"):
            await one.take(subjects_of(user=name))


async def test_a_refusal_names_the_limit_the_remedy_and_when_to_come_back(clock: FakeClock) -> None:
    """And says how every limit stands."""
    one = limiter(clock, rule("global", limit=9), rule(limit=1))
    await one.take(ADA)
    clock.advance(15.5)
    with pytest.raises(RateLimitedError) as raised:
        await one.take(ADA)
    error = raised.value
    assert (error.field, error.retry_after) == ("user:*:requests:60s", 45)
    assert "45 s" in str(error)
    states = [(state.name, state.remaining, state.reset_s) for state in error.limits]
    assert states == [("global:*:requests:60s", 8, 44.5), ("user:*:requests:60s", 0, 44.5)]


async def test_what_can_never_pass_is_not_told_to_wait(clock: FakeClock) -> None:
    """More tokens than the limit has."""
    one = limiter(clock, rule(kind="tokens", limit=100))
    with pytest.raises(RateLimitedError) as raised:
        await one.take(ADA, tokens=101)
    assert raised.value.retry_after is None
    assert "never" in str(raised.value)


async def test_tokens_are_charged_by_their_bound_and_settled_to_the_truth(clock: FakeClock) -> None:
    """Above the bound as well as below it."""
    one = limiter(clock, rule(kind="tokens", limit=100))
    first = await one.take(ADA, tokens=80)
    with pytest.raises(RateLimitedError):
        await one.take(ADA, tokens=30)
    await first.end(tokens=10)
    await first.end(tokens=0)
    second = await one.take(ADA, tokens=90)
    await second.end(tokens=120)
    (state,) = await one.peek(ADA)
    assert (state.limit, state.remaining) == (100, 0)
    clock.advance(60.0)
    assert [state.remaining for state in await one.peek(ADA)] == [100]


async def test_a_slot_is_held_until_the_end_and_no_longer_than_its_lease(clock: FakeClock) -> None:
    """Whoever crashed frees it by the lease."""
    one = limiter(clock, rule(kind="concurrency", limit=1))
    held = await one.take(ADA)
    with pytest.raises(RateLimitedError):
        await one.take(ADA)
    await held.end()
    await one.take(ADA)
    clock.advance(30.0)
    await one.take(ADA)
    await one.aclose()


async def test_the_lease_of_a_running_call_is_renewed() -> None:
    """A call may last much longer than a lease."""
    backend = MemoryBackend()
    one = RateLimiter(backend, [rule(kind="concurrency", limit=1)], lease_s=0.03)
    renewed = asyncio.Event()
    renew, seen = backend.renew, 0

    async def noted(keys: Sequence[str], holder: str, lease_us: int) -> None:
        nonlocal seen
        await renew(keys, holder, lease_us)
        seen += 1
        if seen == 4:
            renewed.set()

    backend.renew = noted
    held = await one.take(ADA)
    await asyncio.wait_for(renewed.wait(), 20)
    await held.end()
    assert (await one.take(ADA)).states[0].remaining == 0
    await one.aclose()


async def test_a_call_that_is_cancelled_while_it_asks_keeps_nothing(clock: FakeClock) -> None:
    """Neither slot nor charge."""
    entered, go = asyncio.Event(), asyncio.Event()

    class Slow(MemoryBackend):
        async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
            entered.set()
            await go.wait()
            return await super().take(claims, holder)

    one = RateLimiter(Slow(clock), [rule(kind="concurrency", limit=1), rule(limit=1)])
    asking = asyncio.create_task(one.take(ADA))
    await entered.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert [state.remaining for state in await one.peek(ADA)] == [1, 1]
    await one.aclose()


async def test_a_guard_charges_what_was_made_and_used(clock: FakeClock) -> None:
    """Refused further in: nothing. Failed: a request. Done: its tokens."""
    one = limiter(clock, rule(limit=10), rule(kind="tokens", limit=1_000))
    guard = LimitGuard(one, [LimitScope.USER])
    done, failed, refused = (
        Call(id=name, kind=CallKind.MODEL, name="acme/small", principal=Principal(user="ada"))
        for name in ("done", "failed", "refused")
    )
    with pytest.raises(PermissionDeniedError):
        async with guard.charged(refused, tokens=100):
            raise PermissionDeniedError("no")
    assert [state.remaining for state in await one.peek(ADA)] == [10, 1_000]
    with pytest.raises(UpstreamError):
        async with guard.charged(failed, tokens=100):
            raise UpstreamError("away")
    assert [state.remaining for state in await one.peek(ADA)] == [9, 1_000]
    async with guard.charged(done, tokens=100):
        done.ending.outcome = Outcome(ok=True, usage=Usage(input_tokens=20, output_tokens=22))
    assert [state.remaining for state in await one.peek(ADA)] == [8, 958]
    assert [(state.unit, state.remaining) for state in done.ending.limits] == [
        ("requests", 8),
        ("tokens", 900),
    ]


async def test_without_its_cache_a_process_lets_a_stated_part_pass_and_says_so(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """And counts together again when it is back."""
    shared, told = Broken(clock), list[bool]()
    backend = FallbackBackend(shared, fraction=0.25, on_change=told.append, clock=clock)
    one = RateLimiter(backend, [rule(limit=8), rule(kind="tokens", limit=400)])
    shared.down = True
    with caplog.at_level(logging.WARNING, "interlock.security.limits"):
        share = await one.take(ADA, tokens=60)
        await share.end(tokens=50)
        await one.take(ADA, tokens=50)
        with pytest.raises(RateLimitedError):
            await one.take(ADA)
        assert backend.local
        shared.down = False
        clock.advance(1.0)
        await one.take(ADA)
    assert (backend.local, told, backend.fallbacks) == (False, [False, True], 3)
    assert len(caplog.records) == 2
    assert "at 0.25 of each" in caplog.messages[0]


async def test_a_cache_that_does_not_answer_is_told_without_its_password() -> None:
    """The place is enough to find it."""
    backend = ValkeyBackend("redis://ada:geheim@127.0.0.1:1/0", timeout_s=5.0)
    with pytest.raises(StoreError) as raised:
        await backend.take([Claim(key="k", limit=1, span_us=1)], "")
    await backend.aclose()
    assert "redis://127.0.0.1" in str(raised.value)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "make"),
    [
        ("limit", lambda: rule(limit=-1)),
        ("window", lambda: rule(window_s=0.0)),
        ("window", lambda: rule(window_s=1e9)),
        ("name", lambda: rule(name="")),
        ("name", lambda: rule("global", "ada")),
    ],
)
def test_a_rule_out_of_its_bounds_is_refused(wrong: str, make: Callable[[], LimitRule]) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequestError) as raised:
        make()
    assert raised.value.field == wrong


async def test_limits_are_set_cleared_and_audited_and_the_files_are_read_only(
    store: Store, log: AuditLog, admin: Principal
) -> None:
    """A change reaches the rules at once here."""
    declared = LimitRule(
        scope=LimitScope.USER, name="*", kind=LimitKind.REQUESTS, limit=5, window_s=60, origin="c.toml:3"
    )
    book = LimitBook(store, changes=log, configured=[declared])
    await book.open()
    assert await book.set(rule("tool", "github.createIssue", limit=3), by=admin)
    assert not await book.set(rule("tool", "github.createIssue", limit=4), by=admin)
    assert [(entry.id, entry.limit) for entry in await book.rules()] == [
        ("user:*:requests:60s", 5),
        ("tool:github.createIssue:requests:60s", 4),
    ]
    with pytest.raises(ConflictError, match=r"c\.toml:3"):
        await book.set(rule(limit=9), by=admin)
    with pytest.raises(ConflictError, match=r"c\.toml:3"):
        await book.clear(declared.id, by=admin)
    with pytest.raises(NotFoundError):
        await book.clear("tool:github:requests:60s", by=admin)
    await book.clear("tool:github.createIssue:requests:60s", by=admin)
    assert await book.rules() == (declared,)
    found = [record.as_json().get("name") for record in await log.tail(10)]
    assert (found.count("limits.set"), found.count("limits.clear")) == (4, 2)  # intent and outcome of each
