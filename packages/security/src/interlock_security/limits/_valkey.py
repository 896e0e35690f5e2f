"""Counters in Valkey or Redis, for any number of processes on any number of machines."""

import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from interlock_core.clock import Clock
from interlock_core.errors import ConfigurationError, MissingExtraError, StoreError
from interlock_security.limits import _script
from interlock_security.limits._claims import MOST_EXACT, WALK, Answer, Claim, Correction, Reading
from interlock_security.limits._server import CacheServer

if TYPE_CHECKING:
    from redis.asyncio import Redis

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
_PREFIX = "interlock:{limits}:"
"""The braces keep all keys on one node of a cluster, as one script needs them."""

_MOST_CONNECTIONS = 32

_logger = logging.getLogger("interlock.security.limits")


class _Script(Protocol):
    def __call__(self, *, keys: Sequence[str], args: Sequence[str | int]) -> Awaitable[object]: ...


class _Informing(Protocol):
    async def info(self, section: str) -> Mapping[str, object]: ...


class ValkeyBackend:
    """Counts in a Valkey or Redis server, by its clock; each check is one call of a script.

    Nothing is connected before the first check. Counters live in the server's memory: when it is restarted
    without persistence they begin anew. Its keys expire by themselves. No script is sent to a server whose
    version has known holes; scripts are constants, and names reach them as arguments alone.

    Args:
        url: `redis://`, `rediss://` (TLS), `valkey://`, `valkeys://` or `unix://` address.
        timeout_s: Seconds that the server is given to connect and to answer.
        accepted: Versions of servers that the operator knows to be mended.
        clock: A time to be used in place of the server's, for tests.

    Raises:
        ConfigurationError: The address is none of these.
        MissingExtraError: redis-py is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 2.0,
        accepted: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES or not rest:
            raise ConfigurationError(
                "The address of the cache is none of Valkey or Redis.",
                field="cache.url",
                remedy="Write redis://host:port, rediss://host:port or unix:///path.",
            )
        self._clock = clock
        self._accepted = frozenset(accepted)
        self._checked = False
        # What may hold a password is never told: scheme, host and port are enough to find it.
        place = urlsplit(f"{scheme}://{rest}")
        self._place = f"{scheme}://{place.hostname or place.path}"
        self._client = _connect(f"{_SCHEMES[scheme]}://{rest}", timeout_s)
        self._foreign, self._refused = _foreign_errors()
        self._take = cast("_Script", self._client.register_script(_script.TAKE))
        self._correct = cast("_Script", self._client.register_script(_script.CORRECT))
        self._renew = cast("_Script", self._client.register_script(_script.RENEW))
        self._release = cast("_Script", self._client.register_script(_script.RELEASE))

    async def check(self) -> None:
        """Ask the server which version it is.

        Raises:
            ConfigurationError: It is one with known holes.
            StoreError: It cannot be asked.
        """
        try:
            info = await cast("_Informing", self._client).info("server")
        except self._refused:
            info = dict[str, object]()
        except self._foreign as error:
            raise self._failure(error) from None
        if (warning := CacheServer.from_info(info).check(self._accepted)) is not None:
            _logger.warning("%s", warning)
        self._checked = True

    async def take(self, claims: Sequence[Claim], holder: str) -> Answer:
        """Charge every claim, or none."""
        arguments: list[str | int] = [self._now(), holder, MOST_EXACT, WALK]
        for claim in claims:
            arguments += (int(claim.slots), claim.limit, claim.span_us, claim.amount)
        keys = [_PREFIX + claim.key for claim in claims]
        found = await self._run(self._take, keys, arguments)
        passed, moment, *rest = (int(cast("int | bytes", value)) for value in cast("list[object]", found))
        readings = [rest[start : start + 4] for start in range(0, len(rest), 4)]
        return Answer(
            passed=bool(passed), readings=tuple(_reading(*numbers) for numbers in readings), at_us=moment
        )

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Change what was charged in windows."""
        arguments: list[str | int] = []
        for correction in corrections:
            arguments += (correction.entry, correction.delta)
        await self._run(self._correct, [_PREFIX + entry.key for entry in corrections], arguments)

    async def renew(self, keys: Sequence[str], holder: str, lease_us: int) -> None:
        """Let the leases of a holder that are still running begin anew."""
        await self._run(self._renew, [_PREFIX + key for key in keys], [self._now(), holder, lease_us])

    async def release(self, keys: Sequence[str], holder: str) -> None:
        """Give the slots of a holder back."""
        await self._run(self._release, [_PREFIX + key for key in keys], [holder])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _now(self) -> int:
        return 0 if self._clock is None else round(self._clock.now() * 1e6)

    async def _run(self, script: _Script, keys: Sequence[str], arguments: Sequence[str | int]) -> object:
        if not self._checked:
            await self.check()
        try:
            return await script(keys=keys, args=arguments)
        except self._foreign as error:
            # Another server may answer at this address when it is there again.
            self._checked = False
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> StoreError:
        return StoreError(
            f"The cache at {self._place} does not answer as it should ({type(error).__name__}).",
            field="cache.url",
            remedy="Check that the server runs, its address and password, and what its user may do.",
        )


def _reading(used: int, entry: int, wait: int, reset: int) -> Reading:
    return Reading(used=used, entry=entry, wait_us=None if wait < 0 else wait, reset_us=reset)


def _connect(url: str, timeout_s: float) -> "Redis":
    try:
        module = import_module("redis.asyncio")
        import_module("redis.exceptions")
    except ImportError as error:
        raise MissingExtraError(
            "Valkey and Redis are spoken to by redis-py, which is not installed.",
            field="cache.url",
            remedy="Install it: pip install 'interlock-security[redis]'.",
        ) from error
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = module.BlockingConnectionPool.from_url(
        url,
        max_connections=_MOST_CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # A check that was sent twice would be charged twice.
        retry=Retry(NoBackoff(), 0),
    )
    return cast("Redis", module.Redis.from_pool(pool))


def _foreign_errors() -> tuple[tuple[type[Exception], ...], type[Exception]]:
    """Every error of the client, and that of a command that the user may not run."""
    from redis.exceptions import NoPermissionError, RedisError

    return (RedisError, OSError, TimeoutError), NoPermissionError
