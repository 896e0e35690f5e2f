"""Which families are run and by what, and the run of a whole family."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from . import addresses, configuration, containment, egress, gateway, mounts, proofs, trifecta
from .cases import Case, family
from .gateway import House, house
from .seen import Seen, problems

Runner: TypeAlias = Callable[[Case, Path], Awaitable[Seen]]
"""Carries out one case in a folder of its own, and says what came of it."""

Visitor: TypeAlias = Callable[[Case, House], Awaitable[Seen]]
"""Carries out one case at a gateway that stands for the whole family."""

RUNNERS: dict[int, Runner] = {
    1: egress.path_parameter,
    8: configuration.evaluated,
    18: egress.redirect,
    19: egress.address,
    20: egress.address,
    21: egress.rebinding,
    23: mounts.metadata,
    24: containment.contained,
    25: mounts.changed,
    26: mounts.poisoned,
    27: trifecta.trifecta,
    36: configuration.hostile,
    37: configuration.program,
    40: proofs.falsified,
    42: addresses.fetched,
}
"""What carries out the cases of a family, by its number."""

VISITORS: dict[int, Visitor] = {
    2: gateway.sent,
    22: gateway.sent,
    23: gateway.sent,
    37: gateway.started_program,
}
"""What carries out those on the gateway's own surfaces."""

_WEB = frozenset({"http", "mcp-server"})
NUMBERS = tuple(sorted({*RUNNERS, *VISITORS}))
"""The families that are run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case.

    Attributes:
        case: The case.
        wrong: The words of it that did not hold.
        seen: All that was seen.
    """

    case: Case
    wrong: tuple[str, ...]
    seen: Seen


async def carried_out(number: int, folder: Path, cases: Sequence[Case] | None = None) -> list[Result]:
    """Carry out the cases of a family, all of them unless some are given, in their order."""
    results: list[Result] = []
    async with AsyncExitStack() as stack:
        stage: House | None = None
        for case in family(number).cases if cases is None else cases:
            if case.surface in _WEB and number in VISITORS:
                stage = stage or await stack.enter_async_context(house(folder / "house"))
                seen = await VISITORS[number](case, stage)
            else:
                own = folder / case.id
                own.mkdir()
                seen = await RUNNERS[number](case, own)
            results.append(Result(case, tuple(problems(case, seen)), seen))
    return results
