"""Counts of a vendor that can be true."""

from interlock_core import Usage

_MOST = 10**12
"""More than any model takes or makes; sums and prices of what is below stay within 64 bits."""


def believed(usage: Usage | None) -> Usage | None:
    """The usage; None where a count is more than can be, as if the vendor had said nothing of it."""
    if usage is None or (max(usage.input_tokens, usage.output_tokens) <= _MOST and not usage.requests):
        return usage
    most = max(usage.input_tokens, usage.output_tokens, *usage.requests.values())
    return usage if most <= _MOST else None
