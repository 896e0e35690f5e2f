"""The limits of the settings and of the store, where they are counted, and what faces ask of them."""

import logging
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from interlock_core import CompletionRequest, Guard, JsonObject, Principal, Provider, SecretStore
from interlock_core.errors import ConfigurationError, InvalidRequestError, StoreError
from interlock_core.tokens import EstimatingCounter
from interlock_runtime._limited import LimitedProvider
from interlock_runtime._lines import line_of
from interlock_security.limits import (
    EVERY,
    FallbackBackend,
    LimitBackend,
    LimitBook,
    LimitGuard,
    LimitKind,
    LimitRule,
    LimitScope,
    MemoryBackend,
    RateLimiter,
    StoreBackend,
    ValkeyBackend,
)

if TYPE_CHECKING:
    from interlock_core.store import Store
    from interlock_observability import ProviderMetricsCollector
    from interlock_runtime._access import Access
    from interlock_runtime.settings import Settings
    from interlock_security import AuditLog

Word = TypeVar("Word", bound=StrEnum)

CACHE_ADDRESS = "cache.url"
"""The setting that may hold a password, as the secret store knows it."""

_CALLERS = (LimitScope.GLOBAL, LimitScope.TEAM, LimitScope.USER, LimitScope.KEY)
_ATTEMPTS = (LimitScope.PROVIDER, LimitScope.MODEL)
_WINDOW = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_USUAL_WINDOW = "1m"
_MEMORY = "memory://"
_LOCAL_GAUGE = "interlock_limiter_local"

_logger = logging.getLogger("interlock.runtime.limits")


