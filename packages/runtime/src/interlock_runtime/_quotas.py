"""The quotas of the settings and of the store, around providers and tools, and what faces ask of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from interlock_core import Guard, JsonObject, Money, Notifier, Principal, Provider
from interlock_core.errors import ConfigurationError, InvalidRequestError, QuotaExceededError
from interlock_runtime._metered import MeteredProvider, UnderWay
from interlock_runtime.settings import QuotaSettings
from interlock_security.quotas import Period, Quota, QuotaGuard, Quotas, Scope, Tariff, subject_of

if TYPE_CHECKING:
    from interlock_core.store import Store
    from interlock_runtime._access import Access
    from interlock_runtime.settings import Settings
    from interlock_security import AuditLog

_HEADER = "[[quotas]]"

USED_RATIO = "interlock_quota_used_ratio"
"""Name of the metric of how far quotas are used."""


class QuotaDesk:
    """The quotas of this house.

    Args:
        settings: The settings.
        store: Holds the ledger, and the quotas that commands set.
        audit: Records every change before it is made, and every threshold that was reached.
        access: Says who may read and change them.
        notifier: Is told of thresholds too; nobody when None.
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        store: "Store",
        audit: "AuditLog",
        access: "Access",
        notifier: Notifier | None = None,
    ) -> None:
        self._access = access
        self._under_way: dict[str, UnderWay] = {}
        self._quotas = Quotas(
            store, configured=configured_quotas(settings), changes=audit, notes=audit, notifier=notifier
        )

    async def open(self) -> None:
        """Hold the quotas of the configuration against those of the store, and tell what is still untold.

        Raises:
            ConfigurationError: Both declare the same one.
        """
        await self._quotas.open()

    def around_attempts(self, inner: Provider, tariff: Tariff) -> Provider:
        """One provider, each request to it paid for."""
        return MeteredProvider(inner, self._quotas, tariff, under_way=self._under_way)

    def around_tools(self) -> Guard:
        """Counts the calls of tools that have a price."""
        return QuotaGuard(self._quotas)

    async def call_price(self, tool: str) -> Money | None:
        """What one call of a tool costs; None where nobody stated it.

        Raises:
            StoreError: The quotas cannot be read.
        """
        return await self._quotas.call_price(tool)

    async def withdrawn(self, call: str) -> QuotaExceededError | None:
        """Why the answer to a call that was let in may not go on; None when it may, or is over.

        A budget that was set to nothing pays for nothing any more; one that is merely spent has paid for it.

        Raises:
            StoreError: Budgets cannot be read.
        """
        found = self._under_way.get(call)
        if found is None or found.tariff.free(found.model):
            return None
        applied = await self._quotas.applied(subject_of(found.call.principal))
        gone = next((limit.account for limit in applied.limits if not limit.micro_usd), None)
        if gone is None:
            return None
        return QuotaExceededError(
            f"The {gone.period} quota of {gone.scope} {gone.name} was set to nothing meanwhile.",
            field=gone.title,
            remedy="Ask an administrator.",
        )

    async def list(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """Every quota, with what declared it.

        Raises:
            PermissionDeniedError: The principal may not.
        """
        await self._require(by, "quotas.read")
        return [quota.as_json() for quota in await self._quotas.quotas()]

    async def usage(
        self, *, scope: str | None = None, name: str | None = None, by: Principal | None = None
    ) -> Sequence[JsonObject]:
        """How far each limit is used in its present period, live.

        Args:
            scope: Of this scope alone.
            name: Of this name alone.
            by: Who asks; the user at this machine when None.

        Raises:
            InvalidRequestError: There is no such scope.
            PermissionDeniedError: The principal may not.
        """
        await self._require(by, "quotas.read")
        chosen = None if scope is None else _scope(scope)
        return [usage.as_json() for usage in await self._quotas.usage(scope=chosen, name=name)]

    async def charged(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """The reservations that were charged in full because their process died, oldest first.

        Raises:
            PermissionDeniedError: The principal may not.
        """
        await self._require(by, "quotas.read")
        return await self._quotas.charged(1_000)

    async def set(self, wanted: QuotaSettings, *, by: Principal | None = None) -> JsonObject:
        """Set a quota in the store, or change the one that is there.

        Raises:
            InvalidRequestError: A field is wrong.
            ConflictError: The configuration declares it.
            PermissionDeniedError: The principal may not.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        principal = await self._require(by, "quotas.write")
        quota = quota_of(wanted)
        await self._quotas.set(quota, by=principal)
        return quota.as_json()

    async def clear(self, scope: str, name: str, *, by: Principal | None = None) -> None:
        """Take a quota away that a command set; what was spent stays counted.

        Raises:
            NotFoundError: There is none.
            ConflictError: The configuration declares it.
            PermissionDeniedError: The principal may not.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        principal = await self._require(by, "quotas.write")
        await self._quotas.clear(_scope(scope), name, by=principal)

    async def override(
        self,
        limit: tuple[str, str, Literal["day", "month"]],
        usd: float,
        *,
        reason: str,
        until: float,
        by: Principal | None = None,
    ) -> JsonObject:
        """Give a limit another bound for a while; it may be one of the configuration or of a key.

        Args:
            limit: Scope, name and period.
            usd: The bound in dollars while it lasts.
            reason: Why, for the audit log.
            until: The moment from which it no longer counts, in seconds since 1970.
            by: Who does it; the user at this machine when None.

        Raises:
            InvalidRequestError: A field is wrong.
            NotFoundError: There is no such limit.
            PermissionDeniedError: The principal may not.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        principal = await self._require(by, "quotas.write")
        place = (_scope(limit[0]), limit[1], Period(limit[2]))
        made = await self._quotas.override(place, Money.usd(usd), reason=reason, until=until, by=principal)
        return made.as_json()

    async def used(self) -> Mapping[tuple[tuple[str, str], ...], float]:
        """The used part of the limit that is used most, by the labels `period` and `scope`.

        Raises:
            StoreError: It cannot be read.
        """
        highest = await self._quotas.used()
        return {
            (("period", period.value), ("scope", scope.value)): round(ratio, 6)
            for (scope, period), ratio in highest.items()
        }

    async def told(self) -> None:
        """Wait until every threshold that was reached so far is told."""
        await self._quotas.settled()

    async def aclose(self) -> None:
        """Book what waits."""
        await self._quotas.aclose()

    async def _require(self, by: Principal | None, area: str) -> Principal:
        principal = by or await self._access.local()
        self._access.require(principal, area)
        return principal


def configured_quotas(settings: "Settings") -> Sequence[Quota]:
    """The quotas of the settings.

    Raises:
        ConfigurationError: One is wrong, or two are for the same.
    """
    lines = _lines(settings)
    found: dict[tuple[Scope, str], Quota] = {}
    for place, entry in enumerate(settings.quotas):
        line = lines[place] if place < len(lines) else 1
        origin = "the environment" if settings.file is None else f"{settings.file}:{line}"
        try:
            quota = quota_of(entry, origin=origin)
        except InvalidRequestError as error:
            raise ConfigurationError(
                f"{origin}: [[quotas]] {entry.scope} {entry.name}: {error.message}",
                field=f"quotas.{error.field}",
                remedy=error.remedy,
            ) from error
        twin = found.setdefault((quota.scope, quota.name), quota)
        if twin is not quota:
            raise ConfigurationError(
                f"{origin}: there is a quota for {quota.title} already, in {twin.origin}.",
                field="quotas.name",
                remedy="Put both bounds into one of them.",
            )
    return list(found.values())


def quota_of(entry: QuotaSettings, *, origin: str = "") -> Quota:
    """A quota as it is counted.

    Raises:
        InvalidRequestError: A field is wrong.
    """
    return Quota(
        scope=_scope(entry.scope),
        name=entry.name,
        day=_money(entry.day_usd),
        month=_money(entry.month_usd),
        time_zone=entry.time_zone,
        thresholds=tuple(sorted({*entry.thresholds})),
        max_tokens=entry.max_tokens,
        ceiling=_money(entry.ceiling_usd),
        call_price=_money(entry.call_usd),
        origin=origin,
    )


def _lines(settings: "Settings") -> list[int]:
    """The lines of the file on which a quota begins."""
    if settings.file is None or not settings.quotas or not settings.file.is_file():
        return []
    text = settings.file.read_text("utf-8-sig", "replace").splitlines()
    return [number for number, line in enumerate(text, start=1) if line.replace(" ", "").startswith(_HEADER)]


def _scope(word: str) -> Scope:
    if word not in set(Scope):
        raise InvalidRequestError(
            f"There is no scope {word[:40]!r}.", field="scope", remedy=f"Use one of {', '.join(Scope)}."
        )
    return Scope(word)


def _money(usd: float | None) -> Money | None:
    return None if usd is None else Money.usd(usd)
