"""Requests go out: within time, again only where nothing is done twice, redirects only within an origin."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from interlock_core.clock import Clock
from interlock_core.errors import EgressRefusedError, InterlockError, ProtocolError, UpstreamError
from interlock_core.resilience import RetryPolicy, retry
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._allowance import UsedUpError, wait_asked
from interlock_tools.execution._errand import Errand, Exchange

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient, HttpResponse

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})
"""Methods whose requests may be made twice when nobody knows whether the first arrived."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PASSING = frozenset({502, 503, 504})


class _AstrayError(ProtocolError):
    """The API redirects to where nobody can go, or for ever: asking again leads there again."""

    retryable = False


class _ComeBackError(UpstreamError):
    """An answer that says to come back; the answer itself when nobody does."""

    def __init__(self, response: "HttpResponse", *, retry_after: float | None) -> None:
        super().__init__("The API asks to come back later.", retry_after=retry_after)
        self.response = response


class TimedClient:
    """The exchange below all others: one request to the network, within its time and size.

    Args:
        client: Speaks HTTP, under its own egress rules.
        clock: Tells the time.
    """

    def __init__(self, client: "HttpClient", *, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def send(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        """One request, one answer.

        Raises:
            EgressRefusedError: The address may not be reached.
            UpstreamError: No answer came, or one that is too long.
        """
        limits = errand.limits
        left = limits.timeout_s
        if errand.deadline is not None:
            left = max(0.0, min(left, errand.deadline - self._clock.monotonic()))
        return await self._client.send(request, timeout_s=left, max_body_bytes=limits.max_answer_bytes)


class Sender:
    """Sends the requests of one document.

    Args:
        exchange: Sends one request.
        egress: The same rules as the exchange's, to judge redirects by.
        clock: Tells the time.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        egress: "Egress",
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._exchange = exchange
        self._egress = egress
        self._clock = clock
        self._sleep = sleep

    async def send(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        """The answer to a request, after redirects and repetitions.

        What may have been done is not asked for again: a broken connection, a time-out and 502 or 504 are
        repeated for idempotent methods and requests with an idempotency key only, and so is 503, which may
        come of something on the way; 429, and 403 for a limit, for all: the API says that it did nothing.

        307 and 308 make the same request again, 303 makes a `GET`, of which the errand takes a note. 301 and
        302 lead on only what reads: nobody agrees on what becomes of a change, so nothing is made of it.

        Raises:
            EgressRefusedError: The address, or one that it redirects to, may not be reached.
            UpstreamError: No answer came.
        """
        repeatable = errand.repeatable

        async def attempt(number: int) -> "HttpResponse":
            response = await self._followed(request, errand if number == 1 else replace(errand, waited=True))
            if response.status < 400:
                return response
            wait, again = _comes_back(response, repeatable=repeatable, now=self._clock.now())
            if again:
                raise _ComeBackError(response, retry_after=wait)
            return response

        def may_repeat(error: InterlockError) -> bool:
            return isinstance(error, _ComeBackError | UsedUpError) or (repeatable and error.retryable)

        limits = errand.limits
        policy = RetryPolicy(attempts=limits.attempts, max_retry_after_s=limits.max_retry_after_s)
        try:
            return await retry(
                attempt,
                policy=policy,
                clock=self._clock,
                sleep=self._sleep,
                deadline=errand.deadline,
                retryable=may_repeat,
            )
        except _ComeBackError as error:
            return error.response

    async def _followed(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._exchange.send(request, errand)
            if response.status not in _REDIRECTS:
                return response
            location = response.header("location")
            if not location:
                return response
            request = self._redirected(request, response.status, location, errand)
        raise _AstrayError(
            "The API redirects in a circle.", field="location", remedy="Set base_url to its final address."
        )

    def _redirected(self, request: HttpRequest, status: int, location: str, errand: Errand) -> HttpRequest:
        from interlock_core.http import origin_of

        try:
            onward = urldefrag(urljoin(request.url, location)).url
        except ValueError:
            raise _AstrayError(
                "The API redirects to something that is no address.",
                field="location",
                remedy="Set base_url to its final address.",
            ) from None
        self._egress.check(onward)
        origin = origin_of(onward)
        if origin != origin_of(request.url):
            if request.method == "GET" and any(fnmatchcase(origin, pattern) for pattern in errand.redirects):
                # Whatever the request carried was meant for the first origin alone.
                return HttpRequest(method="GET", url=onward)
            raise EgressRefusedError(
                f"The API redirects to {origin}, which is another origin, so nothing was sent there.",
                field="location",
                remedy="If it is meant, the operator can set base_url to that address.",
            )
        if status in {307, 308} or request.method in {"GET", "HEAD"}:
            return replace(request, url=onward)
        if status != 303:
            raise _AstrayError(
                f"{request.method} was answered with {status}: it has moved within {origin}. It was not "
                "made again there, because that could lose it.",
                field="location",
                remedy="The operator can set base_url to the address that the API has now.",
                vendor_status=status,
            )
        path = urlsplit(onward).path
        errand.notes.append(
            f"[{request.method} was answered with 303 See Other: this is what GET {path} says.]"
        )
        headers = tuple(pair for pair in request.headers if pair[0].lower() != "content-type")
        return HttpRequest(method="GET", url=onward, headers=headers)


def _comes_back(response: "HttpResponse", *, repeatable: bool, now: float) -> tuple[float | None, bool]:
    """How long a failed answer asks to wait, and whether the request may be made again then."""
    status = response.status
    wait = wait_asked(response, now)
    if status == 429 or (status == 403 and wait is not None):
        return wait, True
    return wait, status in _PASSING and repeatable
