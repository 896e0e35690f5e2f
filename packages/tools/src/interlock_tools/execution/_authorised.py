"""One request with its credentials, and once more where an API turns the first down.

Rules, in order: a credential goes only where it may; a challenge is answered only by the scheme that the
operator chose; a token that is refused is replaced once, and the request made again only where nothing could
be done twice; what a credential is made of is taken out of every error.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json
from interlock_core.protocols import SecretStore
from interlock_core.secret import Secret
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._credentials import Scrubber, Wanted, with_credentials
from interlock_tools.execution._digest import Challenge, authorization, challenge_of
from interlock_tools.execution._errand import Errand
from interlock_tools.execution._sending import Sender

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

Renew: TypeAlias = Callable[[str, Secret], Awaitable[bool]]
"""Has another token in place of one that was refused; whether there is one."""

_MOST_CHALLENGES = 256


@dataclass(frozen=True, slots=True)
class Placed:
    """A request with its credentials.

    Attributes:
        request: As it goes out, but for what a challenge asks for.
        scrubber: Takes the credentials out of what comes back.
        used: What was placed.
        pair: User and password for a challenge; None without that scheme.
        stands_for: What tells these credentials from others, without telling them.
    """

    request: HttpRequest
    scrubber: Scrubber
    used: tuple[tuple[Wanted, Secret], ...] = ()
    pair: Secret | None = None
    stands_for: str = ""


@dataclass(slots=True)
class _Nonce:
    challenge: Challenge
    count: int = field(default=0)


class Authorising:
    """Sends requests under credentials.

    Args:
        renew: Replaces a token that was refused.
        hide: Hides what else must not be seen in an answer.
    """

    def __init__(self, *, renew: Renew | None, hide: Callable[[Json], Json] | None) -> None:
        self._renew = renew
        self._hide = hide
        self._secret = os.urandom(32)
        self._nonces: OrderedDict[tuple[str, str], _Nonce] = OrderedDict()

    async def placed(
        self,
        request: HttpRequest,
        wanted: tuple[Wanted, ...],
        secrets: SecretStore | None,
        declared: Collection[str],
    ) -> Placed:
        """The request with its credentials.

        Raises:
            ConfigurationError: There is no such secret, or it may not go there.
            InvalidRequestError: An argument stands where a credential goes.
        """
        if not wanted or secrets is None:
            return Placed(request, Scrubber((), hide=self._hide))
        made, scrubber, used = await with_credentials(
            request, wanted, secrets, declared=declared, hide=self._hide
        )
        pair = next((secret for one, secret in used if one.scheme.scheme == "digest"), None)
        return Placed(made, scrubber, used, pair, self.stands_for(used))

    def stands_for(self, used: tuple[tuple[Wanted, Secret], ...]) -> str:
        """What tells one set of credentials from another, without telling them."""
        parts = [f"{one.scheme.kind}:{one.scheme.name}:{secret.reveal()}" for one, secret in used]
        text = "\n".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=16).hexdigest() if parts else ""

    async def send(
        self, sender: Sender, placed: Placed, errand: Errand, again: Callable[[], Awaitable[Placed]]
    ) -> "tuple[HttpResponse, Scrubber]":
        """The answer, and what takes the credentials that were used last out of it.

        Args:
            sender: Sends.
            placed: The request.
            errand: Its errand.
            again: Places the credentials anew.

        Raises:
            UpstreamError: No answer came.
            InterlockError: A credential could not be renewed, or the address may not be reached.
        """
        response = await _sent(sender, self._prepared(placed), placed, errand)
        if response.status != 401:
            return response, placed.scrubber
        if placed.pair is not None:
            return await self._answered(sender, placed, errand, response), placed.scrubber
        if not await self._renewed(placed):
            return response, placed.scrubber
        if not errand.repeatable:
            errand.notes.append("[The access token was refused and has been renewed: call again.]")
            return response, placed.scrubber
        fresh = await again()
        both = Scrubber((), hide=self._hide).joined(placed.scrubber, fresh.scrubber)
        fresh = replace(fresh, scrubber=both)
        return await _sent(sender, fresh.request, fresh, replace(errand, credential=fresh.stands_for)), both

    # ---- tokens

    async def _renewed(self, placed: Placed) -> bool:
        if self._renew is None:
            return False
        told = [await self._renew(one.secret, secret) for one, secret in placed.used]
        return any(told)

    # ---- challenges

    def _prepared(self, placed: Placed) -> HttpRequest:
        """The request, with the answer to a challenge that is expected to hold still."""
        nonce = self._nonces.get(self._key(placed)) if placed.pair is not None else None
        return placed.request if nonce is None else self._with(placed, nonce)

    async def _answered(
        self, sender: Sender, placed: Placed, errand: Errand, response: "HttpResponse"
    ) -> "HttpResponse":
        """The answer after the challenge was met; the refusal itself where it was met already."""
        values = [value for name, value in response.headers if name.lower() == "www-authenticate"]
        challenge = challenge_of(values)
        known = self._nonces.pop(self._key(placed), None)
        if challenge is None or (known is not None and not challenge.stale and _same(known, challenge)):
            return response
        nonce = _Nonce(challenge)
        request = self._with(placed, nonce)
        self._nonces[self._key(placed)] = nonce
        while len(self._nonces) > _MOST_CHALLENGES:
            self._nonces.popitem(last=False)
        after = await _sent(sender, request, placed, errand)
        if after.status == 401:
            self._nonces.pop(self._key(placed), None)
        return after

    def _with(self, placed: Placed, nonce: _Nonce) -> HttpRequest:
        assert placed.pair is not None
        nonce.count += 1
        pair = placed.pair.reveal().strip()
        value = authorization(placed.request, nonce.challenge, pair=pair, count=nonce.count)
        others = tuple(pair for pair in placed.request.headers if pair[0].lower() != "authorization")
        return replace(placed.request, headers=(*others, ("authorization", value)))

    def _key(self, placed: Placed) -> tuple[str, str]:
        from interlock_core.http import origin_of

        return origin_of(placed.request.url), placed.stands_for


async def _sent(sender: Sender, request: HttpRequest, placed: Placed, errand: Errand) -> "HttpResponse":
    try:
        return await sender.send(request, errand)
    except InterlockError as error:
        error.message = placed.scrubber.text(error.message)
        error.args = (error.message,)
        raise


def _same(known: _Nonce, challenge: Challenge) -> bool:
    """Whether a server asks for what it was just given: then user or password are wrong."""
    return known.challenge.nonce == challenge.nonce