class Limits:
    """The limits of this house.

    Args:
        settings: The settings.
        store: Holds the limits that commands set, and the counters where no cache is named.
        audit: Records every change before it is made.
        access: Says who may read and change them.
        secrets: Resolves the address of the cache.
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        store: "Store",
        audit: "AuditLog",
        access: "Access",
        secrets: SecretStore,
    ) -> None:
        self._settings = settings
        self._store = store
        self._access = access
        self._secrets = secrets
        self._book = LimitBook(store, changes=audit, configured=configured_limits(settings))
        self._fallback: FallbackBackend | None = None
        self._limiter: RateLimiter | None = None
        self._counter = EstimatingCounter()

    async def open(self, collector: "ProviderMetricsCollector") -> None:
        """Read what commands set, and find where limits are counted; a cache is asked for its version.

        Args:
            collector: Shows whether this process counts alone.

        Raises:
            ConfigurationError: File and store declare the same limit, the cache's address is wrong, or its
                version has known holes.
            MissingExtraError: What speaks to the cache is not installed.
        """
        await self._book.open()
        cache = self._settings.cache
        self._fallback = FallbackBackend(
            await self._shared(),
            fraction=cache.local_percent / 100,
            again_s=cache.retry_s,
            on_change=lambda shared: None if shared else collector.count("interlock_limiter_fallbacks_total"),
            clock=self._store.clock,
        )
        fallback = self._fallback
        collector.gauge(_LOCAL_GAUGE, lambda: {(): float(fallback.local)})
        self._limiter = RateLimiter(fallback, self._book.rules)

    @property
    def limiter(self) -> RateLimiter:
        """Counts calls.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._limiter is None:
            raise RuntimeError("The limits are not open.")
        return self._limiter

    def around_callers(self, inner: Provider) -> Provider:
        """The router within the limits of users, teams, keys and of all together."""
        return LimitedProvider(inner, LimitGuard(self.limiter, _CALLERS), self._input_tokens)

    def around_attempts(self, inner: Provider) -> Provider:
        """One provider within its own limits and those of its models."""
        return LimitedProvider(inner, LimitGuard(self.limiter, _ATTEMPTS), self._input_tokens)

    def around_tools(self) -> Guard:
        """The limits of tools, and of those who call them."""
        return LimitGuard(self.limiter, (*_CALLERS, LimitScope.TOOL))

    async def list(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """Every limit, with what declared it.

        Raises:
            PermissionDeniedError: The principal may not.
        """
        await self._require(by, "limits.read")
        return [rule.as_json() for rule in await self._book.list()]

    async def set(
        self,
        scope: str,
        kind: str,
        limit: int,
        *,
        name: str = EVERY,
        window: str = "",
        by: Principal | None = None,
    ) -> JsonObject:
        """Set a limit; one of the same scope, name, kind and window is replaced.

        Args:
            scope: Whose calls are counted together, such as `user`.
            kind: What is counted: `requests`, `tokens` or `concurrency`.
            limit: Most units in any window, or most calls at a time.
            name: The one that is counted; `*` for each by itself.
            window: Length of the window, such as `1m`, which it is when empty.
            by: Who asks; the user at this machine when None.

        Raises:
            InvalidRequestError: A field is wrong.
            ConflictError: The configuration declares it.
            PermissionDeniedError: The principal may not.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        principal = await self._require(by, "limits.write")
        rule = _rule(scope, name, kind, limit, window)
        await self._book.set(rule, by=principal)
        return rule.as_json()

    async def clear(self, limit_id: str, *, by: Principal | None = None) -> JsonObject:
        """Take a limit away that a command set.

        Raises:
            NotFoundError: There is none of that id.
            ConflictError: The configuration declares it.
            PermissionDeniedError: The principal may not.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        principal = await self._require(by, "limits.write")
        return (await self._book.clear(limit_id, by=principal)).as_json()

    async def aclose(self) -> None:
        """Give back what is being given back, and close the connections."""
        if self._limiter is not None:
            await self._limiter.aclose()

    def _input_tokens(self, request: CompletionRequest) -> int:
        return self._counter.count(request).upper_bound

    async def _require(self, by: Principal | None, area: str) -> Principal:
        principal = by or await self._access.local()
        self._access.require(principal, area)
        return principal

    async def _shared(self) -> LimitBackend:
        url = self._settings.cache.url
        if not url:
            return StoreBackend(self._store)
        if url == _MEMORY:
            return MemoryBackend(self._store.clock)
        plain = "@" not in url and not url.startswith(("env:", "file:", "vault:"))
        address = url if plain else (await self._secrets.get(CACHE_ADDRESS)).reveal()
        cache = self._settings.cache
        backend = ValkeyBackend(address, timeout_s=cache.timeout_s, accepted=cache.accept_versions)
        try:
            await backend.check()
        except ConfigurationError:
            await backend.aclose()
            raise
        except StoreError as error:
            # It is asked again before the first script is sent there.
            _logger.warning("the version of the cache is not known yet: %s", error)
        return backend


def configured_limits(settings: "Settings") -> Sequence[LimitRule]:
    """The limits of the settings.

    Raises:
        ConfigurationError: One is wrong.
    """
    found: list[LimitRule] = []
    file = settings.file
    for entry in settings.limits:
        origin = "environment" if file is None else f"{file}:{line_of(file, 'limits')}"
        try:
            found.append(_rule(entry.scope, entry.name, entry.kind, entry.limit, entry.window, origin=origin))
        except InvalidRequestError as error:
            raise ConfigurationError(
                f"{origin}: [[limits]] {entry.scope} {entry.name}: {error.message}",
                field=f"limits.{error.field}",
                remedy=error.remedy,
            ) from error
    return found


def _rule(scope: str, name: str, kind: str, limit: int, window: str, *, origin: str = "store") -> LimitRule:
    """A limit as it is counted.

    Raises:
        InvalidRequestError: A field is wrong.
    """
    counted = _one_of(LimitKind, kind, "kind")
    window = window or ("" if counted is LimitKind.CONCURRENCY else _USUAL_WINDOW)
    return LimitRule(
        scope=_one_of(LimitScope, scope, "scope"),
        name=name or EVERY,
        kind=counted,
        limit=limit,
        window_s=_seconds(window) if window else 0.0,
        origin=origin,
    )


def _one_of(words: type[Word], word: str, field: str) -> Word:
    try:
        return words(word)
    except ValueError as exc:
        raise InvalidRequestError(
            f"There is no {field} {word[:20]!r}.", field=field, remedy=f"Use one of {', '.join(words)}."
        ) from exc


def _seconds(window: str) -> float:
    found = _WINDOW.fullmatch(window.strip())
    if found is None:
        raise InvalidRequestError(
            f"{window[:20]!r} is no window.", field="window", remedy="Write 500ms, 10s, 1m, 24h or 7d."
        )
    return int(found[1]) * _UNITS[found[2]]
