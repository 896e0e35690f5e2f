"""What may be shown of a secret, and what its name and value may be."""

import re
from collections.abc import Sequence

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject
from interlock_core.record import record
from interlock_security.vault import _table
from interlock_security.vault._scope import SecretScope

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_LONGEST_NAME = 128
_LONGEST_VALUE = 64 * 1024


@record(frozen=True, slots=True, kw_only=True)
class VaultEntry:
    """What may be shown of a secret.

    Attributes:
        name: Its name.
        version: Its current version.
        former: An older version that can still be read as `NAME@VERSION`; None when there is none.
        scope: Where it may be used.
        created_at: When this version was set, in seconds since 1970.
        created_by: By whom.
        last_used_at: When it was last given out; None when never.
    """

    name: str
    version: int
    former: int | None
    scope: SecretScope
    created_at: float
    created_by: str
    last_used_at: float | None

    def as_json(self) -> JsonObject:
        """For faces; neither value nor length."""
        return {
            "name": self.name,
            "version": self.version,
            "former": self.former,
            "scope": self.scope.as_json(),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "last_used_at": self.last_used_at,
        }


def shown(versions: Sequence[_table.Envelope]) -> VaultEntry:
    """What may be shown of a secret's versions, oldest first."""
    newest = versions[-1]
    used = [one.last_used_at for one in versions if one.last_used_at is not None]
    former = [one.place.version for one in versions[:-1] if one.state == _table.FORMER]
    try:
        scope = SecretScope.from_text(newest.place.scope)
    except (InvalidRequestError, ValueError):
        scope = SecretScope()
    return VaultEntry(
        name=newest.place.name,
        version=newest.place.version,
        former=former[-1] if former else None,
        scope=scope,
        created_at=newest.created_at / 1e6,
        created_by=newest.created_by,
        last_used_at=max(used) / 1e6 if used else None,
    )


def check(name: str, value: str) -> None:
    """Refuse a name or a value that cannot be kept.

    Raises:
        InvalidRequestError: It cannot.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidRequestError(
            f"{name[:40]!r} cannot be the name of a secret.",
            field="name",
            remedy="Use letters, digits, `.`, `_`, `-` and `/`, 128 of them at most.",
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        size = 0
    if not value.strip() or not 0 < size <= _LONGEST_VALUE:
        raise InvalidRequestError(
            f"The secret {name} is empty, no text in UTF-8, or longer than {_LONGEST_VALUE // 1024} KiB.",
            field="value",
            remedy="Give its text on standard input.",
        )


def split(reference: str) -> tuple[str, int | None]:
    """A reference's name, and its version when it names one.

    Raises:
        InvalidRequestError: What stands behind the `@` is no version.
    """
    name, at, version = reference.partition("@")
    if not at:
        return name, None
    if not version.isascii() or not version.isdecimal() or len(version) > 12:
        raise InvalidRequestError(
            f"{version[:20]!r} is no version of a secret.", field="name", remedy="Write NAME or NAME@3."
        )
    return name, int(version)
