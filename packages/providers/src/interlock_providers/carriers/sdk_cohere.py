"""The carrier over Cohere's official SDK: our bytes go through its HTTP client, its bytes come back.

The SDK's methods parse what they get, and it sends no bytes as they are; so requests are made and sent with
the HTTP client that it wraps. Its stack is an older one than that of the other SDKs.
"""

from typing import TYPE_CHECKING

from interlock_core import HttpRequest
from interlock_providers.carriers import Credential
from interlock_providers.carriers._sdk import (
    MOST_CONNECTIONS,
    MOST_IDLE_CONNECTIONS,
    PLACEHOLDER,
    SdkCarrier,
    StackErrors,
)

if TYPE_CHECKING:
    import httpx
    from cohere.core.client_wrapper import AsyncClientWrapper


class CohereSdkCarrier(SdkCarrier["AsyncClientWrapper"]):
    """Takes requests to one vendor through the wrapper inside `cohere.AsyncClientV2`; see `SdkCarrier`."""

    extra = "cohere"
    introduces = (b"user-agent", b"x-fern-")

    def _open(self) -> "tuple[AsyncClientWrapper, StackErrors]":
        import httpx
        from cohere.core.client_wrapper import AsyncClientWrapper

        async def place(request: httpx.Request) -> None:
            request.headers = httpx.Headers(self._headers(str(request.url), introduction))

        client = AsyncClientWrapper(
            token=PLACEHOLDER,
            base_url=self._origin,
            max_retries=0,
            httpx_client=httpx.AsyncClient(
                timeout=httpx.Timeout(self._read_timeout_s, connect=self._connect_timeout_s),
                limits=httpx.Limits(
                    max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_IDLE_CONNECTIONS
                ),
                follow_redirects=False,
                trust_env=False,
                event_hooks={"request": [place]},
            ),
        )
        introduction = httpx.Headers(client.get_headers(include_token=False)).raw
        errors = StackErrors(
            slow=(httpx.TimeoutException,),
            packed=(httpx.DecodingError,),
            broken=(httpx.RequestError, httpx.StreamError, httpx.InvalidURL),
        )
        return client, errors

    async def _ask(self, client: "AsyncClientWrapper", request: HttpRequest) -> "httpx.Response":
        http = client.httpx_client.httpx_client
        made = http.build_request(request.method, request.url, content=request.body)
        return await http.send(made, stream=True)

    async def _close(self, client: "AsyncClientWrapper") -> None:
        await client.httpx_client.httpx_client.aclose()


def open_carrier(origin: str, credential: Credential | None) -> CohereSdkCarrier:
    """The carrier for a vendor at an origin, as the registry opens it."""
    return CohereSdkCarrier(origin, credential=credential)
