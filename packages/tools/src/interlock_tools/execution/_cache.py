"""Answers that HTTP's own rules allow to keep: a private cache after RFC 9111, in memory, bounded by bytes.

The rules, in the order in which they are applied:

1. Only `GET` of tools that read. A request with a condition or a range of its own passes by, and so does
   one whose `Cache-Control` says `no-store`.
2. An answer is kept for the credential and the principal that it was given to, for nobody else. What an API
   shows depends on whose token asks; and whether a principal may see something is decided before a call,
   for that principal, not for whoever asked first.
   Two requests are the same when their method, address, body and headers are, but for those headers that
   speak to caches: what an API makes of a header that `Vary` does not name is not known.
3. `no-store`, `Vary: *` and a status that is not understood are not kept; nor is an answer with neither a
   lifetime nor a validator. No lifetime is guessed: an agent that acts on old data does harm, and asking
   with a validator is cheap.
4. `max-age`, else `Expires`, less the age. `s-maxage` is for shared caches. What cannot be read is stale.
   `no-cache` and a stale answer are asked for again with `If-None-Match` and `If-Modified-Since`; a 304
   freshens what is kept. A stale answer is never given without asking.
5. A change made through here, at any address of an origin, makes everything kept of that origin stale, its
   own address forgotten: RFC 9111 forgets the same address alone, and then a list would miss what was just
   added to it. A change is a call of a tool that does not only read, whatever its method and its end.

Not covered: `HEAD`, partial answers, changes that others make while an answer is fresh.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock_core.clock import Clock
from interlock_core.errors import InterlockError
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._errand import Errand, Exchange
from interlock_tools.execution._freshness import age_of, directives, http_date, lifetime_of

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_OWN_CONDITIONS = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"}
)
_KEPT_WITH_LIFETIME = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
_KEPT_WITH_VALIDATOR = frozenset({200, 203})
_NOT_UPDATED = frozenset(
    {"content-length", "content-encoding", "content-type", "content-range", "transfer-encoding", "connection"}
)
_TO_CACHES = _OWN_CONDITIONS | {"cache-control", "pragma"}
_MOST_VARIANTS = 8
_OVERHEAD = 512


@dataclass(slots=True, kw_only=True)
class _Kept:
    """One answer.

    Attributes:
        key: Where it is kept.
        response: The answer; its headers are renewed by a 304.
        address: Digest of the address, whoever asked.
        origin: Where it came from.
        selecting: Digest of the request's headers.
        asked_at: When the request was sent, in seconds since the epoch.
        came_at: When the answer was there.
        change: How many changes of the origin had been made when the request was sent.
        said: What its `Cache-Control` says.
        size: About how many bytes it takes.
    """

    key: bytes
    response: "HttpResponse"
    address: bytes
    origin: str
    selecting: bytes
    asked_at: float
    came_at: float
    change: int
    said: Mapping[str, str]
    size: int


class HttpCache:
    """Kept answers, the least recently used given up first. It does no I/O.

    Args:
        max_bytes: About the most memory.
        clock: Tells the time.
    """

    def __init__(self, *, max_bytes: int, clock: Clock) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._secret = os.urandom(32)
        self._kept: OrderedDict[bytes, list[_Kept]] = OrderedDict()
        self._changes: dict[str, int] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """About how many bytes are in use."""
        return self._size

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def change(self, origin: str) -> int:
        """How many changes of an origin have been made through here."""
        return self._changes.get(origin, 0)

    def find(self, request: HttpRequest, errand: Errand) -> _Kept | None:
        """What is kept for a request, fresh or not."""
        key = self._key(request, errand)
        for kept in self._kept.get(key, ()):
            if kept.selecting == self._selecting(request, kept.response):
                self._kept.move_to_end(key)
                return kept
        return None

    def fresh(self, kept: _Kept, request: HttpRequest) -> bool:
        """Whether a kept answer may be given without asking."""
        if kept.change != self.change(kept.origin) or "no-cache" in kept.said:
            return False
        wishes = _wishes(request)
        if "no-cache" in wishes:
            return False
        age = age_of(kept.response, asked_at=kept.asked_at, came_at=kept.came_at, now=self.now())
        lifetime = lifetime_of(kept.response, came_at=kept.came_at)
        most = wishes.get("max-age")
        if most is not None and (not most.isdecimal() or age > int(most)):
            return False
        least = wishes.get("min-fresh", "0")
        return lifetime - age > (int(least) if least.isdecimal() else 0)

    def keep(
        self, request: HttpRequest, errand: Errand, response: "HttpResponse", *, asked_at: float, change: int
    ) -> None:
        """Keep an answer if the rules allow it; else forget what was kept in its place."""
        said, came_at, key = directives(response), self.now(), self._key(request, errand)
        allowed = _may_keep(response, said, came_at)
        if not allowed and key not in self._kept:
            return
        from interlock_core.http import origin_of

        kept = _Kept(
            key=key,
            response=response,
            address=self._digest(request.url),
            origin=origin_of(request.url),
            selecting=self._selecting(request, response),
            asked_at=asked_at,
            came_at=came_at,
            change=change,
            said=said,
            size=_size(response),
        )
        self._drop(key, kept.selecting)
        if not allowed or kept.size > self._max_bytes // 4:
            return
        variants = self._kept.setdefault(key, [])
        variants.insert(0, kept)
        self._size += kept.size
        if len(variants) > _MOST_VARIANTS:
            self._size -= variants.pop().size
        self._kept.move_to_end(key)
        self._shrink()

    def _shrink(self) -> None:
        while self._size > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size -= sum(one.size for one in oldest)

    def freshened(
        self, kept: _Kept, answer: "HttpResponse", *, asked_at: float, change: int
    ) -> "HttpResponse":
        """The kept answer after a 304: its headers are as the 304 says."""
        told = {name.lower() for name, _ in answer.headers} - _NOT_UPDATED
        headers = tuple(pair for pair in kept.response.headers if pair[0].lower() not in told)
        new = tuple(pair for pair in answer.headers if pair[0].lower() in told)
        kept.response = replace(kept.response, headers=(*headers, *new))
        kept.asked_at, kept.came_at, kept.change = asked_at, self.now(), change
        kept.said = directives(kept.response)
        grown = _size(kept.response) - kept.size
        kept.size += grown
        # While the 304 was under way it may have been given up: then nothing of it counts.
        if any(one is kept for one in self._kept.get(kept.key, ())):
            self._size += grown
            self._shrink()
        return kept.response

    def forget(self, request: HttpRequest, errand: Errand) -> None:
        """Keep nothing for a request."""
        self._drop(self._key(request, errand), None)

    def changed(self, url: str, *others: str) -> None:
        """A change was made at an address: its answers are forgotten, those of its origin stale."""
        from interlock_core.http import origin_of

        origin = origin_of(url)
        self._changes[origin] = self.change(origin) + 1
        gone = {self._digest(address) for address in (url, *others)}
        for key, variants in list(self._kept.items()):
            if variants and variants[0].address in gone:
                self._drop(key, None)

    def _drop(self, key: bytes, selecting: bytes | None) -> None:
        variants = self._kept.get(key)
        if variants is None:
            return
        left = [one for one in variants if selecting is not None and one.selecting != selecting]
        self._size -= sum(one.size for one in variants) - sum(one.size for one in left)
        if left:
            self._kept[key] = left
        else:
            del self._kept[key]

    def _key(self, request: HttpRequest, errand: Errand) -> bytes:
        body = "" if request.body is None else f"body {hashlib.sha256(request.body).hexdigest()}"
        return self._digest(request.method, request.url, errand.credential, errand.principal, body)

    def _selecting(self, request: HttpRequest, response: "HttpResponse") -> bytes:
        named = sorted({one.strip().lower() for one in _all(response, "vary").split(",") if one.strip()})
        values = [", ".join(v.strip() for k, v in request.headers if k.lower() == name) for name in named]
        others = sorted((k.lower(), v) for k, v in request.headers if k.lower() not in _TO_CACHES)
        return self._digest(*named, *values, *(text for pair in others for text in pair))

    def _digest(self, *parts: str) -> bytes:
        """Stands for texts that may hold a credential."""
        made = hashlib.blake2b(key=self._secret, digest_size=16)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "big"))
            made.update(data)
        return made.digest()


class CachingClient:
    """An exchange that gives kept answers where the rules allow it.

    Args:
        inner: Sends.
        cache: Keeps.
    """

    def __init__(self, inner: Exchange, cache: HttpCache) -> None:
        self._inner = inner
        self._cache = cache

    async def send(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        """One request, one answer, kept or new.

        Raises:
            UpstreamError: It had to be asked for, and no answer came.
        """
        if not errand.reads:
            return await self._change(request, errand)
        own = any(name.lower() in _OWN_CONDITIONS for name, _ in request.headers)
        if request.method != "GET" or own or not errand.limits.cache_bytes:
            return await self._inner.send(request, errand)
        if "no-store" in _wishes(request):
            return await self._inner.send(request, errand)
        kept = self._cache.find(request, errand)
        if kept is not None and self._cache.fresh(kept, request):
            return kept.response
        return await self._ask(request, errand, kept)

    async def _ask(self, request: HttpRequest, errand: Errand, kept: _Kept | None) -> "HttpResponse":
        from interlock_core.http import origin_of

        asked_at, change = self._cache.now(), self._cache.change(origin_of(request.url))
        conditions = _conditions(kept) if kept is not None else ()
        asked = replace(request, headers=(*request.headers, *conditions)) if conditions else request
        response = await self._inner.send(asked, errand)
        if response.status == 304 and kept is not None and conditions:
            if _same(kept.response, response):
                whole = self._cache.freshened(kept, response, asked_at=asked_at, change=change)
                if "no-store" in directives(response):
                    self._cache.forget(request, errand)
                return whole
            self._cache.forget(request, errand)
            asked_at = self._cache.now()
            response = await self._inner.send(request, errand)
        if response.status < 500 and response.status not in {304, 429}:
            self._cache.keep(request, errand, response, asked_at=asked_at, change=change)
        return response

    async def _change(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        try:
            response = await self._inner.send(request, errand)
        except BaseException:
            # A call that is cancelled has arrived all the same.
            self._cache.changed(request.url)
            raise
        if response.status < 400 or response.status >= 500:
            self._cache.changed(request.url, *_beside(request.url, response))
        return response


def _size(response: "HttpResponse") -> int:
    heads = sum(len(name) + len(value) for name, value in response.headers)
    return len(response.body) + 2 * heads + _OVERHEAD


def _may_keep(response: "HttpResponse", said: Mapping[str, str], came_at: float) -> bool:
    if "no-store" in said or "*" in _all(response, "vary"):
        return False
    if response.status in _KEPT_WITH_LIFETIME and lifetime_of(response, came_at=came_at) > 0:
        return True
    return response.status in _KEPT_WITH_VALIDATOR and bool(_validators(response))


def _validators(response: "HttpResponse") -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    tag = (response.header("etag") or "").strip()
    if tag:
        found.append(("if-none-match", tag))
    date = response.header("last-modified") or ""
    if http_date(date) is not None:
        found.append(("if-modified-since", date.strip()))
    return tuple(found)


def _conditions(kept: _Kept) -> tuple[tuple[str, str], ...]:
    return _validators(kept.response) if kept.response.status in _KEPT_WITH_VALIDATOR else ()


def _same(kept: "HttpResponse", answer: "HttpResponse") -> bool:
    """Whether a 304 is about what is kept: without a tag, or with the same one, weak or strong."""
    tag = (answer.header("etag") or "").strip()
    return not tag or tag.removeprefix("W/") == (kept.header("etag") or "").strip().removeprefix("W/")


def _beside(url: str, response: "HttpResponse") -> tuple[str, ...]:
    """The other addresses of the same origin that a change names."""
    from urllib.parse import urljoin

    from interlock_core.http import origin_of

    origin = origin_of(url)
    named = (response.header("location"), response.header("content-location"))
    found: list[str] = []
    for one in named:
        if one:
            try:
                address = urljoin(url, one)
                if origin_of(address) == origin:
                    found.append(address)
            except (ValueError, InterlockError):
                continue
    return tuple(found)


def _wishes(request: HttpRequest) -> Mapping[str, str]:
    """What the request itself says of caching."""
    return directives(request)


def _all(response: "HttpResponse", name: str) -> str:
    return ", ".join(value for key, value in response.headers if key.lower() == name)
