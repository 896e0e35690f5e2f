"""What a model's name in a request means: a model of a provider, a bare name, an alias, or `auto`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from interlock_core.errors import ConfigurationError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_router._catalogue import Catalogue
from interlock_router._policy import Policy

AUTO: Final = "auto"
"""The name that lets the router choose; `auto/<policy>` names the policy too."""


@dataclass(frozen=True, slots=True)
class Auto:
    """The router chooses.

    Attributes:
        policy: By these weights and limits.
    """

    policy: Policy


@dataclass(frozen=True, slots=True)
class Named:
    """The caller chose.

    Attributes:
        model: `provider/model`.
    """

    model: str


class Names:
    """Resolves names.

    Args:
        catalogue: The providers, and what they list.
        policies: The policies by name.
        default: Name of the policy of plain `auto`.
        aliases: Own names, each for another name.
        absent: Remedies for names of providers that are not set up.

    Raises:
        ConfigurationError: An alias takes a reserved name or leads to itself, or there is no such default.
    """

    __slots__ = ("_absent", "_aliases", "_catalogue", "_default", "_policies")

    def __init__(
        self,
        catalogue: Catalogue,
        policies: Mapping[str, Policy],
        *,
        default: str,
        aliases: Mapping[str, str],
        absent: Mapping[str, str] | None = None,
    ) -> None:
        self._absent = dict(absent or {})
        self._catalogue = catalogue
        self._policies = policies
        self._default = default
        if default not in policies:
            raise ConfigurationError(
                f"There is no policy {default}.", field="policies", remedy=suggestion(default, policies)
            )
        if AUTO in catalogue.providers:
            raise ConfigurationError(
                "A provider is called auto, which is reserved.", field="providers.auto", remedy="Rename it."
            )
        self._aliases = {alias: _follow(alias, aliases) for alias in aliases}

    def policy(self, name: str | None) -> Policy:
        """A policy by its name; the default when None.

        Raises:
            NotFoundError: There is none of that name.
        """
        wanted = name or self._default
        found = self._policies.get(wanted)
        if found is None:
            raise NotFoundError(
                f"There is no policy {wanted}.", field="policy", remedy=suggestion(wanted, self._policies)
            )
        return found

    async def resolve(self, name: str, *, policy: str | None = None) -> Auto | Named:
        """What a name means.

        Only a bare name needs the providers' lists; it is asked for then alone.

        Args:
            name: As a request has it.
            policy: The policy of plain `auto`, when the caller named one beside.

        Raises:
            NotFoundError: It means nothing, or more than one thing; the remedy names what it could be.
        """
        name = self._aliases.get(name, name)
        head, slash, rest = name.partition("/")
        if head == AUTO:
            return Auto(self.policy(rest if slash else policy))
        if slash and rest and head in self._catalogue.providers:
            return Named(name)
        return Named(await self._bare(name))

    async def _bare(self, name: str) -> str:
        snapshot = await self._catalogue.get()
        found = snapshot.named(name)
        if len(found) == 1:
            return found[0].id
        if found:
            choices = " or ".join(entry.id for entry in found)
            raise NotFoundError(
                f"More than one provider has a model {name}.", field="model", remedy=f"Write {choices}."
            )
        raise await self.unknown(name)

    async def unknown(self, name: str) -> NotFoundError:
        """The error for a name that no provider knows, with the nearest that there are."""
        head = name.partition("/")[0]
        if head in self._absent:
            return NotFoundError(
                f"The provider {head} of the model {name} is not set up.",
                field="model",
                remedy=self._absent[head],
            )
        snapshot = await self._catalogue.get()
        known = {*snapshot.names(), *self._aliases, AUTO, *(f"{AUTO}/{policy}" for policy in self._policies)}
        down = sorted(snapshot.problems)
        more = f" The models of {', '.join(down)} could not be listed." if down else ""
        return NotFoundError(
            f"There is no model {name}.",
            field="model",
            remedy=f"{suggestion(name, known)}{more} See 'interlock models list'.",
        )


def _follow(alias: str, aliases: Mapping[str, str]) -> str:
    if alias.partition("/")[0] == AUTO:
        raise ConfigurationError(
            f"An alias is called {alias}, which is reserved.", field=f"aliases.{alias}", remedy="Rename it."
        )
    seen = [alias]
    while seen[-1] in aliases:
        target = aliases[seen[-1]]
        if target in seen:
            raise ConfigurationError(
                f"The alias {alias} leads to itself.", field=f"aliases.{alias}", remedy="Name a model."
            )
        seen.append(target)
    return seen[-1]
