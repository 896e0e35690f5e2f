"""Requests go out: within time, again only where nothing is done twice, redirects only within an origin."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from interlock_core.clock import Clock
from interlock_core.errors import EgressRefusedError, InterlockError, ProtocolError, UpstreamError
from interlock_core.resilience import RetryPolicy, retry
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._limits import ExecutorLimits

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient, HttpResponse

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PASSING = frozenset({502, 503, 504})


class _CircleError(ProtocolError):
    """The API redirects for ever: asking again leads around again."""

    retryable = False


class _ComeBackError(UpstreamError):
    """An answer that says to come back; the answer itself when nobody does."""

    def __init__(self, response: "HttpResponse", *, retry_after: float | None) -> None:
        super().__init__("The API asks to come back later.", retry_after=retry_after)
        self.response = response


class Sender:
    """Sends the requests of one document.

    Args:
        client: Speaks HTTP, under its own egress rules.
        egress: The same rules, to judge redirects by.
        limits: Bounds of each call.
        clock: Tells the time.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        client: "HttpClient",
        egress: "Egress",
        *,
        limits: ExecutorLimits,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._egress = egress
        self._limits = limits
        self._clock = clock
        self._sleep = sleep

    async def send(self, request: HttpRequest, *, deadline: float | None) -> "HttpResponse":
        """The answer to a request, after redirects and repetitions.

        What may have been done is not asked for again: a broken connection, a time-out and 502 or 504 are
        repeated for idempotent methods only; 429, and 503 or 403 with the time to wait, for all, because
        the API says that it did nothing.

        Raises:
            EgressRefusedError: The address, or one that it redirects to, may not be reached.
            UpstreamError: No answer came.
        """
        repeatable = request.method in _IDEMPOTENT

        async def attempt(_: int) -> "HttpResponse":
            response = await self._followed(request, deadline)
            wait, again = _comes_back(response, repeatable=repeatable, now=self._clock.now())
            if again:
                raise _ComeBackError(response, retry_after=wait)
            return response

        def may_repeat(error: InterlockError) -> bool:
            return isinstance(error, _ComeBackError) or (repeatable and error.retryable)

        policy = RetryPolicy(attempts=self._limits.attempts, max_retry_after_s=self._limits.max_retry_after_s)
        try:
            return await retry(
                attempt,
                policy=policy,
                clock=self._clock,
                sleep=self._sleep,
                deadline=deadline,
                retryable=may_repeat,
            )
        except _ComeBackError as error:
            return error.response

    async def _followed(self, request: HttpRequest, deadline: float | None) -> "HttpResponse":
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._client.send(
                request, timeout_s=self._time_left(deadline), max_body_bytes=self._limits.max_answer_bytes
            )
            location = response.header("location")
            if response.status not in _REDIRECTS or not location:
                return response
            request = self._redirected(request, response.status, location)
        raise _CircleError(
            "The API redirects in a circle.", field="location", remedy="Set base_url to its final address."
        )

    def _redirected(self, request: HttpRequest, status: int, location: str) -> HttpRequest:
        from interlock_core.http import origin_of

        onward = urldefrag(urljoin(request.url, location)).url
        self._egress.check(onward)
        origin = origin_of(onward)
        if origin != origin_of(request.url):
            raise EgressRefusedError(
                f"The API redirects to {origin}, which is another origin, so nothing was sent there.",
                field="location",
                remedy="If it is meant, the operator can set base_url to that address.",
            )
        if status in {307, 308} or request.method in {"GET", "HEAD"}:
            return replace(request, url=onward)
        headers = tuple(pair for pair in request.headers if pair[0].lower() != "content-type")
        return HttpRequest(method="GET", url=onward, headers=headers)

    def _time_left(self, deadline: float | None) -> float:
        if deadline is None:
            return self._limits.timeout_s
        return max(0.0, min(self._limits.timeout_s, deadline - self._clock.monotonic()))


def _comes_back(response: "HttpResponse", *, repeatable: bool, now: float) -> tuple[float | None, bool]:
    """How long an answer asks to wait, and whether the request may be made again then."""
    status = response.status
    if status < 400:
        return None, False
    wait = _wait(response, now)
    if status == 429 or (status in {403, 503} and wait is not None):
        return wait, True
    return wait, status in _PASSING and repeatable


def _wait(response: "HttpResponse", now: float) -> float | None:
    """Seconds that an answer asks to wait: Retry-After, else the reset of a limit that is used up."""
    asked = (response.header("retry-after") or "").strip()
    if asked.isdecimal() and len(asked) < 10:
        return float(asked)
    if asked:
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - now)
        except ValueError:
            return None
    reset = (response.header("x-ratelimit-reset") or "").strip()
    if response.header("x-ratelimit-remaining") == "0" and reset.isdecimal() and len(reset) < 12:
        return max(0.0, int(reset) - now)
    return None
