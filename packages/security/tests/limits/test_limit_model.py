"""Every backend against a model that remembers everything and counts it anew each time."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_core.testing import FakeClock
from interlock_security.limits import MOST_EXACT, Claim, Correction, LimitBackend, MemoryBackend

SPAN_US = 1_000_000
LEASE_US = 700_000
MOST = 5
SLOTS = 2


@dataclass
class Model:
    """Everything that ever happened."""

    events: list[list[int]] = field(default_factory=list[list[int]])
    slots: dict[str, int] = field(default_factory=dict[str, int])

    def used(self, now: int) -> int:
        """Units in the window that ends now."""
        return sum(amount for at, amount in self.events if at + SPAN_US > now)

    def held(self, now: int) -> int:
        """Slots whose lease runs."""
        return sum(end > now for end in self.slots.values())

    def take(self, now: int, amount: int, slot: str | None) -> bool:
        """Whether a call passes; it is charged then."""
        room = amount == 0 or self.used(now) + amount <= MOST
        if not room or (slot is not None and self.held(now) >= SLOTS):
            return False
        if amount:
            self.events.append([now, amount])
        if slot is not None:
            self.slots[slot] = now + LEASE_US
        return True


Step = tuple[str, int, int]
OpenBackend = Callable[[str, Path, FakeClock], AbstractAsyncContextManager[LimitBackend]]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "both", "correct", "release", "renew"]),
        st.integers(0, 6),
        st.sampled_from([0, 1, 100_000, 300_000, 699_999, 700_000, 999_999, 1_000_000, 1_500_000]),
    ),
    max_size=25,
)


async def played(backend: LimitBackend, clock: FakeClock, steps: Sequence[Step]) -> None:
    """Play steps on both, and hold every answer equal."""
    run, model = uuid4().hex, Model()
    start = now = round(clock.now()) * 1_000_000 + 10_000_000
    entries: list[tuple[int, list[int]]] = []
    for number, (what, amount, later) in enumerate(steps):
        now += later
        clock.set_now(now / 1e6)
        holder = f"{run}{number}"
        other = f"{run}{number - amount}"
        window = Claim(key=f"{run}w", limit=MOST, span_us=SPAN_US, amount=amount)
        slot = Claim(key=f"{run}s", limit=SLOTS, span_us=LEASE_US, slots=True)
        if what in {"take", "both"}:
            answer = await backend.take([window, slot] if what == "both" else [window], holder)
            wanted = model.take(now, amount, holder if what == "both" else None)
            assert (answer.passed, answer.at_us) == (wanted, now), (start, steps[: number + 1])
            if wanted and amount:
                entries.append((answer.readings[0].entry, model.events[-1]))
        elif what == "correct" and entries:
            entry, event = entries[-1]
            delta = amount - event[1]
            await backend.correct([Correction(key=f"{run}w", entry=entry, delta=delta)])
            # What entered together is one entry, of which each has its own part.
            event[1] += delta
        elif what == "release":
            await backend.release([f"{run}s"], other)
            model.slots.pop(other, None)
        elif what == "renew":
            await backend.renew([f"{run}s"], other, LEASE_US)
            if model.slots.get(other, 0) > now:
                model.slots[other] = now + LEASE_US
        seen = await backend.take(
            [
                Claim(key=f"{run}w", limit=MOST, span_us=SPAN_US, amount=0),
                Claim(key=f"{run}s", limit=SLOTS, span_us=LEASE_US, amount=0, slots=True),
            ],
            "",
        )
        assert [reading.used for reading in seen.readings] == [model.used(now), model.held(now)], steps


@pytest.mark.promise("A7")
@pytest.mark.parametrize(("kind", "examples"), [("memory", 300), ("sqlite", 40), ("valkey", 150)])
def test_a_backend_answers_as_one_that_remembers_everything(
    kind: str, examples: int, tmp_path: Path, open_backend: OpenBackend
) -> None:
    """Any order of calls, corrections, renewals and ends, to the microsecond."""
    clock = FakeClock()
    with asyncio.Runner() as runner:
        opened = open_backend(kind, tmp_path, clock)
        backend = runner.run(opened.__aenter__())

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(STEPS)
        def holds(steps: Sequence[Step]) -> None:
            runner.run(played(backend, clock, steps))

        try:
            holds()
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("kind", ["memory", "valkey"])
async def test_memory_stays_bounded_and_more_than_the_limit_never_passes(
    kind: str, tmp_path: Path, clock: FakeClock, open_backend: OpenBackend
) -> None:
    """Above so many entries what follows closely is gathered: it leaves late, never early."""
    calls, start, key = MOST_EXACT + 500, round(clock.now()), uuid4().hex
    claim = Claim(key=key, limit=calls, span_us=60_000_000)
    async with open_backend(kind, tmp_path, clock) as backend:
        for number in range(calls):
            clock.set_now(start + number / 100_000)
            assert (await backend.take([claim], "")).passed
        assert not (await backend.take([claim], "")).passed
        clock.set_now(start + 60.0 + (MOST_EXACT - 1) / 100_000)
        early = (await backend.take([replace(claim, amount=MOST_EXACT + 1)], "")).passed
        clock.set_now(start + 60.0 + calls / 100_000 + 60.0 / MOST_EXACT)
        assert (early, (await backend.take([replace(claim, amount=calls)], "")).passed) == (False, True)


async def test_a_window_without_calls_costs_nothing_in_memory(clock: FakeClock) -> None:
    """Counters in which nothing counts any more are forgotten."""
    backend = MemoryBackend(clock)
    for number in range(3_000):
        clock.advance(1.0)
        await backend.take([Claim(key=f"user:{number}", limit=1, span_us=1_000_000)], "")
    assert len(vars(backend)["_windows"]) <= 1_100
