"""Moments on the command line."""

import time
from datetime import UTC, datetime

import click

from interlock_cli._span import SPAN


class _Moment(click.ParamType[float]):
    """A moment such as `2026-03-11T10:00`, in UTC unless it has an offset; in seconds since 1970.

    Args:
        spans: Whether a span such as `2d` is taken too, counted from now.
    """

    name = "time"

    def __init__(self, *, spans: bool = False) -> None:
        self._spans = spans

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The moment in seconds."""
        text = str(value).strip()
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            if self._spans:
                return time.time() + SPAN.convert(value, param, ctx)
            self.fail(f"{value!r} is no moment; write 2026-03-11T10:00.", param, ctx)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


MOMENT = _Moment()
"""The type of an option that takes a moment."""

MOMENT_OR_SPAN = _Moment(spans=True)
"""The type of an option that takes a moment, or a span from now."""
