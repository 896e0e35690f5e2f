"""What an API says of its own limits: read from its answers, kept to before the next request is sent.

Understood are `RateLimit` in the forms of the IETF's drafts and standard, `RateLimit-*`, `X-RateLimit-*` and
their spellings, and `Retry-After` in seconds or as a date. Limits belong to a credential at an origin, and
where the API names it to one of its resources: what searches have used up does not stop reading.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from interlock_core.clock import Clock
from interlock_core.errors import UpstreamRateLimitError
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._errand import Errand, Exchange

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

T = TypeVar("T")
_WITHOUT_TIME_S = 60.0
_LONGEST_WAIT_S = 86_400.0
_MOST_KEPT = 2_000
_FIRST_DRAFTS = re.compile(r"\b(remaining|reset)\s*=\s*(\d{1,12})")
_PARAMETERS = re.compile(r";\s*([rt])\s*=\s*(\d{1,12})")
_NUMBER = re.compile(r"\d{1,14}(?:\.\d{1,6})?")
_SPELLINGS = ("ratelimit", "x-ratelimit", "x-rate-limit")
_SAYS_LIMIT = re.compile("secondary rate limit|abuse detection", re.IGNORECASE)
_LONGEST_REFUSAL = 20_000


class UsedUpError(UpstreamRateLimitError):
    """The API's limit is known to be used up, so the request was not sent."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one answer says of a limit.

    Attributes:
        resource: The API's name of what the limit is on; empty when it names none.
        remaining: Requests that are left.
        reset_s: Seconds until there are more; None when it is not said.
    """

    resource: str
    remaining: int
    reset_s: float | None


def allowance(response: "HttpResponse", now: float) -> Allowance | None:
    """What an answer says of the API's limit; None when it says nothing that can be read.

    Args:
        response: The answer.
        now: Seconds since the epoch.
    """
    headers = {name.lower(): value.strip() for name, value in response.headers}
    resource = headers.get("x-ratelimit-resource", "")[:60]
    remaining, reset_s = _one_field(headers.get("ratelimit", ""))
    if remaining is not None:
        return Allowance(resource, remaining, reset_s)
    for spelling in _SPELLINGS:
        left = headers.get(f"{spelling}-remaining", "")
        if _NUMBER.fullmatch(left):
            return Allowance(resource, int(float(left)), _reset(headers, spelling, now))
    return None


def _one_field(text: str) -> tuple[int | None, float | None]:
    """Requests left and seconds to the reset, of the policy with the fewest left, from `RateLimit`."""
    old = dict(_FIRST_DRAFTS.findall(text))
    policies = [old] if "remaining" in old else []
    policies += [
        {"remaining": found["r"], **({"reset": found["t"]} if "t" in found else {})}
        for found in (dict(_PARAMETERS.findall(part)) for part in text.split(","))
        if "r" in found
    ]
    if not policies:
        return None, None
    tightest = min(policies, key=lambda policy: int(policy["remaining"]))
    reset = tightest.get("reset")
    return int(tightest["remaining"]), _capped(float(reset)) if reset is not None else None


def _reset(headers: Mapping[str, str], spelling: str, now: float) -> float | None:
    """Seconds to the reset: given as seconds, or as a point of time in seconds or milliseconds."""
    for name in (f"{spelling}-reset-after", f"{spelling}-reset"):
        text = headers.get(name, "")
        if _NUMBER.fullmatch(text):
            value = float(text)
            if value >= now * 500:
                value /= 1000
            return _capped(value - now if value >= now / 2 else value)
    return None


def _capped(seconds: float) -> float:
    """Seconds of which one header cannot make more than a day: longer is a mistake, or ill will."""
    return max(0.0, min(seconds, _LONGEST_WAIT_S))


def _after(text: str, now: float) -> float | None:
    """Seconds that `Retry-After` asks for; None when it says nothing."""
    if _NUMBER.fullmatch(text):
        return _capped(float(text))
    from email.utils import parsedate_to_datetime

    try:
        return _capped(parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def wait_asked(response: "HttpResponse", now: float) -> float | None:
    """Seconds that an answer asks to wait: `Retry-After`, else the reset of a limit that is used up.

    No answer asks for more than a day. A refusal in GitHub's words for its secondary limits that names no
    time asks for a minute, which is what the rules of those limits say to wait.
    """
    milliseconds = (response.header("retry-after-ms") or "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return _capped(float(milliseconds) / 1000)
    asked = (response.header("retry-after") or "").strip()
    if asked:
        return _after(asked, now)
    known = allowance(response, now)
    if known is not None and known.remaining <= 0 and known.reset_s is not None:
        return known.reset_s
    return _WITHOUT_TIME_S if response.status == 403 and _says_limit(response) else None


def _says_limit(response: "HttpResponse") -> bool:
    """Whether a refusal is one of a secondary limit, by its form as well as its words: others quote them."""
    if len(response.body) > _LONGEST_REFUSAL:
        return False
    try:
        said = as_object(parse_json(response.body))
    except (ValueError, RecursionError):
        return False
    known = isinstance(said.get("documentation_url"), str)
    return known and bool(_SAYS_LIMIT.search(as_text(said.get("message")) or ""))


class PacedClient:
    """An exchange that keeps to the limits that an API has told: what would be refused is not sent.

    Args:
        inner: Sends.
        clock: Tells the time.
    """

    def __init__(self, inner: Exchange, *, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._free_at: dict[tuple[str, str, str], float] = {}
        self._resources: dict[tuple[str, str, str], str] = {}

    async def send(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        """One request, one answer.

        Raises:
            UsedUpError: The limit that this request counts against is used up; nothing was sent.
        """
        from interlock_core.http import origin_of

        origin = origin_of(request.url)
        if not errand.waited:
            self._check(origin, errand)
        response = await self._inner.send(request, errand)
        self._note(origin, errand, response)
        return response

    def _check(self, origin: str, errand: Errand) -> None:
        if not self._free_at:
            return
        resource = self._resources.get((origin, errand.credential, errand.tool), "")
        free_at = self._free_at.get((origin, errand.credential, resource))
        if free_at is None:
            return
        left = free_at - self._clock.now()
        if left <= 0:
            del self._free_at[origin, errand.credential, resource]
            return
        from datetime import UTC, datetime

        until = datetime.fromtimestamp(free_at, UTC)
        named = f" for {resource}" if resource else ""
        raise UsedUpError(
            f"The limit of {origin}{named} is used up; it is free again in {left:.0f} s, "
            f"at {until:%H:%M:%S} UTC. Nothing was sent.",
            remedy="Wait until then, or do without it.",
            retry_after=left,
        )

    def _note(self, origin: str, errand: Errand, response: "HttpResponse") -> None:
        now = self._clock.now()
        known = allowance(response, now)
        resource = known.resource if known is not None else ""
        if resource:
            _bounded(self._resources)[origin, errand.credential, errand.tool] = resource
        wait = None
        if response.status in {403, 429}:
            wait = wait_asked(response, now)
        elif known is not None and known.remaining <= 0:
            wait = known.reset_s
        if wait:
            _bounded(self._free_at)[origin, errand.credential, resource] = now + wait


def _bounded(known: dict[tuple[str, str, str], T]) -> dict[tuple[str, str, str], T]:
    """The same, without its oldest entry when it is full."""
    if len(known) >= _MOST_KEPT:
        del known[next(iter(known))]
    return known
