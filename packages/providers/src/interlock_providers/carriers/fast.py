"""The fast carrier: core's own HTTP client, one warm client for a whole process."""

from contextlib import AbstractAsyncContextManager

from interlock_core import HttpRequest
from interlock_core.http import HttpClient, origin_of
from interlock_providers.carriers import Credential, Reply, ReplyStream


class FastCarrier:
    """Takes requests to one vendor over an `HttpClient`.

    Args:
        client: The client, whose egress must allow the vendor's origin.
        credential: The vendor's key; None where none is needed.
        owned: Close the client with the carrier.
    """

    __slots__ = ("_client", "_credential", "_owned")

    def __init__(
        self, client: HttpClient, *, credential: Credential | None = None, owned: bool = False
    ) -> None:
        self._client = client
        self._credential = credential
        self._owned = owned

    async def send(self, request: HttpRequest, *, timeout_s: float | None = None) -> Reply:
        """Send a request and read the whole answer."""
        return await self._client.send(self._placed(request), timeout_s=timeout_s)

    def stream(
        self, request: HttpRequest, *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Send a request and read the answer as it comes."""
        return self._client.stream(self._placed(request), timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Close the client, if it is this carrier's own."""
        if self._owned:
            await self._client.aclose()

    def _placed(self, request: HttpRequest) -> HttpRequest:
        if self._credential is None:
            return request
        return self._credential.place(request, origin_of(request.url))
