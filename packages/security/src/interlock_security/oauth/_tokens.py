"""Access tokens: fetched once for all who wait, kept until near their end, fetched anew when refused.

Rules, in order: a client's secret goes to the address that the operator wrote, or to one of the issuer's own
origin, and no redirect is followed; of all processes at one store one fetches, under a lease; a refresh token
that the server replaces is kept before the access token is used; no error repeats what a server said but its
code.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InterlockError, NotFoundError, UpstreamTimeoutError
from interlock_core.ids import new_id
from interlock_core.jsontypes import as_array, as_number, as_object, as_text, dump_json, parse_json
from interlock_core.protocols import SecretStore
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest
from interlock_security.oauth._client import OAuthClient
from interlock_security.oauth._wire import (
    MOST_BYTES,
    TIMEOUT_S,
    Token,
    checked_url,
    endpoint_of,
    token_of,
    token_request,
)

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient

_logger = logging.getLogger("interlock.security.oauth")

_LEASE_S = 30.0
_WAIT_S = 0.1


class TokenKeeper(Protocol):
    """Keeps tokens for all processes at one store. `Vault` is one."""

    async def token(self, name: str) -> str | None:
        """A token that was kept; None when there is none."""
        ...

    async def keep_token(self, name: str, value: str) -> None:
        """Keep a token."""
        ...

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take a lease for some seconds; false while another owner holds it."""
        ...

    async def give_back(self, name: str, owner: str) -> None:
        """End a lease before its time."""
        ...


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


