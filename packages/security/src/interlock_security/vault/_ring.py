"""The keys of keys in use: made on first use, changed without a pause, found again after any crash.

A key's life, each step a transaction of its own that any process can take up again: it is announced in the
store; its holder makes it, and it becomes the current one; every data key is wrapped anew under it, some at
a time, while what is not yet can be read with the former; when nothing is under the former, its holder
destroys it and the store forgets it. Transactions on the vault run one after another in all processes, so two
that rotate at once help each other.
"""

from collections.abc import Callable, Sequence

from interlock_core.clock import Clock
from interlock_core.errors import ConfigurationError, VerificationError
from interlock_core.record import record
from interlock_core.store import Store, Transaction
from interlock_security.vault import _table
from interlock_security.vault._holders import KeyHolder
from interlock_security.vault._seal import proof_of, proves, seal, unseal

_BATCH = 64


@record(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """What a change of the key of keys did.

    Attributes:
        key_id: The key that is current now.
        rewrapped: How many versions this process wrapped anew.
        resumed: A change that had been begun before was finished.
    """

    key_id: str
    rewrapped: int
    resumed: bool


class KeyRing:
    """The keys of keys.

    Args:
        store: Knows their ids.
        holder: Keeps new keys.
        former: Keep keys that are still in use from before.
        clock: Tells the time.
        opened: Called before the first key is in memory.
    """

    def __init__(
        self,
        store: Store,
        *,
        holder: KeyHolder,
        former: Sequence[KeyHolder],
        clock: Clock,
        opened: Callable[[], None] | None,
    ) -> None:
        self._store = store
        self._holders = (holder, *former)
        self._clock = clock
        self._opened = opened
        self._keys: dict[str, bytes] = {}

    async def ensure(self) -> None:
        """Make the first key, where there is none.

        Raises:
            InterlockError: It cannot be made.
        """
        if any(row.state == "current" for row in await _table.keys(self._store)):
            return
        await self._announce(lambda rows: not any(row.state in {"current", "next"} for row in rows))
        await self._promote()

    async def current(self, transaction: Transaction) -> tuple[str, bytes]:
        """Id of the current key, and the key.

        Raises:
            InterlockError: It cannot be had.
        """
        rows = await _table.keys(transaction)
        row = next((row for row in rows if row.state == "current"), None)
        if row is None:
            raise VerificationError("The vault has lost its record of keys.", field="vault.key")
        return row.id, await self._loaded(row)

    async def key(self, key_id: str, transaction: Transaction | None = None) -> bytes:
        """A key by its id.

        Raises:
            InterlockError: It cannot be had.
        """
        if key_id in self._keys:
            return self._keys[key_id]
        for row in await _table.keys(transaction or self._store):
            if row.id == key_id:
                return await self._loaded(row)
        raise VerificationError(
            f"The vault knows no key {key_id[:40]}, which an envelope names.",
            field="vault",
            remedy="Look at the audit log, and set the secret again.",
        )

    async def rotate(self) -> KeyRotation:
        """Change the key of keys, or finish a change that was begun.

        Raises:
            InterlockError: The next step cannot be made; what was done stays, and the next call goes on.
        """
        await self.ensure()
        begun = {row.state for row in await _table.keys(self._store)} != {"current"}
        if not begun:
            await self._announce(lambda rows: all(row.state == "current" for row in rows))
        await self._promote()
        wrapped = 0
        while done := await self._rewrap_some():
            wrapped += done
        await self._drop_former()
        (row,) = [row for row in await _table.keys(self._store) if row.state == "current"]
        return KeyRotation(key_id=row.id, rewrapped=wrapped, resumed=begun)

    async def _announce(self, due: Callable[[Sequence[_table.KeyRow]], bool]) -> None:
        """Note the id of the next key, unless another process did meanwhile."""
        proposed = await self._holders[0].propose()
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            rows = await _table.keys(transaction)
            if not due(rows):
                return
            if any(row.id == proposed for row in rows):
                raise ConfigurationError(
                    f"{self._holders[0].place} holds the key that the vault has already.",
                    field="vault.key",
                    remedy="Name a place with a new key in [vault] key, and the old one in former_key.",
                )
            await _table.announce(transaction, proposed, int(self._clock.now() * 1e6))

    async def _promote(self) -> None:
        """Make the key that was announced, and the current one of it."""
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            rows = await _table.keys(transaction)
            row = next((row for row in rows if row.state == "next"), None)
            if row is None:
                return
            self._tell()
            made = await self._holders[0].make(row.id)
            await _table.promote(transaction, row.id, made.wrapped, proof_of(made.key, row.id))
            await _table.grow(transaction)

    async def _rewrap_some(self) -> int:
        """Wrap some data keys under the current key; how many there were."""
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            key_id, key = await self.current(transaction)
            some = await _table.under_other_keys(transaction, key_id, _BATCH)
            for one in some:
                data_key = await self._data_key(one, transaction)
                wrapped = seal(key, data_key, one.place.of_key(one.state, key_id))
                await _table.rewrap(transaction, one, state=one.state, key_id=key_id, wrapped=wrapped)
            if some:
                await _table.grow(transaction)
        return len(some)

    async def _data_key(self, one: _table.Envelope, transaction: Transaction) -> bytes:
        try:
            former = await self.key(one.key_id, transaction)
            return unseal(former, one.wrapped, one.place.of_key(one.state, one.key_id))
        except VerificationError as exc:
            raise VerificationError(
                f"The vault's {one.place.kind} {one.place.name} does not open, so the change of keys waits.",
                field=f"vault:{one.place.name}",
                remedy="Set it again or remove it, then run the command again.",
            ) from exc

    async def _drop_former(self) -> None:
        """Destroy the keys that nothing is under any more."""
        async with self._store.transaction(lock=_table.LOCK) as transaction:
            rows = await _table.keys(transaction)
            current = next(row.id for row in rows if row.state == "current")
            if await _table.under_other_keys(transaction, current, 1):
                return
            for row in rows:
                if row.state == "former":
                    for holder in self._holders:
                        await holder.forget(row.id)
                    await _table.drop_key(transaction, row.id)
                    self._keys.pop(row.id, None)

    async def _loaded(self, row: _table.KeyRow) -> bytes:
        if row.id in self._keys:
            return self._keys[row.id]
        self._tell()
        for holder in self._holders:
            key = await holder.load(row.id, row.wrapped)
            if key is None:
                continue
            if not proves(key, row.id, row.proof):
                raise ConfigurationError(
                    f"The key {row.id} in {holder.place} is not the one that the vault was made with.",
                    field="vault.key",
                    remedy="Put the right key back: without it the vault's secrets are lost.",
                )
            self._keys[row.id] = key
            return key
        places = " or ".join(holder.place for holder in self._holders)
        raise ConfigurationError(
            f"The vault's key {row.id} is not in {places}.",
            field="vault.key",
            remedy="Put it back, or name the place where it is in [vault] former_key.",
        )

    def _tell(self) -> None:
        if self._opened is not None:
            self._opened()
            self._opened = None
