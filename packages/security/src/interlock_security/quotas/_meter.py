"""Quotas around requests to models, and around calls of tools that have a price."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from socket import gaierror

from interlock_core.call import Call, CallKind
from interlock_core.completion import CompletionRequest
from interlock_core.errors import (
    InterlockError,
    OperatorError,
    RefusedError,
    StoreError,
    UpstreamConnectionError,
)
from interlock_core.metering import Bill
from interlock_core.money import Money
from interlock_security.quotas._book import Applied, Subject, subject_of
from interlock_security.quotas._bound import Tariff
from interlock_security.quotas._model import Scope
from interlock_security.quotas._quotas import Hold, Quotas

_NOTHING_BILLED = frozenset({*range(400, 500), 500, 501, 503, 529})
"""Statuses with which a vendor itself says that it did not answer. A gateway's 502, 504 and the like may
hide an answer that was made, and billed."""

_MOST_CAUSES = 8

_logger = logging.getLogger("interlock.security.quotas")


class QuotaMeter:
    """Pays for the requests of one call: each is a reservation of its own, settled by its own bill.

    So every attempt, fallback and further try is bounded before it is sent, whatever the router does, and a
    refusal in the middle ends the call before more is spent. What a request cost that failed stays booked.

    Args:
        quotas: The ledger.
        subject: Whom the call counts for.
        tariff: What models cost at most.
    """

    __slots__ = ("_quotas", "_subject", "_tariff")

    def __init__(self, quotas: Quotas, subject: Subject, tariff: Tariff) -> None:
        self._quotas = quotas
        self._subject = subject
        self._tariff = tariff

    @classmethod
    async def of(cls, quotas: Quotas, call: Call, tariff: Tariff) -> "tuple[QuotaMeter, Applied] | None":
        """The meter of a call, with the quotas that it falls under; None when it falls under none.

        Raises:
            StoreError: The ledger cannot be read, so nobody knows what is left.
        """
        subject = subject_of(call.principal)
        applied = await quotas.applied(subject)
        return (cls(quotas, subject, tariff), applied) if applied.limits else None

    @asynccontextmanager
    async def attempt(self, request: CompletionRequest) -> AsyncGenerator[Bill, None]:
        """The context in which one request is sent; see `interlock_core.metering.Meter`."""
        bill = Bill()
        most = self._tariff.most(request)
        if most == Money(0):
            yield bill
            return
        applied = await self._quotas.applied(self._subject)
        hold = await self._quotas.admit(applied, most, what=request.model)
        try:
            yield bill
        except BaseException as error:
            await _book(self._quotas, hold, bill.cost, free=bill.cost is None and nothing_billed(error))
            raise
        await _book(self._quotas, hold, bill.cost, free=False)


class QuotaGuard:
    """Counts calls of tools that have a price; `QuotaMeter` counts calls of models, request by request.

    A call that a guard further in refuses costs nothing; one that was made costs its price, however it ended.

    Args:
        quotas: The ledger.
    """

    __slots__ = ("_quotas",)

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a call is made.

        Raises:
            QuotaExceededError: There is no room for its price.
            StoreError: The ledger cannot be reached, so it is not made.
        """
        if call.kind is not CallKind.TOOL:
            yield
            return
        applied = await self._quotas.applied((*subject_of(call.principal), (Scope.TOOL, call.name)))
        price = applied.call_price
        if price is None:
            yield
            return
        hold = await self._quotas.admit(applied, price, what=call.name)
        try:
            yield
        except BaseException as error:
            await _book(self._quotas, hold, price, free=isinstance(error, RefusedError))
            raise
        await _book(self._quotas, hold, price, free=False)


async def _book(quotas: Quotas, hold: Hold, cost: Money | None, *, free: bool) -> None:
    """Settle or release; a ledger that cannot be reached must not take an answer away that was paid for."""
    try:
        if free:
            await quotas.release(hold)
        else:
            await quotas.settle(hold, cost)
    except StoreError as error:
        _logger.warning("a call is not booked yet; it will be, or is charged in full: %s", error)


def nothing_billed(error: BaseException) -> bool:
    """Whether an error proves that the vendor bills nothing for the request."""
    if not isinstance(error, InterlockError):
        return False
    if error.vendor_status is not None:
        return error.vendor_status in _NOTHING_BILLED
    if isinstance(error, RefusedError | OperatorError):
        return True
    return isinstance(error, UpstreamConnectionError) and _never_connected(error)


def _never_connected(error: BaseException) -> bool:
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return False
        if isinstance(cause, ConnectionRefusedError | gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


__all__ = ["QuotaGuard", "QuotaMeter", "nothing_billed"]
