"""Specifications: read one, and split it into requirements by its own structure."""

from interlock_pipeline.specification._read import read_specification
from interlock_pipeline.specification._split import Requirement, Specification, split

__all__ = ["Requirement", "Specification", "read_specification", "split"]
