"""A running Interlock elsewhere, as a provider: what `--server` uses."""

from interlock_core import Provider, Secret
from interlock_core.errors import ConfigurationError
from interlock_core.http import origin_of
from interlock_providers import build_provider


def remote_provider(name: str, server: str, key: str) -> Provider:
    """A provider that asks a running server.

    Args:
        name: What stands before the slash of its models.
        server: Its address, with or without `/v1`.
        key: An API key of it.

    Raises:
        ConfigurationError: The address is none.
    """
    base = server.rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{server!r} is no address of a server.",
            field="--server",
            remedy="Write it like http://127.0.0.1:8420.",
        )
    origin_of(base)
    url = base if base.endswith("/v1") else f"{base}/v1"
    return build_provider(
        name, kind="openai-compatible", base_url=url, api_key=Secret(key, name="INTERLOCK_KEY")
    )
