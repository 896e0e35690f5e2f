"""Guesses at keys as all processes that share a store know them together.

The rules are those of `_guessing`. A lock-out holds in every process as soon as the answer to the guess that
brought it about is sent, and outlives them all. So does the welcome of a key that was right.

What is kept is known by a digest under the secret by which keys are looked up: neither addresses nor parts of
keys stand in the store. While the store fails, each process counts alone.
"""

import asyncio
import hashlib
import hmac
import logging
from dataclasses import dataclass
from enum import StrEnum

from interlock_core.clock import Clock
from interlock_core.errors import StoreError
from interlock_core.store import Row, Store, Transaction
from interlock_security.keys._guessing import (
    LONGEST_S,
    REMEMBERED,
    Bounded,
    GuessGuard,
    Tally,
    ending_of,
    locked_out,
)

_LOCK = "keys.guesses"
_MOST_TOGETHER = 256
_CLEAN_EVERY_S = 60.0
_WELCOME_AGAIN_S = 86_400.0
_FIND = "SELECT since, wrong, locked_until, times, last FROM keys_guesses WHERE id = ?"
_KEEP = (
    "INSERT INTO keys_guesses (id, kind, since, wrong, locked_until, times, last)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET since = excluded.since, wrong = excluded.wrong,"
    " locked_until = excluded.locked_until, times = excluded.times, last = excluded.last"
)
_OLDEST = (
    "DELETE FROM keys_guesses WHERE kind = ? AND last < (SELECT last FROM keys_guesses WHERE kind = ?"
    " ORDER BY last DESC LIMIT 1 OFFSET ?)"
)

_logger = logging.getLogger("interlock.security.keys")


class _Kind(StrEnum):
    """What a row tells of."""

    NETWORK = "network"
    ENDING = "ending"
    WELCOME = "welcome"


@dataclass(slots=True, eq=False)
class _Note:
    """What must be noted: a wrong key of a network, or a right one."""

    done: "asyncio.Future[bool]"
    network: bytes = b""
    ending: bytes = b""
    welcome: bytes = b""


