"""A/B experiments: what is compared, who gets which arm, and what is counted.

Nothing here reads a clock, a file or a store. Whoever routes a request asks `assign` for the arm of its
unit, writes the exposure, sends the request to what the arm asks for, and later adds the outcome to the
unit's row. `interlock_router.experiments.analysis` judges the counts, `…simulation` measures the judge;
both stand apart, because they need numpy and assignment does not.
"""

from interlock_router.experiments._assign import Assignment, assign, point
from interlock_router.experiments._experiment import (
    UNITS,
    Arm,
    Better,
    Experiment,
    Guardrail,
    Metric,
    Unit,
)
from interlock_router.experiments._tally import ArmTally, Moments, Sum, Tally, UnitTally

__all__ = [
    "UNITS",
    "Arm",
    "ArmTally",
    "Assignment",
    "Better",
    "Experiment",
    "Guardrail",
    "Metric",
    "Moments",
    "Sum",
    "Tally",
    "Unit",
    "UnitTally",
    "assign",
    "point",
]
