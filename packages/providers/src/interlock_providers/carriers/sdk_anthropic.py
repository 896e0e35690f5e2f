"""The carrier over Anthropic's official SDK: our bytes go through its client, its bytes come back."""

from typing import TYPE_CHECKING

from interlock_core import HttpRequest
from interlock_providers.carriers import Credential
from interlock_providers.carriers._httpx2 import httpx2_client, httpx2_errors
from interlock_providers.carriers._sdk import PLACEHOLDER, SdkCarrier, StackErrors

if TYPE_CHECKING:
    import anthropic
    import httpx2


class AnthropicSdkCarrier(SdkCarrier["anthropic.AsyncAnthropic"]):
    """Takes requests to one vendor through `anthropic.AsyncAnthropic`; see `SdkCarrier`."""

    extra = "anthropic"
    introduces = (b"user-agent", b"x-stainless-")

    def _open(self) -> "tuple[anthropic.AsyncAnthropic, StackErrors]":
        import anthropic

        http = httpx2_client(
            self._headers, read_timeout_s=self._read_timeout_s, connect_timeout_s=self._connect_timeout_s
        )
        # A key that is given keeps the SDK from looking for others, in the environment and on the disk.
        client = anthropic.AsyncAnthropic(
            api_key=PLACEHOLDER,
            base_url=self._origin,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
            open_telemetry=False,
        )
        errors = httpx2_errors(slow=(anthropic.APITimeoutError,), broken=(anthropic.APIConnectionError,))
        return client, errors

    async def _ask(self, client: "anthropic.AsyncAnthropic", request: HttpRequest) -> "httpx2.Response":
        import anthropic
        import httpx2

        # The user agent is said here, so that headers of the environment cannot replace it.
        headers = {**_UNREAD, "user-agent": client.user_agent}
        options: anthropic.RequestOptions = {
            "headers": headers,
            "max_retries": 0,
            "follow_redirects": False,
        }
        try:
            if request.method == "GET":
                return await client.get(request.url, cast_to=httpx2.Response, options=options)
            body = request.body or b""
            return await client.post(request.url, content=body, cast_to=httpx2.Response, options=options)
        except anthropic.APIStatusError as error:
            return error.response

    async def _close(self, client: "anthropic.AsyncAnthropic") -> None:
        await client.close()


_UNREAD = {"X-Stainless-Raw-Response": "stream"}
"""Leaves the body of an answer unread."""


def open_carrier(origin: str, credential: Credential | None) -> AnthropicSdkCarrier:
    """The carrier for a vendor at an origin, as the registry opens it."""
    return AnthropicSdkCarrier(origin, credential=credential)
