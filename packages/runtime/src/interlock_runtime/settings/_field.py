"""What every table's fields say of themselves in their metadata."""

from math import inf

HELP = "help"
"""Key of a field's sentence in its metadata."""

BOUNDS = "bounds"
"""Key of the least and the most that a number may be, in its metadata."""

ANY: tuple[float, float] = (0, inf)
"""Bounds of a number that only may not be negative."""
