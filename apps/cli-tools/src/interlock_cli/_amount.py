"""Amounts of money on the command line."""

import math

import click


class _Usd(click.ParamType[float]):
    """Dollars: a finite number, 0 or more."""

    name = "usd"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The amount as a number."""
        try:
            amount = float(str(value))
        except ValueError:
            self.fail(f"{value!r} is no number; write dollars such as 0.25.", param, ctx)
        if not math.isfinite(amount) or amount < 0:
            self.fail(f"{value} is no amount; write dollars, 0 or more.", param, ctx)
        return amount


USD = _Usd()
"""The type of an option that takes dollars."""
