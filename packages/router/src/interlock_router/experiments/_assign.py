"""Which arm a unit gets: by hash, the same in every process and on every replica.

Nothing is stored. Each arm draws a number in (0, 1) from BLAKE2b of experiment, salt, unit and its own name,
and the arm with the least `-ln(number) / weight` has the unit (weighted rendezvous hashing: Thaler and
Ravishankar 1998, with weights as in Schindelhauer and Schomaker 2005). An arm wins with probability equal to
its weight. The draws of an arm depend on no other arm, so a change of weights moves a unit only towards an
arm whose weight rose against the one that had it: with two arms, and when an arm is added or taken away, as
many units move as shares change and not one more; with more arms changed at once, no method that keeps no
history moves fewer for every pair of weights (Moulton and Jiang, Maximally Consistent Sampling and the
Jaccard Index of Probability Distributions, 2018). The order of the arms counts for nothing.

Whether a unit takes part at all is another draw; a larger share of the traffic only adds units, and no
assigned one changes its arm. The name of the experiment is part of each draw, so two experiments split the
same users independently.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from math import log
from typing import Final

from interlock_core.jsontypes import JsonObject
from interlock_router.experiments._experiment import Arm, Experiment

_PERSON: Final = b"interlock-ab-1"
_BITS: Final = 52


@dataclass(frozen=True, slots=True)
class Assignment:
    """A unit's arm.

    Attributes:
        experiment: Name of the experiment.
        unit: Id of the unit.
        arm: Its arm.
        probability: With which the arm was chosen, of the units that take part.
    """

    experiment: str
    unit: str
    arm: Arm
    probability: float

    def exposure(self, at: datetime) -> JsonObject:
        """The entry of the exposure log: which unit met which arm, when, and with what probability."""
        return {
            "experiment": self.experiment,
            "unit": self.unit,
            "arm": self.arm.name,
            "asks_for": self.arm.asks_for,
            "probability": self.probability,
            "at": at.isoformat(),
        }


def assign(experiment: Experiment, unit: str, at: datetime | None = None) -> Assignment | None:
    """The arm of a unit.

    Args:
        experiment: The experiment.
        unit: Id of the user, key, conversation or request, as the experiment says.
        at: When, to keep to its start and stop; None asks regardless.

    Returns:
        The assignment; None for a unit that takes no part, or outside the experiment's time.
    """
    if at is not None and not experiment.runs_at(at):
        return None
    if experiment.traffic < 1 and point(experiment.name, experiment.salt, unit) >= experiment.traffic:
        return None
    chosen = min(
        experiment.arms,
        key=lambda arm: -log(point(experiment.name, experiment.salt, unit, arm.name)) / arm.weight,
    )
    return Assignment(experiment.name, unit, chosen, chosen.weight)


def point(*parts: str) -> float:
    """A number strictly between 0 and 1 that the parts fix, evenly spread over different parts."""
    digest = blake2b(digest_size=8, person=_PERSON)
    for part in parts:
        # With its length before it, so that ("ab", "c") is not ("a", "bc").
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    number = int.from_bytes(digest.digest(), "big") >> (64 - _BITS)
    return (number + 0.5) / (1 << _BITS)
