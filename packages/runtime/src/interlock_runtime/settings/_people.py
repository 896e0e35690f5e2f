"""The tables of users, of teams and of the audit log."""

from dataclasses import dataclass, field

from interlock_runtime.settings._field import HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """`[users.NAME]`: one user."""

    roles: tuple[str, ...] = field(default=(), metadata={HELP: "Roles that the user holds."})
    team: str = field(default="", metadata={HELP: "The user's team."})
    disabled: bool = field(default=False, metadata={HELP: "Whether the user's API keys stop working."})


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSettings:
    """`[teams.NAME]`: one team."""

    organisation: str = field(default="", metadata={HELP: "The organisation that the team belongs to."})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`[audit]`: the audit log. Calls that change something are always in it."""

    reads: bool = field(default=True, metadata={HELP: "Record calls of tools that only read."})
    witness: str = field(
        default="",
        metadata={
            HELP: "The witness: a file, the https address of one that judges by itself, or another database; "
            "empty for the file `audit.witness` in the data folder."
        },
    )
