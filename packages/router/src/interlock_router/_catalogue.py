"""Which models there are: asked of every provider at once, kept, and renewed behind the requests.

A provider that fails or dawdles takes no other down: its last known models stay, its trouble is noted.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from interlock_core import Clock, ModelInfo, Provider
from interlock_core.errors import ConfigurationError, InterlockError
from interlock_router._entry import Entry

_TROUBLED_TTL_S: Final = 15.0

_logger: Final = logging.getLogger("interlock.router")


class Snapshot:
    """Every model that was known at one moment.

    Attributes:
        entries: The models, sorted by id.
        problems: For each provider that could not be listed, why.
        taken_at: When, on the monotonic clock.
    """

    __slots__ = ("_by_id", "_by_name", "entries", "problems", "shortlists", "taken_at")

    def __init__(self, entries: Iterable[Entry], problems: Mapping[str, str], taken_at: float) -> None:
        self._by_id = {entry.id: entry for entry in entries}
        self.entries: tuple[Entry, ...] = tuple(sorted(self._by_id.values(), key=lambda entry: entry.id))
        self.problems = dict(problems)
        self.taken_at = taken_at
        self._by_name: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            self._by_name[entry.info.name].append(entry)
        # What does not depend on a request's size or the moment is worked out once; see `_filter`.
        self.shortlists: dict[object, object] = {}

    def entry(self, model: str) -> Entry | None:
        """The model of that id, or None."""
        return self._by_id.get(model)

    def named(self, name: str) -> Sequence[Entry]:
        """The models that vendors call so."""
        return self._by_name.get(name, ())

    def names(self) -> list[str]:
        """Every id and every bare name."""
        return [*self._by_id, *self._by_name]


class Catalogue:
    """The models of a set of providers.

    Args:
        providers: Their names must differ.
        ttl_s: Age after which a list is renewed, behind the requests that go on with the old one.
        timeout_s: Most seconds that one provider may take to list its models.
        clock: Its monotonic time is used.

    Raises:
        ConfigurationError: Two providers share a name.
    """

    def __init__(
        self, providers: Sequence[Provider], *, ttl_s: float, timeout_s: float, clock: Clock
    ) -> None:
        self.providers: dict[str, Provider] = {}
        for provider in providers:
            if provider.name in self.providers:
                raise ConfigurationError(
                    f"Two providers are called {provider.name}.",
                    field=f"providers.{provider.name}",
                    remedy="Rename one.",
                )
            self.providers[provider.name] = provider
        self._ttl_s = ttl_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._renewal: asyncio.Task[Snapshot] | None = None

    async def get(self) -> Snapshot:
        """The models as far as known; only the very first call waits for the providers."""
        snapshot = self._snapshot
        if snapshot is None:
            return await self.refresh()
        # A provider that could not be listed is asked again soon: it may have been a moment's trouble.
        life = min(self._ttl_s, _TROUBLED_TTL_S) if snapshot.problems else self._ttl_s
        if self._clock.monotonic() - snapshot.taken_at > life:
            self._renew()
        return snapshot

    @property
    def at_hand(self) -> Snapshot | None:
        """The models as far as known, or None when nobody has asked yet."""
        return self._snapshot

    async def refresh(self) -> Snapshot:
        """Ask every provider now; calls at the same time share one round."""
        return await asyncio.shield(self._renew())

    def _renew(self) -> "asyncio.Task[Snapshot]":
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._ask_all())
        return self._renewal

    async def _ask_all(self) -> Snapshot:
        providers = list(self.providers.values())
        answers = await asyncio.gather(*(self._ask(one) for one in providers), return_exceptions=True)
        entries: list[Entry] = []
        problems: dict[str, str] = {}
        for provider, answer in zip(providers, answers, strict=True):
            if isinstance(answer, BaseException):
                problems[provider.name] = self._trouble(provider.name, answer)
                entries += [entry for entry in self._known() if entry.info.provider == provider.name]
            else:
                entries += [Entry.of(info, provider) for info in answer]
        self._snapshot = Snapshot(entries, problems, self._clock.monotonic())
        return self._snapshot

    async def _ask(self, provider: Provider) -> Sequence[ModelInfo]:
        async with asyncio.timeout(self._timeout_s):
            return await provider.models()

    def _trouble(self, provider: str, error: BaseException) -> str:
        """What went wrong, for people; it is logged when it is new."""
        if isinstance(error, InterlockError):
            told = str(error)
        elif isinstance(error, TimeoutError):
            told = f"{provider} did not list its models within {self._timeout_s:g} s."
        else:
            told = f"{provider} failed to list its models: {type(error).__name__}."
        if self._snapshot is None or self._snapshot.problems.get(provider) != told:
            _logger.warning("the models of %s are not known: %s", provider, told)
        return told

    def _known(self) -> Sequence[Entry]:
        return () if self._snapshot is None else self._snapshot.entries

    async def aclose(self) -> None:
        """End a renewal that is under way."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
