"""The secrets that settings, documents and commands name, and the clients that fetch tokens."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock_core import SecretStore
from interlock_core.errors import InterlockError
from interlock_runtime._alerts import WEBHOOK
from interlock_runtime._documents import DocumentStore
from interlock_runtime._limiting import CACHE_ADDRESS
from interlock_runtime._mounting import SHIPPED, egress_of
from interlock_runtime._oauth import OAUTH_SECRETS, oauth_client
from interlock_runtime._telemetry import KEPT_AS as OTLP_KEY
from interlock_runtime._vault import HASHICORP_SETTING
from interlock_runtime.settings import Settings
from interlock_security import EnvironmentSecrets, KnownSecretRedactor
from interlock_security.oauth import AccessTokens

if TYPE_CHECKING:
    from interlock_runtime._models import DeclaredProvider
    from interlock_runtime._vault import VaultFront

_REFERENCES = ("env:", "file:", "vault:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The secrets of the settings.

    Attributes:
        secrets: Gives one by the setting that holds it.
        named: The settings that hold one.
        tokens: Fetches tokens for those that are no secret but a client.
        name: Makes one more setting known that holds a reference.
    """

    secrets: SecretStore
    named: frozenset[str]
    tokens: AccessTokens
    name: Callable[[str, str], None]


async def open_credentials(
    settings: Settings,
    environment: Mapping[str, str],
    providers: "Mapping[str, DeclaredProvider]",
    documents: DocumentStore,
    redactor: KnownSecretRedactor,
    vault: "VaultFront",
) -> Credentials:
    """Every secret that is named anywhere, known to the redactor before anything can be logged.

    One that cannot be had is an error when it is wanted, not before. Tokens are fetched when they are wanted.
    """
    named = _named_secrets(settings, providers, environment)
    named |= await documents.credentials()
    folder = None if settings.file is None else settings.file.parent
    secrets = EnvironmentSecrets(
        environment, named=named, folder=folder, learn=redactor.learn, vault=vault.reader
    )
    await vault.open(secrets)
    await asyncio.gather(*(_learnt(secrets, name) for name in named))
    clients = [oauth_client(name, entry.oauth) for name, entry in settings.tools.items() if entry.oauth]
    tokens = AccessTokens(
        clients,
        secrets=secrets,
        egress=egress_of(settings),
        keeper=vault.keeper,
        keep_refresh=vault.keep_refresh,
        learn=redactor.learn,
    )
    secrets.issue(tokens)
    return Credentials(
        secrets=secrets, named=frozenset({*named, *tokens.names}), tokens=tokens, name=secrets.name
    )


async def _learnt(secrets: EnvironmentSecrets, name: str) -> None:
    """Have a secret known to the redactor, where it can be had."""
    with suppress(InterlockError):
        await secrets.get(name)


def _named_secrets(
    settings: Settings, providers: "Mapping[str, DeclaredProvider]", environment: Mapping[str, str]
) -> dict[str, str]:
    """References (or values) of secrets by the setting that holds them.

    The environment's GitHub token belongs to the document that is shipped, wherever the operator sends its
    calls; another document of that name gets the credential that stands in its own table, or none.
    """
    named = {f"providers.{name}.api_key": entry.settings.api_key for name, entry in providers.items()}
    for name, tool in settings.tools.items():
        named[f"tools.{name}.credential"] = tool.credential
        named |= {f"tools.{name}.credentials.{scheme}": held for scheme, held in tool.credentials.items()}
        named |= {f"tools.{name}.oauth.{key}": tool.oauth.get(key, "") for key in OAUTH_SECRETS}
    for name, server in settings.mcp.items():
        named[f"mcp.{name}.credential"] = server.credential
        # A plain value is no secret: hiding a word such as `debug` everywhere would spoil what is shown.
        held = {key: value for key, value in server.env.items() if value.startswith(_REFERENCES)}
        named |= {f"mcp.{name}.env.{key}": value for key, value in held.items()}
    cache = settings.cache.url
    if cache.startswith(_REFERENCES) or "@" in cache:
        named[CACHE_ADDRESS] = cache
    if settings.alerts.webhook:
        named[WEBHOOK] = settings.alerts.webhook
    if settings.telemetry.otlp_secret:
        named[OTLP_KEY] = settings.telemetry.otlp_secret
    if settings.vault.address:
        named[HASHICORP_SETTING] = settings.vault.token
    github = settings.tools.get("github")
    shipped = github is None or github.source == SHIPPED["github"]
    if shipped and environment.get("GITHUB_TOKEN") and not named.get("tools.github.credential"):
        named["tools.github.credential"] = "env:GITHUB_TOKEN"
    for name, tool in settings.tools.items():
        if tool.source == "builtin:sam_gov" and environment.get("SAM_API_KEY") and not tool.credential:
            named[f"tools.{name}.credential"] = "env:SAM_API_KEY"
    return {name: reference for name, reference in named.items() if reference}
