"""Who is told of alerts: a stream for people, and a webhook."""

import logging
from typing import TextIO

from interlock_core.errors import InterlockError, InvalidRequestError, OverloadedError
from interlock_core.http import HttpClient, origin_of
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.resilience import RetryPolicy, retry
from interlock_core.run import Event
from interlock_core.toolspec import HttpRequest

_logger = logging.getLogger("interlock.security.alerts")

_TIMEOUT_S = 10.0
_MOST_BYTES = 64 * 1024


class StreamNotifier:
    """Writes one line for each alert.

    Args:
        stream: Where to.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def notify(self, event: Event) -> None:
        """Write one line; a stream that is closed is no failure."""
        alert = as_object(event.data.get("alert"))
        first = str(alert.get("kind")).partition("-")[0]
        word = first if first in {"quota", "anomaly"} else "suspicious"
        shown = "".join(char if char.isprintable() else "\ufffd" for char in str(alert.get("message")))
        try:
            self._stream.write(f"{word}: {shown}\n")
            self._stream.flush()
        except (OSError, ValueError):
            _logger.exception("an alert could not be written")


class WebhookNotifier:
    """Posts each alert as one JSON object, and tries again when the other side fails.

    Args:
        client: Sends; its egress policy decides what may be reached.
        url: Where to; it may be a secret, so it stands in no message.
        policy: How often and when to try again.
    """

    __slots__ = ("_client", "_policy", "_url")

    def __init__(self, client: HttpClient, url: str, *, policy: RetryPolicy | None = None) -> None:
        self._client = client
        self._url = url
        self._policy = policy or RetryPolicy()

    async def notify(self, event: Event) -> None:
        """Post one alert; that it cannot be told is logged and never raised."""
        body = dump_json(as_object(event.data.get("alert"))).encode()
        headers = (("content-type", "application/json"),)
        request = HttpRequest(method="POST", url=self._url, headers=headers, body=body)

        async def send(attempt: int) -> None:
            del attempt
            answer = await self._client.send(request, timeout_s=_TIMEOUT_S, max_body_bytes=_MOST_BYTES)
            if not answer.ok:
                # Below 500 it is our request that is not wanted: sending it again changes nothing.
                kind = (
                    OverloadedError if answer.status >= 500 or answer.status == 429 else InvalidRequestError
                )
                raise kind(f"The answer is {answer.status}.", vendor_status=answer.status)

        try:
            await retry(send, policy=self._policy)
        except InterlockError:
            _logger.exception("an alert could not be sent to %s", origin_of(self._url))
