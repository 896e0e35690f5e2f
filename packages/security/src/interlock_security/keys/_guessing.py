"""Locks networks out that guess at keys: the rules, and one process that holds to them alone.

The rules:

1. A network that presents too many wrong keys within a minute is locked out: for 30 seconds, and twice as
   long each further time, up to 15 minutes.
2. Where many networks together guess at keys of one ending, the few wrong ones of each are enough.
3. A network that presented no wrong key is never locked out, whatever others do.
4. A key that was right from a network before stays welcome from there: a lock-out of its neighbours, or of
   everybody behind the same proxy, does not touch it.
5. What is remembered is bounded; the oldest is forgotten first.

A key that was revoked, has expired or whose user is disabled is no guess. A refusal says nothing about the
key that it refuses: it was not looked up. Not covered: guessing itself, which 256 random bits make hopeless;
this keeps the load and the noise of it away. `SharedGuesses` holds several processes to them together.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

from interlock_core.errors import RateLimitedError, UnauthenticatedError

_WINDOW_S = 60.0
_FIRST_S = 30.0
LONGEST_S = 900.0
"""The longest lock-out."""

_MOST_DOUBLINGS = 10
_FORGIVEN_S = 3_600.0
_SHARED = 50
_FEW = 3
REMEMBERED = 10_000
"""How many networks, how many endings and how many welcome keys are remembered."""

_HINT_CHARS = 4

Kept = TypeVar("Kept")


class UnknownKeyError(UnauthenticatedError):
    """Nobody has this key."""


class LockedOutError(RateLimitedError):
    """Too many wrong keys came from this network."""

    code = "locked_out"


@dataclass(slots=True)
class Tally:
    """What is remembered of a network, or of an ending; moments are seconds of one clock.

    Attributes:
        since: When the minute began in which `wrong` is counted.
        wrong: Wrong keys in it.
        locked_until: When it is let in again.
        times: How often it was locked out without an hour's peace in between.
        last: When the last wrong key came.
    """

    since: float
    wrong: int = 0
    locked_until: float = 0.0
    times: int = 0
    last: float = 0.0

    def count(self, now: float) -> None:
        """Count one more wrong key."""
        if now - self.last > _FORGIVEN_S:
            self.times = 0
        if now - self.since > _WINDOW_S:
            self.since, self.wrong = now, 0
        self.wrong += 1
        self.last = now

    def lock(self, ending: "Tally", most: int, now: float) -> bool:
        """Lock the network out where it presented too many, of which the ending's tally is one sign.

        Returns:
            Whether it is locked out just now, for the key that was counted last.
        """
        # More than one network alone could have presented: several guess together.
        most = min(most, _FEW) if ending.wrong > max(_SHARED, most) else most
        if self.wrong < most or self.locked_until > now:
            return False
        self.locked_until = now + min(LONGEST_S, _FIRST_S * 2 ** min(self.times, _MOST_DOUBLINGS))
        self.times += 1
        self.wrong = 0
        return True


class Bounded(OrderedDict[bytes, Kept], Generic[Kept]):
    """A mapping that forgets what was touched longest ago."""

    def keep(self, key: bytes, value: Kept) -> None:
        """Keep a value, touched just now."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class GuessGuard:
    """Counts wrong keys by network and by ending.

    Args:
        most: Wrong keys that one network may present within a minute.
    """

    __slots__ = ("_endings", "_most", "_networks", "_welcome")

    def __init__(self, *, most: int = 20) -> None:
        self._most = most
        self._networks: Bounded[Tally] = Bounded()
        self._endings: Bounded[Tally] = Bounded()
        self._welcome: Bounded[None] = Bounded()

    @property
    def remembered(self) -> int:
        """How many networks, endings and welcome keys are remembered."""
        return len(self._networks) + len(self._endings) + len(self._welcome)

    def check(self, network: bytes, index: bytes, now: float) -> None:
        """Refuse a key from a network that is locked out, before it is looked up.

        Args:
            network: Where it comes from, as `network_of` gives it.
            index: What the key is known by.
            now: Seconds on a clock that never goes back.

        Raises:
            LockedOutError: The network is locked out, and the key was not right from there before.
        """
        tally = self._networks.get(network)
        if tally is None or tally.locked_until <= now or network + index in self._welcome:
            return
        raise locked_out(tally.locked_until - now)

    def right(self, network: bytes, index: bytes) -> None:
        """Note that a key was right."""
        self._welcome.keep(network + index, None)

    def wrong(self, network: bytes, text: str, now: float) -> bool:
        """Note that a key was wrong; whether its network is locked out for it."""
        ending = _noted(self._endings, ending_of(text), now)
        tally = _noted(self._networks, network, now)
        return tally.lock(ending, self._most, now)


def _noted(tallies: Bounded[Tally], key: bytes, now: float) -> Tally:
    tally = tallies.get(key) or Tally(since=now, last=now)
    tally.count(now)
    tallies.keep(key, tally)
    return tally


def ending_of(text: str) -> bytes:
    """The part of a key by which guesses from many networks at one key are told."""
    return text[-_HINT_CHARS:].encode("utf-8", "replace")


def locked_out(wait_s: float) -> LockedOutError:
    """The refusal of a network that is locked out."""
    return LockedOutError(
        "Too many wrong API keys came from your network.",
        remedy="Wait, then send a right one.",
        retry_after=wait_s,
    )


def network_of(address: str | None) -> bytes:
    """The network of a client's address: of IPv4 the address itself, of IPv6 its first 64 bits."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return b""
    if isinstance(found, IPv6Address):
        return found.packed[:8] if found.ipv4_mapped is None else found.ipv4_mapped.packed
    return found.packed
