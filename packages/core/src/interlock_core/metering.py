"""How one request to a vendor is paid for: its most is set aside before, the truth is booked after.

A call may carry a `Meter`. Whoever sends requests to a vendor for it makes each of them inside
`metered(…)`: every attempt, every fallback and every further try for an answer's form is one of its own,
because each may be billed.
"""

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from interlock_core.completion import CompletionRequest
    from interlock_core.money import Money

__all__ = ["Bill", "Meter", "Payer", "metered"]


class Bill:
    """What one request to a vendor cost, as soon as whoever sent it knows.

    Attributes:
        cost: The price of the request by what the vendor told; None while it is not known for certain.
    """

    __slots__ = ("cost",)

    def __init__(self) -> None:
        self.cost: Money | None = None


class Meter(Protocol):
    """Pays for requests to vendors."""

    def attempt(self, request: "CompletionRequest") -> AbstractAsyncContextManager[Bill]:
        """The context in which one request is sent.

        Entering sets aside the most that it can cost. Leaving books `Bill.cost`; where that is None, nothing
        when the error proves that the vendor bills nothing, else all that was set aside.

        Raises:
            QuotaExceededError: There is not enough left, or what it may cost is not known.
            StoreError: The ledger cannot be reached, so nothing is sent.
        """
        ...


class Payer(Protocol):
    """What may carry a meter. A `Call` does."""

    @property
    def meter(self) -> Meter | None:
        """Who pays; None books nothing."""
        ...


@asynccontextmanager
async def metered(call: Payer | None, request: "CompletionRequest") -> "AsyncGenerator[Bill, None]":
    """The context in which one request to a vendor is sent for a call.

    Args:
        call: The call, whose meter pays; without one nothing is booked.
        request: The request as it is sent, of a model by its full name.

    Raises:
        QuotaExceededError: There is not enough left for it; nothing was sent.
        StoreError: The ledger cannot be reached; nothing was sent.
    """
    if call is None or call.meter is None:
        yield Bill()
        return
    async with call.meter.attempt(request) as bill:
        yield bill
