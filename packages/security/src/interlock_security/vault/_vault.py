"""The vault: secrets in the store, sealed; every version bound to its place, every change recorded.

Rules, in order: a value goes in and never out again, but to the code that places it; a change is recorded
before it is made; a value is known to whoever hides secrets before it is kept; a secret is given out only to
a setting that its scope names, and carries the hosts that it may be sent to; what does not open under its key
at its place, or stands where a newer version was seen, is refused and named.

Not covered: someone who can read this process's memory, or who has both the store and the key of keys.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InvalidRequestError, NotFoundError, StoreError, VerificationError
from interlock_core.jsontypes import JsonObject, as_array, as_object, parse_json
from interlock_core.nearest import suggestion
from interlock_core.secret import Secret
from interlock_core.store import Store, Transaction
from interlock_security._changes import ChangeLog
from interlock_security.vault import _table
from interlock_security.vault._entry import VaultEntry, check, shown, split
from interlock_security.vault._holders import KeyHolder
from interlock_security.vault._ring import KeyRing, KeyRotation
from interlock_security.vault._scope import SecretScope
from interlock_security.vault._seal import Place, new_key, padded, seal, unseal
from interlock_security.vault._shelf import Shelf

_logger = logging.getLogger("interlock.security.vault")

_FRESH_S = 1.0
_USE_NOTED_EVERY_S = 60.0
_SECRET, _TOKEN = "secret", "token"


class Vault:
    """Secrets in the store.

    What another process changed is seen within a second, by whoever reads, and by `refresh`.

    Args:
        store: Where envelopes are kept.
        holder: Keeps the key of keys.
        changes: Where each change is recorded before it is made.
        learn: Told every secret before it is kept or given out, such as `KnownSecretRedactor.learn`.
        former: Where keys are kept that are still in use from before.
        tenant: Whose secrets these are.
        clock: Tells the time.
        opened: Called before the first key is in memory.
    """

    def __init__(
        self,
        store: Store,
        *,
        holder: KeyHolder,
        changes: ChangeLog,
        learn: Callable[[Secret], None],
        former: Sequence[KeyHolder] = (),
        tenant: str = "default",
        clock: Clock | None = None,
        opened: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._changes = changes
        self._learn = learn
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._ring = KeyRing(store, holder=holder, former=former, clock=self._clock, opened=opened)
        self._shelf = Shelf(self._ring, self._tell)
        self._generation = 0
        self._checked_at: float | None = None
        self._refreshing = asyncio.Lock()
        self._noted: dict[Place, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.changed: list[Callable[[], None]] = []

    # ---- changes

    async def set(
        self, name: str, value: Secret, *, by: Principal, scope: SecretScope | None = None
    ) -> VaultEntry:
        """Keep a value under a name: a new secret, or a new version of one.

        The version before can be read as `NAME@VERSION` until the next one is set.

        Args:
            name: Letters, digits, `.`, `_`, `-` and `/`.
            value: The secret.
            by: Who sets it.
            scope: Where it may be used; as before when None, and anywhere for a new one.

        Raises:
            InvalidRequestError: The name or the value cannot be kept.
            AuditUnavailableError: It could not be recorded, so it was not kept.
            InterlockError: It could not be kept.
        """
        check(name, value.reveal())
        facts: JsonObject = {"name": name, "scope": None if scope is None else scope.as_json()}
        async with self._changes.change("vault.set", by, facts):
            await self._put(_SECRET, name, value, by=by.user, scope=scope)
        return await self.entry(name)

    async def remove(self, name: str, *, by: Principal) -> None:
        """Forget a secret with all its versions; or one former version, named as `NAME@VERSION`.

        Raises:
            NotFoundError: There is none.
            InvalidRequestError: The version is the current one.
            AuditUnavailableError: It could not be recorded, so it was not removed.
            StoreError: It could not be removed.
        """
        plain, version = split(name)
        entry = await self.entry(plain)
        if version == entry.version:
            raise InvalidRequestError(
                f"Version {version} is the current one of {plain}.",
                field="name",
                remedy="Set a new one first, or remove the whole secret by its name alone.",
            )
        if version not in {None, entry.former}:
            raise NotFoundError(f"The vault has no version {version} of {plain}.", field="name")
        async with self._changes.change("vault.remove", by, {"name": plain, "version": version}):
            await self._forget(_SECRET, plain, version)
        await self.refresh(now=True)

    async def rotate_key(self, *, by: Principal) -> KeyRotation:
        """Change the key of keys while everything can be read; or finish a change that was begun.

        Raises:
            AuditUnavailableError: It could not be recorded, so it was not begun.
            InterlockError: A step cannot be made; the next call goes on from there.
        """
        async with self._changes.change("vault.rotate_key", by, {"tenant": self._tenant}):
            rotation = await self._ring.rotate()
        await self.refresh(now=True)
        return rotation

    # ---- reading

    async def list(self) -> Sequence[VaultEntry]:
        """Every secret, sorted by name; never its value.

        Raises:
            StoreError: The store failed.
        """
        versions: dict[str, list[_table.Envelope]] = {}
        for one in await _table.all_of(self._store, self._tenant):
            if one.place.kind == _SECRET:
                versions.setdefault(one.place.name, []).append(one)
        return [shown(found) for _, found in sorted(versions.items()) if found[-1].state != _table.REMOVED]

    async def read(self, reference: str, *, setting: str) -> Secret:
        """One secret, for the code that places it.

        Args:
            reference: Its name, or `NAME@VERSION` for a former version.
            setting: The setting that uses it, such as `tools.github.credential`.

        Raises:
            NotFoundError: There is none of that name.
            ConfigurationError: Its scope does not name the setting, or the key of keys cannot be had.
            VerificationError: It was changed, moved, or an older state was put back.
            StoreError: The store failed.
        """
        name, version = split(reference)
        await self._fresh()
        try:
            found = self._shelf.find(_SECRET, name, version)
        except NotFoundError:
            # It may have been set by another process just now.
            await self.refresh()
            found = self._shelf.find(_SECRET, name, version)
        found.scope.check_use(name, setting)
        self._note_use(found.envelope.place)
        return found.secret

    async def refresh(self, *, now: bool = False) -> None:
        """See what other processes changed, and tell new values to whoever hides secrets.

        Args:
            now: Look at everything, whether something changed or not.

        Raises:
            StoreError: The store failed.
        """
        async with self._refreshing:
            generation = await _table.generation(self._store)
            if now or generation != self._generation:
                await self._shelf.fill(await _table.all_of(self._store, self._tenant))
                self._generation = generation
                if self._checked_at is not None:
                    for call in self.changed:
                        call()
            self._checked_at = self._clock.monotonic()

    async def aclose(self) -> None:
        """Write what is pending."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- tokens, which come and go by themselves

    async def keep_token(self, name: str, value: str) -> None:
        """Keep a token that was fetched, so that every process uses it.

        Raises:
            InterlockError: It could not be kept.
        """
        await self._put(_TOKEN, name, Secret(value, name=name), by="interlock", scope=None)

    async def token(self, name: str) -> str | None:
        """A token that was kept; None when there is none, or none that opens.

        Raises:
            StoreError: The store failed.
        """
        await self.refresh()
        try:
            return self._shelf.find(_TOKEN, name, None).secret.reveal()
        except (NotFoundError, VerificationError):
            return None

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take a lease for some seconds; false while another owner holds it.

        Raises:
            StoreError: The store failed.
        """
        now = self._clock.now()
        return await _table.take_lease(
            self._store, name, owner, now=int(now * 1e6), until=int((now + seconds) * 1e6)
        )

    async def give_back(self, name: str, owner: str) -> None:
        """End a lease before its time.

        Raises:
            StoreError: The store failed.
        """
        await _table.give_lease(self._store, name, owner)

    # ---- inside

    async def _put(self, kind: str, name: str, value: Secret, *, by: str, scope: SecretScope | None) -> None:
        await self._ring.ensure()
        self._tell(kind, Secret(value.reveal(), name=name))
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            key_id, key = await self._ring.current(transaction)
            versions = await _table.versions_of(transaction, self._tenant, kind, name)
            newest = versions[0] if versions else None
            text = scope.text if scope else newest.place.scope if newest else SecretScope().text
            number = newest.place.version + 1 if newest else 1
            for one in versions:
                if one is not newest or one.state == _table.REMOVED:
                    await _table.delete(transaction, one.place)
                else:
                    await self._demote(transaction, one)
            place = Place(tenant=self._tenant, kind=kind, name=name, version=number, scope=text)
            data_key = new_key()
            await _table.insert(
                transaction,
                _table.Envelope(
                    place=place,
                    state=_table.CURRENT,
                    key_id=key_id,
                    wrapped=seal(key, data_key, place.of_key(_table.CURRENT, key_id)),
                    sealed=seal(data_key, padded(value.reveal()), place.of_value()),
                    created_at=int(self._clock.now() * 1e6),
                    created_by=by,
                ),
            )
            await _table.grow(transaction)
        await self.refresh(now=True)

    async def _demote(self, transaction: Transaction, one: _table.Envelope) -> None:
        """Make a version a former one; one that does not open is forgotten instead."""
        try:
            key = await self._ring.key(one.key_id, transaction)
            data_key = unseal(key, one.wrapped, one.place.of_key(one.state, one.key_id))
        except VerificationError:
            _logger.warning("a version of the vault's secret %s did not open and was dropped", one.place.name)
            await _table.delete(transaction, one.place)
            return
        wrapped = seal(key, data_key, one.place.of_key(_table.FORMER, one.key_id))
        await _table.rewrap(transaction, one, state=_table.FORMER, key_id=one.key_id, wrapped=wrapped)

    async def _forget(self, kind: str, name: str, version: int | None) -> None:
        """Delete a former version, or every one; of the newest its number stays, so that none comes twice."""
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            versions = await _table.versions_of(transaction, self._tenant, kind, name)
            for one in versions:
                if version in {None, one.place.version}:
                    await _table.delete(transaction, one.place)
            if version is None and versions:
                newest = versions[0]
                gone = Place(
                    tenant=self._tenant, kind=kind, name=name, version=newest.place.version + 1, scope="{}"
                )
                await _table.insert(
                    transaction,
                    _table.Envelope(
                        place=gone,
                        state=_table.REMOVED,
                        key_id="",
                        wrapped=b"",
                        sealed=b"",
                        created_at=int(self._clock.now() * 1e6),
                        created_by=newest.created_by,
                    ),
                )
            await _table.grow(transaction)

    async def entry(self, name: str) -> VaultEntry:
        entries = {entry.name: entry for entry in await self.list()}
        if name not in entries:
            raise NotFoundError(
                f"The vault has no secret {name[:80]}.", field="name", remedy=suggestion(name, entries)
            )
        return entries[name]

    async def _fresh(self) -> None:
        if self._checked_at is None or self._clock.monotonic() - self._checked_at >= _FRESH_S:
            await self.refresh()

    def _tell(self, kind: str, secret: Secret) -> None:
        if kind != _TOKEN:
            self._learn(secret)
            return
        for text in token_texts(secret.reveal()):
            self._learn(Secret(text, name=secret.name))

    def _note_use(self, place: Place) -> None:
        now = self._clock.now()
        if now - self._noted.get(place, float("-inf")) < _USE_NOTED_EVERY_S:
            return
        self._noted[place] = now
        task = asyncio.create_task(self._write_use(place, int(now * 1e6)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_use(self, place: Place, at: int) -> None:
        try:
            await _table.used(self._store, place, at)
        except StoreError as error:
            _logger.warning("the use of a secret could not be noted: %s", error.message)


def token_texts(value: str) -> list[str]:
    """The secret texts of a token as it is kept: a JSON object whose values of `secrets` they are."""
    try:
        return [text for item in as_array(as_object(parse_json(value)).get("secrets")) if (text := str(item))]
    except ValueError:
        return [value]
