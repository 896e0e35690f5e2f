"""Money for people."""

from interlock_core import Money


def dollars(amount: Money | None) -> str:
    """An amount in dollars; an unknown one is said, never shown as zero."""
    return "cost unknown" if amount is None else str(amount)
