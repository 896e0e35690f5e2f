"""Suspicion alerts, joined: who watches, who is told, and what faces show."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from interlock_core import Call, Event, Guard, JsonObject, Notifier, SecretStore
from interlock_core.errors import ConfigurationError
from interlock_core.http import Egress, HttpClient, origin_of
from interlock_core.store import Store
from interlock_runtime.settings import AlertSettings, Settings
from interlock_security import AuditLog
from interlock_security.alerts import (
    AlertDesk,
    AlertGuard,
    AlertRules,
    KeyWatch,
    Sight,
    StreamNotifier,
    WebhookNotifier,
    seen_call,
)

WEBHOOK = "alerts.webhook"
"""The setting that holds the address that alerts are sent to."""


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """One page of alerts, the newest first.

    Attributes:
        items: The alerts.
        more: There are older ones.
    """

    items: Sequence[JsonObject]
    more: bool


class Alerts:
    """Watches calls and keys, and shows what looked suspicious.

    Args:
        settings: The settings.
        store: Where memories and alerts are kept.
        audit: Where alerts are recorded.
        secrets: Resolves the webhook's address.

    Attributes:
        guards: Stand outermost around every call; none where the settings switch alerts off.
        keys: Is shown which keys come from where; None where they are switched off.
    """

    def __init__(self, settings: Settings, *, store: Store, audit: AuditLog, secrets: SecretStore) -> None:
        self._settings = settings
        self._store = store
        self._audit = audit
        self._secrets = secrets
        self._client: HttpClient | None = None
        self._notifiers: Sequence[Notifier] = ()
        self._desk = AlertDesk(store)
        self.guards: tuple[Guard, ...] = ()
        self.keys: KeyWatch | None = None

    async def open(self) -> None:
        """Begin to watch.

        Raises:
            ConfigurationError: The webhook's address cannot be had, or is none.
        """
        wanted = self._settings.alerts
        self._notifiers = await self._made_notifiers()
        self._desk = AlertDesk(
            self._store,
            rules=rules_of(wanted),
            record=self._audit,
            notifiers=self._notifiers,
            clock=self._store.clock,
        )
        if wanted.enabled:
            self.guards = (AlertGuard(self._desk),)
            self.keys = KeyWatch(self._desk)

    def unknown(self, call: Call) -> None:
        """A call named what is not there, or was not offered, so that no guard saw it."""
        if self.guards:
            self._desk.observe(seen_call(call, Sight.UNKNOWN, self._desk.now()))

    async def notify(self, event: Event) -> None:
        """Tell whoever is told of suspicions of something else, such as a quota's threshold."""
        for notifier in self._notifiers:
            await notifier.notify(event)

    async def page(self, limit: int = 50, *, after: str | None = None) -> AlertsPage:
        """Alerts, the newest first.

        Args:
            limit: Most of them, up to 500.
            after: Id of the last one of the page before.

        Raises:
            NotFoundError: There is no such alert.
        """
        place = None if after is None else await self._desk.place(after)
        found = await self._desk.latest(limit + 1, after=place)
        return AlertsPage([alert.as_json() for alert in found[:limit]], len(found) > limit)

    async def flush(self) -> None:
        """Judge now what was seen until now.

        Raises:
            StoreError: The store fails.
        """
        await self._desk.flush()

    async def retell(self) -> None:
        """Tell what another process raised and did not live to tell.

        Raises:
            StoreError: The store fails.
        """
        await self._desk.retell()

    async def aclose(self) -> None:
        """Judge what is left, and end."""
        await self._desk.aclose()
        if self._client is not None:
            await self._client.aclose()

    async def _made_notifiers(self) -> list[Notifier]:
        wanted, found = self._settings.alerts, list[Notifier]()
        if wanted.console:
            found.append(StreamNotifier(sys.stderr))
        if wanted.webhook:
            url = (await self._secrets.get(WEBHOOK)).reveal()
            if not url.startswith(("https://", "http://")):
                raise ConfigurationError(
                    "The webhook for alerts is no address.", field=WEBHOOK, remedy="Write https://host/path."
                )
            egress = self._settings.egress
            # The operator wrote this origin: it is allowed exactly, and no redirect is followed.
            self._client = HttpClient(
                egress=Egress(
                    allowed_origins=[origin_of(url), *egress.allowed_origins],
                    allow_private=egress.allow_private,
                )
            )
            found.append(WebhookNotifier(self._client, url))
        return found


def rules_of(settings: AlertSettings) -> AlertRules:
    """From when on something is suspicious.

    Raises:
        ConfigurationError: There is no such time zone.
    """
    try:
        zone = ZoneInfo(settings.zone)
    except (ValueError, OSError, KeyError) as exc:
        raise ConfigurationError(
            f"There is no time zone {settings.zone[:60]!r}.",
            field="alerts.zone",
            remedy="Write one such as Europe/Berlin or UTC.",
        ) from exc
    return AlertRules(
        refusals=settings.refusals,
        refused_names=settings.refused_names,
        bad_keys=settings.bad_keys,
        odd_calls=settings.odd_calls,
        volume_factor=settings.volume_factor,
        zone=zone,
    )
