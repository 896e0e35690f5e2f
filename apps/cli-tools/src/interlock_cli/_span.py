"""Spans of time on the command line."""

import re

import click

_SPAN = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class _Span(click.ParamType[float]):
    """A span of time such as `30d`, in seconds."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The span in seconds."""
        found = _SPAN.fullmatch(str(value).strip())
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is no span of time; write 90m, 24h, 30d or 4w.", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])


SPAN = _Span()
"""The type of an option that takes a span of time."""
