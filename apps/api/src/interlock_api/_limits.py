"""What a client is told of the limits that its request fell under.

`RateLimit` and `RateLimit-Policy` are the standard's draft (draft-ietf-httpapi-ratelimit-headers); the
`x-ratelimit-…` ones are those that clients of OpenAI's API read, each for the limit that is nearest its end.
"""

from collections.abc import Iterable, Sequence
from math import ceil

from interlock_core.limits import LimitState

_UNITS = {"requests": "requests", "tokens": "tokens", "concurrency": "concurrent-requests"}
_TOLD_OF = ("requests", "tokens")
_SHOWN = 128


def limit_headers(states: Sequence[LimitState]) -> list[tuple[str, str]]:
    """The headers; none where there is no limit."""
    if not states:
        return []
    found = [
        ("ratelimit-policy", ", ".join(map(_policy, states))),
        ("ratelimit", ", ".join(map(_standing, states))),
    ]
    for unit in _TOLD_OF:
        nearest = _nearest(state for state in states if state.unit == unit)
        if nearest is not None:
            found += [
                (f"x-ratelimit-limit-{unit}", str(nearest.limit)),
                (f"x-ratelimit-remaining-{unit}", str(nearest.remaining)),
                (f"x-ratelimit-reset-{unit}", _span(nearest.reset_s)),
            ]
    return found


def _policy(state: LimitState) -> str:
    window = "" if state.window_s is None else f";w={ceil(state.window_s)}"
    return f'{_name(state)};q={state.limit};qu="{_UNITS[state.unit]}"{window}'


def _standing(state: LimitState) -> str:
    return f"{_name(state)};r={state.remaining};t={ceil(state.reset_s)}"


def _name(state: LimitState) -> str:
    """The name as a string of structured fields: printable ASCII, in quotes."""
    plain = "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "?" for sign in state.name[:_SHOWN])
    return f'"{plain}"'


def _nearest(states: Iterable[LimitState]) -> LimitState | None:
    return min(states, key=lambda state: state.remaining / max(state.limit, 1), default=None)


def _span(seconds: float) -> str:
    """Seconds as OpenAI writes them: `20ms`, `1s`, `6m0s`."""
    if 0 < seconds < 1:
        return f"{ceil(seconds * 1000)}ms"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"
