"""What a caller is told of the limits that a call fell under."""

from interlock_core.record import record

__all__ = ["LimitState"]


@record(frozen=True, slots=True, kw_only=True)
class LimitState:
    """One limit, as it stood when a call asked for its share.

    Attributes:
        name: The limit's name, such as `user:*:requests:60s`.
        unit: `requests`, `tokens` or `concurrency`.
        limit: Most units in the window, or most calls at a time.
        remaining: Units that were left after the call; at least so many.
        window_s: Length of the window in seconds; None for calls at a time.
        reset_s: Seconds until nothing of the limit is used, if nobody calls.
    """

    name: str
    unit: str
    limit: int
    remaining: int
    window_s: float | None
    reset_s: float
