"""This part's branch of migrations."""

from interlock_core.store import Branch

BRANCH = Branch(name="security", head="security_0010", package="interlock_security.migrations")
"""The tables that this part keeps in the store."""