class SharedGuesses:
    """Counts wrong keys by network and by ending, together with every process at the same store.

    Args:
        store: Where they are counted.
        most: Wrong keys that one network may present within a minute.
        clock: Tells the time; those of several machines may differ by seconds, and so do lock-outs then.
    """

    __slots__ = (
        *("_alone", "_cleaned", "_clock", "_locked", "_most", "_notes", "_store", "_welcome", "_worker"),
    )

    def __init__(self, store: Store, *, most: int, clock: Clock) -> None:
        self._store = store
        self._most = most
        self._clock = clock
        self._alone = GuessGuard(most=most)
        self._welcome: Bounded[None] = Bounded()
        self._locked: Bounded[float] = Bounded()
        self._notes: list[_Note] = []
        self._worker: asyncio.Task[None] | None = None
        self._cleaned = 0.0

    async def check(self, network: bytes, index: bytes, secret: bytes) -> None:
        """Refuse a key from a network that is locked out, before it is looked up.

        Args:
            network: Where it comes from, as `network_of` gives it.
            index: What the key is known by; empty for what is no key.
            secret: The secret by which keys are looked up.

        Raises:
            LockedOutError: The network is locked out, and the key was not right from there before.
        """
        pair = _digest(secret, _Kind.WELCOME, network + index)
        if index and pair in self._welcome:
            return
        try:
            wait_s = await self._wait(_digest(secret, _Kind.NETWORK, network))
            if wait_s <= 0:
                return
            known = bool(index) and await self._store.fetch_one(_FIND, (pair,)) is not None
        except StoreError:
            self._alone.check(network, index, self._clock.monotonic())
            return
        if not known:
            raise locked_out(wait_s)
        self._welcome.keep(pair, None)

    async def right(self, network: bytes, index: bytes, secret: bytes) -> None:
        """Note that a key was right."""
        pair = _digest(secret, _Kind.WELCOME, network + index)
        known = pair in self._welcome
        self._welcome.keep(pair, None)
        self._alone.right(network, index)
        if known:
            return
        try:
            await self._noted(_Note(_future(), welcome=pair))
        except StoreError as error:
            _logger.warning("a right key is welcome in this process alone: %s", error)

    async def wrong(self, network: bytes, text: str, secret: bytes) -> bool:
        """Note that a key was wrong; whether its network is locked out for it."""
        place = _digest(secret, _Kind.NETWORK, network)
        try:
            return await self._noted(
                _Note(_future(), network=place, ending=_digest(secret, _Kind.ENDING, ending_of(text)))
            )
        except StoreError as error:
            _logger.warning("wrong keys are counted in this process alone: %s", error)
            return self._alone.wrong(network, text, self._clock.monotonic())

    async def aclose(self) -> None:
        """Write what waits; the store stays open."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    # ---- inside

    async def _wait(self, place: bytes) -> float:
        """Seconds until a network is let in again; never more than the longest, whatever a clock did."""
        now = self._clock.now()
        until = self._locked.get(place, 0.0)
        if until <= now:
            row = await self._store.fetch_one(_FIND, (place,))
            until = 0.0 if row is None else _tally(row).locked_until
            if until > now:
                self._locked.keep(place, until)
        return min(until - now, LONGEST_S)

    async def _noted(self, note: _Note) -> bool:
        self._notes.append(note)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await asyncio.shield(note.done)

    async def _work(self) -> None:
        """Note what waits, all of it in one transaction: guesses take one connection, however many come."""
        try:
            while self._notes:
                batch, self._notes = self._notes[:_MOST_TOGETHER], self._notes[_MOST_TOGETHER:]
                try:
                    async with self._store.transaction(lock=_LOCK) as transaction:
                        answers = await self._write(transaction, batch)
                except StoreError as error:
                    _fail(batch, error)
                else:
                    for note, answer in zip(batch, answers, strict=True):
                        note.done.set_result(answer)
        finally:
            self._worker = None
            left, self._notes = self._notes, []
            _fail(left, StoreError("The store was closed."))

    async def _write(self, transaction: Transaction, batch: "list[_Note]") -> list[bool]:
        now = self._clock.now()
        page = _Page(transaction, now)
        answers: list[bool] = []
        for note in batch:
            if note.welcome:
                await page.greet(note.welcome)
                answers.append(False)
                continue
            ending = await page.count(_Kind.ENDING, note.ending)
            tally = await page.count(_Kind.NETWORK, note.network)
            answers.append(tally.lock(ending, self._most, now))
        await page.save()
        if now - self._cleaned > _CLEAN_EVERY_S:
            self._cleaned = now
            for kind in _Kind:
                await transaction.execute(_OLDEST, (kind.value, kind.value, REMEMBERED - 1))
        return answers


class _Page:
    """The tallies that one transaction reads and changes.

    Args:
        transaction: The transaction.
        now: Its moment.
    """

    def __init__(self, transaction: Transaction, now: float) -> None:
        self._transaction = transaction
        self._now = now
        self._changed: dict[bytes, tuple[_Kind, Tally]] = {}

    async def count(self, kind: _Kind, place: bytes) -> Tally:
        """Count a wrong key."""
        if place not in self._changed:
            row = await self._transaction.fetch_one(_FIND, (place,))
            fresh = Tally(since=self._now, last=self._now)
            self._changed[place] = (kind, fresh if row is None else _tally(row))
        tally = self._changed[place][1]
        tally.count(self._now)
        return tally

    async def greet(self, place: bytes) -> None:
        """Note that a key is welcome, unless that was done lately."""
        row = await self._transaction.fetch_one(_FIND, (place,))
        if row is None or self._now - _tally(row).last > _WELCOME_AGAIN_S:
            self._changed[place] = (_Kind.WELCOME, Tally(since=self._now, last=self._now))

    async def save(self) -> None:
        """Write what changed."""
        rows = [
            (
                *(place, kind.value, _micro(tally.since), tally.wrong),
                *(_micro(tally.locked_until), tally.times, _micro(tally.last)),
            )
            for place, (kind, tally) in sorted(self._changed.items())
        ]
        if rows:
            await self._transaction.execute_many(_KEEP, rows)


def _digest(secret: bytes, kind: _Kind, what: bytes) -> bytes:
    return hmac.digest(secret, f"guesses.{kind.value}.".encode() + what, hashlib.sha256)


def _tally(row: Row) -> Tally:
    since, wrong, locked_until, times, last = (value if isinstance(value, int) else 0 for value in row)
    return Tally(since / 1e6, wrong, locked_until / 1e6, times, last / 1e6)


def _micro(seconds: float) -> int:
    return round(seconds * 1e6)


def _future() -> "asyncio.Future[bool]":
    return asyncio.get_running_loop().create_future()


def _fail(batch: "list[_Note]", error: StoreError) -> None:
    for note in batch:
        if not note.done.done():
            note.done.set_exception(error)
