"""The envelopes that this process has opened, and those that do not open."""

from collections.abc import Callable, Sequence

from interlock_core.errors import InterlockError, NotFoundError, VerificationError
from interlock_core.nearest import suggestion
from interlock_core.record import record
from interlock_core.secret import Secret
from interlock_security.vault import _table
from interlock_security.vault._ring import KeyRing
from interlock_security.vault._scope import SecretScope
from interlock_security.vault._seal import Place, unpadded, unseal


@record(frozen=True, slots=True)
class Opened:
    """A version that opened.

    Attributes:
        envelope: As the store keeps it.
        secret: What was in it.
        scope: Where it may be used.
    """

    envelope: _table.Envelope
    secret: Secret
    scope: SecretScope


class Shelf:
    """What this process knows of the vault.

    The newest version ever seen of each name is remembered: an older state that is put back is refused.

    Args:
        ring: Opens data keys.
        learn: Told every value that is opened, and its kind.
    """

    def __init__(self, ring: KeyRing, learn: Callable[[str, Secret], None]) -> None:
        self._ring = ring
        self._learn = learn
        self._opened: dict[Place, Opened] = {}
        self._broken: dict[Place, InterlockError] = {}
        self._versions: dict[tuple[str, str], Sequence[_table.Envelope]] = {}
        self._seen: dict[tuple[str, str], int] = {}

    async def fill(self, envelopes: Sequence[_table.Envelope]) -> None:
        """Open what is new; what does not open is remembered with its reason."""
        known, self._opened, self._broken, self._versions = self._opened, {}, {}, {}
        versions: dict[tuple[str, str], list[_table.Envelope]] = {}
        for one in envelopes:
            versions.setdefault((one.place.kind, one.place.name), []).insert(0, one)
            held = known.get(one.place)
            if held is not None and _same(held.envelope, one):
                self._opened[one.place] = held
            elif one.state != _table.REMOVED:
                await self._open(one)
        self._versions.update(versions)
        for name, found in versions.items():
            self._seen[name] = max(self._seen.get(name, 0), found[0].place.version)

    def find(self, kind: str, name: str, version: int | None) -> Opened:
        """One version; the current one when None.

        Raises:
            NotFoundError: There is none.
            VerificationError: It does not open, or a newer one is missing.
        """
        versions = self._versions.get((kind, name), ())
        if not versions and (kind, name) not in self._seen:
            raise self._absent(kind, name)
        newest = versions[0] if versions else None
        if newest is None or newest.place.version < self._seen[(kind, name)]:
            raise _tampered(name, "a newer version was here before")
        wanted = next((one for one in versions if version in {None, one.place.version}), None)
        if wanted is None or wanted.state == _table.REMOVED:
            raise self._absent(kind, name if version is None else f"{name}@{version}")
        if (wanted.state == _table.CURRENT) is not (wanted is newest):
            raise _tampered(name, "its newest version is missing")
        if (error := self._broken.get(wanted.place)) is not None:
            raise error
        return self._opened[wanted.place]

    def names(self, kind: str) -> list[str]:
        """The names that can be read."""
        return [name for (of, name), found in self._versions.items() if of == kind and _live(found)]

    async def _open(self, one: _table.Envelope) -> None:
        place = one.place
        try:
            key = await self._ring.key(one.key_id)
            data_key = unseal(key, one.wrapped, place.of_key(one.state, one.key_id))
            value = unpadded(unseal(data_key, one.sealed, place.of_value()))
            scope = SecretScope.from_text(place.scope)
        except VerificationError as error:
            self._broken[place] = _tampered(place.name, error.message[:1].lower() + error.message[1:-1])
        except InterlockError as error:
            self._broken[place] = error
        else:
            secret = Secret(value, name=place.name, hosts=scope.hosts)
            self._learn(place.kind, secret)
            self._opened[place] = Opened(one, secret, scope)

    def _absent(self, kind: str, name: str) -> NotFoundError:
        return NotFoundError(
            f"The vault has no secret {name[:80]}.",
            field=f"vault:{name[:80]}",
            remedy=f"Set it: interlock vault set {name[:80]}. {suggestion(name, self.names(kind))}".strip(),
        )


def _live(versions: Sequence[_table.Envelope]) -> bool:
    return versions[0].state != _table.REMOVED


def _same(one: _table.Envelope, other: _table.Envelope) -> bool:
    return (one.state, one.key_id, one.wrapped, one.sealed) == (
        *(other.state, other.key_id, other.wrapped, other.sealed),
    )


def _tampered(name: str, why: str) -> VerificationError:
    return VerificationError(
        f"The vault's secret {name} is refused: {why}.",
        field=f"vault:{name}",
        remedy="Look at the audit log for who changed the store, and set the secret again.",
    )
