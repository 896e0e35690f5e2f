"""Users, teams and organisations: who exists, who belongs where, who was disabled."""

from interlock_security.people._people import People
from interlock_security.people._record import DeclaredTeam, DeclaredUser, Standing, Team, User

__all__ = ["DeclaredTeam", "DeclaredUser", "People", "Standing", "Team", "User"]
