"""What is known of users and teams."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject

_MAX_CHARS = 200

Origin: TypeAlias = Literal["configuration", "store", "seen"]
"""Where a name comes from: declared in the configuration, created in the store, or only seen so far, because
a key or a granted role bears it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUser:
    """A user that the configuration declares.

    Attributes:
        place: File and line.
        team: The user's team.
        disabled: The user's keys do not work.
    """

    place: str
    team: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTeam:
    """A team that the configuration declares.

    Attributes:
        place: File and line.
        organisation: The team's organisation.
    """

    place: str
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a user's name means when a key bears it.

    Attributes:
        kept: The configuration or the store has a record of the user.
        disabled: No key of the user works.
        left: The user was taken out of a team, and put into none since.
        team: The user's team.
        organisation: The team's organisation.
    """

    kept: bool = False
    disabled: bool = False
    left: bool = False
    team: str | None = None
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, as lists show it. Times are seconds since 1970.

    Attributes:
        name: The name.
        team: The user's team.
        organisation: The team's organisation.
        origin: Where the name comes from.
        disabled: No key of the user works.
        created_at: When the user was created; None unless in the store.
        created_by: Who created the user; empty unless in the store.
    """

    name: str
    team: str | None
    organisation: str | None
    origin: Origin
    disabled: bool
    created_at: float | None = None
    created_by: str = ""

    def as_json(self) -> JsonObject:
        """The user as a JSON object."""
        return {
            "name": self.name,
            "team": self.team,
            "organisation": self.organisation,
            "origin": self.origin,
            "disabled": self.disabled,
            "created_at": self.created_at,
            "created_by": self.created_by or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team, as lists show it. Times are seconds since 1970.

    Attributes:
        name: The name.
        organisation: The team's organisation.
        members: The names of its users, sorted.
        origin: Where the name comes from.
        created_at: When it was created; None unless in the store.
        created_by: Who created it; empty unless in the store.
    """

    name: str
    organisation: str | None
    members: tuple[str, ...]
    origin: Origin
    created_at: float | None = None
    created_by: str = ""

    def as_json(self) -> JsonObject:
        """The team as a JSON object."""
        return {
            "name": self.name,
            "organisation": self.organisation,
            "members": [*self.members],
            "origin": self.origin,
            "created_at": self.created_at,
            "created_by": self.created_by or None,
        }


def checked_name(text: str, *, field: str) -> str:
    """A name that people, logs and databases can bear.

    Raises:
        InvalidRequestError: It is empty or too long, or holds a `/` or what cannot be seen.
    """
    plain = text == text.strip() and text.isprintable() and "/" not in text
    if not (plain and 0 < len(text) <= _MAX_CHARS):
        raise InvalidRequestError(
            f"A name is 1 to {_MAX_CHARS} printable characters, without `/` and without spaces around it.",
            field=field,
            remedy="Such as alice.",
        )
    return text
