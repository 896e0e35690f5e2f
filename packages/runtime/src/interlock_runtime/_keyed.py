"""The keys of providers."""

from urllib.parse import urlsplit

from interlock_core import Secret, SecretStore
from interlock_core.errors import ConfigurationError
from interlock_providers import provider_origin
from interlock_runtime.settings import ProviderSettings


async def provider_key(secrets: SecretStore, name: str, entry: ProviderSettings) -> Secret | None:
    """The key of a provider, which may be sent to where it is; None where it needs none.

    Raises:
        ConfigurationError: There is no such secret, or it may not be sent there.
    """
    if not entry.api_key:
        return None
    try:
        key = await secrets.get(f"providers.{name}.api_key")
        origin = provider_origin(entry.kind, entry.base_url or None)
        key.require_host(urlsplit(origin or "").hostname or "")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The provider {name} cannot be used: {error.message}",
            field=error.field,
            remedy=error.remedy,
        ) from error
    return key
