"""Every case of `cases/limits.toml`, on every backend."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from interlock_core.testing import FakeClock
from interlock_security.limits import Answer, Claim, LimitBackend

Table = Mapping[str, object]

CASES = Path(__file__).parents[1] / "cases" / "limits.toml"


def cases() -> Sequence[Table]:
    """The cases of the table."""
    return cast("Sequence[Table]", tomllib.loads(CASES.read_text("utf-8"))["case"])


class Judge:
    """Plays one case against a backend.

    Args:
        case: The case.
        backend: Counts.
        clock: The backend's clock.
    """

    def __init__(self, case: Table, backend: LimitBackend, clock: FakeClock) -> None:
        self._limits = cast("Mapping[str, Mapping[str, int | str]]", case["limits"])
        self._case = case
        self._backend = backend
        self._clock = clock
        self._prefix = f"{case['id']}:{uuid4().hex}:"
        self._start = math.ceil(clock.now())

    async def problems(self) -> list[str]:
        """What differs from the case."""
        found: list[str] = []
        for event in cast("Sequence[Table]", self._case["events"]):
            self._clock.set_now(self._start + cast("int", event["at"]) / 1000)
            told = await self._played(event)
            told["used"] = await self._used()
            wanted = {name: event[name] for name in ("pass", "by", "retry_after", "used") if name in event}
            if {name: told.get(name) for name in wanted} != wanted:
                found.append(f"{self._case['id']} {event}: {told}")
        return found

    async def _played(self, event: Table) -> dict[str, object]:
        holder = f"{self._prefix}{event['id']}"
        slots = [self._prefix + name for name, limit in self._limits.items() if "slots" in limit]
        if event["do"] == "end":
            await self._backend.release(slots, holder)
            return {}
        if event["do"] == "beat":
            lease = max(int(limit["lease_ms"]) for limit in self._limits.values() if "slots" in limit)
            await self._backend.renew(slots, holder, lease * 1000)
            return {}
        units = cast("Mapping[str, int]", event.get("units", {"requests": 1}))
        names = cast("Sequence[str]", event.get("for", list(self._limits)))
        claims = [self._meter(name, units) for name in names]
        answer = await self._backend.take(claims, holder) if claims else Answer(passed=True, readings=())
        without = [
            (name, reading.wait_us)
            for name, reading in zip(names, answer.readings, strict=True)
            if reading.wait_us != 0
        ]
        if answer.passed:
            return {"pass": True}
        waits = [wait for _, wait in without]
        never = None in waits
        wait = max(1, math.ceil(max(found or 0 for found in waits) / 1e6))
        return {"pass": False, "by": [name for name, _ in without], "retry_after": "never" if never else wait}

    def _meter(self, name: str, units: Mapping[str, int] | None) -> Claim:
        limit = self._limits[name]
        slots = "slots" in limit
        amount = 1 if slots else units.get(str(limit.get("unit", "requests")), 0) if units is not None else 0
        return Claim(
            key=self._prefix + name,
            limit=int(limit["slots" if slots else "most"]),
            span_us=int(limit["lease_ms" if slots else "window_ms"]) * 1000,
            amount=0 if units is None else amount,
            slots=slots,
        )

    async def _used(self) -> dict[str, int]:
        answer = await self._backend.take([self._meter(name, None) for name in self._limits], "")
        return {name: entry.used for name, entry in zip(self._limits, answer.readings, strict=True)}


@pytest.mark.promise("A7")
async def test_every_case_is_judged_as_it_was_worked_out(backend: LimitBackend, clock: FakeClock) -> None:
    """Windows exact at their edge, slots with leases, all or nothing, and what a refused call is told."""
    found = [line for case in cases() for line in await Judge(case, backend, clock).problems()]
    assert found == []
    assert len(cases()) >= 80
