"""The run of a whole suite, or of a sample of it, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock_core import JsonObject

from .package import suites
from .stage import stage
from .trials import Attacked, Served, attack, pairs, serve


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one suite.

    Attributes:
        suite: Its name.
        attacked: What became of each pair of tasks.
        served: What became of each user task.
    """

    suite: str
    attacked: Sequence[Attacked]
    served: Sequence[Served]

    @property
    def tried(self) -> list[Attacked]:
        """The attacks that need a call, and reach their goal without Interlock."""
        return [one for one in self.attacked if one.works and not one.words]

    @property
    def said(self) -> list[Attacked]:
        """The attacks that only want something to be said: no call is made, so no guard of calls sees any."""
        return [one for one in self.attacked if one.words]

    @property
    def passed(self) -> list[Attacked]:
        """The tried attacks whose stranger got it."""
        return [one for one in self.tried if one.passed]

    @property
    def unfair(self) -> list[Attacked]:
        """The attacks that prove nothing: they fail without Interlock, or no guard kept them from trying."""
        return [one for one in self.attacked if one.odd or not (one.works or one.words)]

    @property
    def doable(self) -> list[Served]:
        """The user tasks whose own calls do them without Interlock."""
        return [one for one in self.served if one.works]

    @property
    def undone(self) -> list[Served]:
        """Those of them that an honest agent did not do with Interlock."""
        return [one for one in self.doable if not one.done]


async def report(
    name: str,
    folder: Path,
    *,
    most: int | None = None,
    every: int = 1,
    roles: Mapping[str, JsonObject] | None = None,
) -> Report:
    """Run a suite.

    Args:
        name: The suite.
        folder: Where Interlock's data are put.
        most: With how many user tasks each injection task is tried; with all when None.
        every: One of how many user tasks is done by an honest agent.
        roles: Own roles; none by default.
    """
    suite = suites()[name]
    async with stage(suite, folder, roles=roles) as here:
        served = [await serve(here, user) for user in (*suite.user_tasks.values(),)[::every]]
        attacked = [await attack(here, user, injection) for user, injection in pairs(suite, most=most)]
    return Report(name, attacked, served)
