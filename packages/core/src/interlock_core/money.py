"""Money: whole micro-dollars, so that sums are exact."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from interlock_core.errors import InvalidRequestError
from interlock_core.record import record

if TYPE_CHECKING:
    from decimal import Decimal


@record(frozen=True, slots=True, order=True)
class Money:
    """An amount in US dollars, held as an integer number of micro-dollars.

    Attributes:
        micro_usd: Millionths of a US dollar; may be negative (a refund).
    """

    micro_usd: int = 0

    @classmethod
    def usd(cls, amount: "str | Decimal | float") -> Self:
        """An amount in dollars, rounded half up to the micro-dollar.

        Raises:
            InvalidRequestError: The text is no finite number.
        """
        from decimal import ROUND_HALF_UP, Decimal

        try:
            return cls(int((Decimal(str(amount)) * 1_000_000).quantize(Decimal(1), rounding=ROUND_HALF_UP)))
        except (ArithmeticError, ValueError) as exc:
            raise InvalidRequestError(
                f"{amount!r} is not an amount of money.", remedy="Write dollars as a number, such as 0.25."
            ) from exc

    @classmethod
    def total(cls, amounts: Iterable["Money"]) -> Self:
        """The sum of amounts; zero when there are none."""
        return cls(sum(amount.micro_usd for amount in amounts))

    def __add__(self, other: "Money") -> "Money":
        return Money(self.micro_usd + other.micro_usd)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.micro_usd - other.micro_usd)

    def __bool__(self) -> bool:
        return self.micro_usd != 0

    def __str__(self) -> str:
        sign = "-" if self.micro_usd < 0 else ""
        whole, micro = divmod(abs(self.micro_usd), 1_000_000)
        return f"{sign}${whole}.{micro:06d}"

    @property
    def as_usd(self) -> float:
        """The amount in dollars, for display and JSON; never for sums."""
        return self.micro_usd / 1_000_000
