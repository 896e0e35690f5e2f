"""This part's branch of migrations."""

from typing import Final

from interlock_core.store import Branch

BRANCH: Final = Branch(name="metrics", head="metrics_0002", package="interlock_observability.migrations")
"""The tables that this part keeps in the store."""
