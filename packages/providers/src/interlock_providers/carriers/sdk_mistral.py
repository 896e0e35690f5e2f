"""The carrier over Mistral's official SDK: our bytes go through its HTTP client, its bytes come back.

The SDK's methods build models anew for each call and each event, and it has no way to send bytes as they
are; so requests are made and sent with the HTTP client that it holds.
"""

from typing import TYPE_CHECKING

from interlock_core import HttpRequest
from interlock_providers.carriers import Credential
from interlock_providers.carriers._httpx2 import httpx2_client, httpx2_errors
from interlock_providers.carriers._sdk import PLACEHOLDER, SdkCarrier, StackErrors

if TYPE_CHECKING:
    import httpx2
    from mistralai.client import Mistral


class MistralSdkCarrier(SdkCarrier["Mistral"]):
    """Takes requests to one vendor through `mistralai.client.Mistral`; see `SdkCarrier`."""

    extra = "mistral"

    def _open(self) -> "tuple[Mistral, StackErrors]":
        import httpx2
        from mistralai.client import Mistral

        client = Mistral(
            api_key=PLACEHOLDER,
            server_url=self._origin,
            # One for synchronous calls is made as well unless it is given, with the environment's proxies.
            client=httpx2.Client(trust_env=False),
            async_client=httpx2_client(
                self._headers, read_timeout_s=self._read_timeout_s, connect_timeout_s=self._connect_timeout_s
            ),
        )
        return client, httpx2_errors()

    async def _ask(self, client: "Mistral", request: HttpRequest) -> "httpx2.Response":
        told = client.sdk_configuration
        assert told.async_client is not None
        made = told.async_client.build_request(
            request.method, request.url, content=request.body, headers={"user-agent": told.user_agent}
        )
        return await told.async_client.send(made, stream=True)

    async def _close(self, client: "Mistral") -> None:
        told = client.sdk_configuration
        assert told.client is not None
        assert told.async_client is not None
        told.client.close()
        await told.async_client.aclose()


def open_carrier(origin: str, credential: Credential | None) -> MistralSdkCarrier:
    """The carrier for a vendor at an origin, as the registry opens it."""
    return MistralSdkCarrier(origin, credential=credential)
