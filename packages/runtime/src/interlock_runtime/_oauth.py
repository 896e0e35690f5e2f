"""The OAuth clients of the settings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_runtime.settings import OAUTH_AUTHENTICATION, OAUTH_KEYS, ToolSettings

if TYPE_CHECKING:
    from interlock_security.oauth import ClientAuthentication, OAuthClient

OAUTH_SECRETS = ("client_secret", "refresh_token")
"""The keys of `oauth` that hold a secret."""


def check_oauth(name: str, entry: ToolSettings, where: str) -> None:
    """Refuse a client that cannot fetch a token.

    Raises:
        ConfigurationError: A key is unknown, missing, or leads nowhere; no value is shown.
    """
    field, values = f"tools.{name}.oauth", entry.oauth
    for key in values:
        if key not in OAUTH_KEYS:
            raise ConfigurationError(
                f"{where} oauth has no key {key!r}.", field=field, remedy=suggestion(key, OAUTH_KEYS)
            )
    if not values.get("client_id"):
        raise ConfigurationError(f"{where} oauth lacks 'client_id'.", field=field, remedy="Write it.")
    if bool(values.get("token_url")) is bool(values.get("issuer")):
        raise ConfigurationError(
            f"{where} oauth needs either 'token_url' or 'issuer'.",
            field=field,
            remedy="Write the address of the token endpoint: one that only the document names is never used, "
            "because the client's secret is sent there.",
        )
    authentication = values.get("authentication", "basic")
    if authentication not in OAUTH_AUTHENTICATION:
        raise ConfigurationError(
            f"{where} oauth has no such 'authentication'.",
            field=field,
            remedy=f"Use {', '.join(OAUTH_AUTHENTICATION)}.",
        )
    if not values.get("client_secret") and authentication != "none":
        raise ConfigurationError(
            f"{where} oauth lacks 'client_secret'.",
            field=field,
            remedy='Say where it is, such as vault:NAME, or write authentication = "none".',
        )
    scheme = values.get("scheme", "")
    if (entry.credential and not scheme) or scheme in entry.credentials:
        raise ConfigurationError(
            f"{where} has a credential and oauth for the same scheme.",
            field=field,
            remedy="Say in 'scheme' which of the document's security schemes gets the access token.",
        )


def oauth_client(name: str, values: Mapping[str, str]) -> "OAuthClient":
    """The client of a document."""
    from interlock_security.oauth import OAuthClient

    setting = f"tools.{name}.oauth"
    refresh = values.get("refresh_token", "")
    held = {key: f"{setting}.{key}" if values.get(key) else "" for key in OAUTH_SECRETS}
    return OAuthClient(
        name=setting,
        client_id=values["client_id"],
        token_url=values.get("token_url", ""),
        issuer=values.get("issuer", ""),
        client_secret=held["client_secret"],
        refresh_token=held["refresh_token"],
        kept_in=refresh.removeprefix("vault:") if refresh.startswith("vault:") else "",
        scopes=tuple(values.get("scopes", "").split()),
        audience=values.get("audience", ""),
        authentication=cast("ClientAuthentication", values.get("authentication", "basic")),
    )
