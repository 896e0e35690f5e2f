"""Notices that a model is no longer what it was: a two-sided cumulative sum of surprises.

Page's test (Continuous Inspection Schemes, Biometrika 41, 1954). A surprise is what a score lies above or
below what was expected, in standard deviations. With the allowance and the bound below, a model that does
not change sets it off about once in 170,000 outcomes; one whose scores fall by a whole deviation, after
about 27.
"""

from dataclasses import dataclass
from typing import Final

ALLOWANCE: Final = 0.25
BOUND: Final = 20.0


@dataclass(slots=True)
class Drift:
    """The sums of one model.

    Attributes:
        above: Of surprises upward.
        below: Of surprises downward.
    """

    above: float = 0.0
    below: float = 0.0

    def notice(self, surprise: float) -> bool:
        """Take a surprise in; True when the model has changed, and the sums start again."""
        self.above = max(0.0, self.above + surprise - ALLOWANCE)
        self.below = max(0.0, self.below - surprise - ALLOWANCE)
        if max(self.above, self.below) <= BOUND:
            return False
        self.above = self.below = 0.0
        return True