class AccessTokens:
    """The access tokens of some clients.

    Args:
        clients: The clients.
        secrets: Gives their secrets and refresh tokens.
        egress: Where requests may go beside the addresses that the clients name.
        keeper: Keeps tokens for all processes; without it each process has its own.
        keep_refresh: Keeps a refresh token under a name of the vault.
        learn: Told every token before it is used.
        clock: Tells the time.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        clients: Sequence[OAuthClient],
        *,
        secrets: SecretStore,
        egress: "Egress | None" = None,
        keeper: TokenKeeper | None = None,
        keep_refresh: Callable[[str, Secret], Awaitable[None]] | None = None,
        learn: Callable[[Secret], None] | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = _sleep,
    ) -> None:
        self._clients = {client.name: client for client in clients}
        self._secrets = secrets
        self._egress = egress
        self._keeper = keeper
        self._keep_refresh = keep_refresh
        self._learn = learn
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._owner = new_id("process")
        self._held: dict[str, Token] = {}
        self._refreshed: dict[str, Secret] = {}
        self._endpoints: dict[str, str] = {}
        self._fetching: dict[str, asyncio.Task[Token]] = {}
        self._http: HttpClient | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that tokens are asked for by."""
        return frozenset(self._clients)

    async def get(self, name: str) -> Secret:
        """A token that can be used now.

        Raises:
            NotFoundError: There is no such client.
            CredentialError: The server refuses the client.
            InterlockError: None can be had.
        """
        held = self._held.get(name)
        if held is None or held.fresh_until <= self._clock.now():
            held = await self._fetched(name, refused="")
        return Secret(held.access, name=name)

    async def renew(self, name: str, used: Secret) -> bool:
        """Have another token in place of one that the API refused; whether there is one.

        Whoever comes with a token that was replaced already fetches nothing.

        Raises:
            InterlockError: None can be had.
        """
        if name not in self._clients:
            return False
        held = self._held.get(name)
        if held is None or held.access == used.reveal():
            self._held.pop(name, None)
            held = await self._fetched(name, refused=used.reveal())
        return held.access != used.reveal()

    async def aclose(self) -> None:
        """Give up what is under way, and close every connection."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # ---- inside

    async def _fetched(self, name: str, *, refused: str) -> Token:
        """The token that one task of this process fetches for all who wait."""
        client = self._clients.get(name)
        if client is None:
            raise NotFoundError(f"There is no OAuth client {name}.", field=name)
        task = self._fetching.get(name)
        if task is None:
            task = asyncio.create_task(self._obtained(client, refused), name=f"token {name}")
            task.add_done_callback(lambda done: self._done(name, done))
            self._fetching[name] = task
        return await asyncio.shield(task)

    def _done(self, name: str, task: "asyncio.Task[Token]") -> None:
        self._fetching.pop(name, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody may have

    async def _obtained(self, client: OAuthClient, refused: str) -> Token:
        """A token that another process fetched, or that this one fetches under the lease."""
        if self._keeper is None:
            return self._hold(client, await self._asked(client))
        end = self._clock.monotonic() + 2 * _LEASE_S
        while True:
            kept = await self._kept(client)
            if kept is not None and kept.access != refused:
                return self._hold(client, kept)
            if await self._keeper.lease(client.name, self._owner, _LEASE_S):
                break
            if self._clock.monotonic() >= end:
                raise UpstreamTimeoutError(
                    f"Another process fetches a token of {client.name} and does not finish.",
                    field=client.name,
                    remedy="Try again.",
                )
            await self._sleep(_WAIT_S)
        try:
            # Between the look and the lease another process may have finished.
            kept = await self._kept(client)
            if kept is not None and kept.access != refused:
                return self._hold(client, kept)
            token = await self._asked(client)
            await self._keep(client, token)
            return self._hold(client, token)
        finally:
            await self._keeper.give_back(client.name, self._owner)

    async def _asked(self, client: OAuthClient) -> Token:
        """A fresh token from the server; a new refresh token is kept first."""
        url = await self._endpoint(client)
        secret = await self._secret(client.client_secret, url)
        refresh = self._refreshed.get(client.name) or await self._secret(client.refresh_token, url)
        now = self._clock.now()
        request = token_request(client, url, secret=secret, refresh=refresh, now=now)
        response = await self._client().send(request, timeout_s=TIMEOUT_S, max_body_bytes=MOST_BYTES)
        token = token_of(response, client, now=now)
        for text in filter(None, (token.access, token.refresh)):
            self._tell(Secret(text, name=client.name))
        if refresh is not None and token.refresh and token.refresh != refresh.reveal().strip():
            await self._replace(client, Secret(token.refresh, name=client.name))
        return token

    async def _secret(self, name: str, url: str) -> Secret | None:
        if not name:
            return None
        secret = await self._secrets.get(name)
        secret.require_host(urlsplit(url).hostname or "")
        return secret

    async def _endpoint(self, client: OAuthClient) -> str:
        if client.token_url:
            return checked_url(client.token_url, field=f"{client.name}.token_url")
        if client.name not in self._endpoints:
            issuer = checked_url(client.issuer, field=f"{client.name}.issuer").rstrip("/")
            request = HttpRequest(method="GET", url=f"{issuer}/.well-known/openid-configuration")
            response = await self._client().send(request, timeout_s=TIMEOUT_S, max_body_bytes=MOST_BYTES)
            self._endpoints[client.name] = endpoint_of(response, client)
        return self._endpoints[client.name]

    async def _replace(self, client: OAuthClient, refresh: Secret) -> None:
        """Keep a refresh token that replaces the one before."""
        self._refreshed[client.name] = refresh
        if not client.kept_in or self._keep_refresh is None:
            _logger.warning(
                "the server of %s replaced the refresh token, and it is lost when this process ends: "
                'keep it in the vault (refresh_token = "vault:NAME")',
                client.name,
            )
            return
        try:
            await self._keep_refresh(client.kept_in, refresh)
        except InterlockError as error:
            _logger.warning("the new refresh token of %s could not be kept: %s", client.name, error.message)
        else:
            del self._refreshed[client.name]

    async def _kept(self, client: OAuthClient) -> Token | None:
        """The token that some process kept, while it is fresh and was asked for as it would be now."""
        assert self._keeper is not None
        try:
            value = await self._keeper.token(client.name)
            fields = as_object(parse_json(value or "null"))
        except (ValueError, InterlockError):
            return None
        secrets = [as_text(item) or "" for item in as_array(fields.get("secrets"))]
        until = as_number(fields.get("fresh_until")) or 0.0
        if not secrets or fields.get("of") != _mark(client) or until <= self._clock.now():
            return None
        return Token(access=secrets[0], fresh_until=until)

    async def _keep(self, client: OAuthClient, token: Token) -> None:
        assert self._keeper is not None
        value = dump_json({"secrets": [token.access], "fresh_until": token.fresh_until, "of": _mark(client)})
        try:
            await self._keeper.keep_token(client.name, value)
        except InterlockError as error:
            _logger.warning("a token of %s is not shared: %s", client.name, error.message)

    def _hold(self, client: OAuthClient, token: Token) -> Token:
        self._tell(Secret(token.access, name=client.name))
        self._held[client.name] = token
        return token

    def _tell(self, secret: Secret) -> None:
        if self._learn is not None:
            self._learn(secret)

    def _client(self) -> "HttpClient":
        if self._http is None:
            from interlock_core.http import Egress, HttpClient, origin_of

            egress = self._egress or Egress()
            for client in self._clients.values():
                egress = egress.allow(origin_of(client.token_url or client.issuer))
            self._http = HttpClient(egress=egress, clock=self._clock)
        return self._http


def _mark(client: OAuthClient) -> str:
    """What changes when a token would be asked for otherwise."""
    parts = (client.token_url, client.issuer, client.client_id, *client.scopes, client.audience)
    return hashlib.sha256("\n".join((*parts, client.refresh_token)).encode()).hexdigest()[:16]
