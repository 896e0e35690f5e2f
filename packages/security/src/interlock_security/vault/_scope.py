"""Where a secret may be used."""

import re
from dataclasses import dataclass

from interlock_core.errors import ConfigurationError, InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json, parse_json

_USE = re.compile(r"(tools|providers|mcp|vault|alerts|audit)(\.[A-Za-z0-9_-][A-Za-z0-9_.-]{0,80})?")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?|\[[0-9a-f:.]+\]")
_MOST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretScope:
    """Where a secret may be used; anywhere when nothing is named.

    Attributes:
        uses: Settings that may use it, such as `tools.github` or `providers.openai`: those and what is below
            them.
        hosts: Hosts that it may be sent to, such as `api.github.com` or `*.example.com`.
    """

    uses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.uses) > _MOST or len(self.hosts) > _MOST:
            raise InvalidRequestError(f"A scope names more than {_MOST} places.", field="for")
        for use in self.uses:
            if not _USE.fullmatch(use):
                raise InvalidRequestError(
                    f"{use[:80]!r} is no place that uses secrets.",
                    field="for",
                    remedy="Name a table, such as tools.github, providers.openai or mcp.files.",
                )
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise InvalidRequestError(
                    f"{host[:80]!r} is no host.",
                    field="host",
                    remedy="Name it in lower case without scheme, port and path, such as api.github.com.",
                )

    @property
    def text(self) -> str:
        """The scope in canonical JSON."""
        return dump_json(self.as_json())

    def as_json(self) -> JsonObject:
        """`for` and `hosts`, each sorted."""
        uses: list[Json] = [*sorted(set(self.uses))]
        hosts: list[Json] = [*sorted(set(self.hosts))]
        return {"for": uses, "hosts": hosts}

    @classmethod
    def from_text(cls, text: str) -> "SecretScope":
        """The scope that was written as canonical JSON."""
        value = as_object(parse_json(text))
        uses, hosts = (tuple(str(item) for item in as_array(value.get(key))) for key in ("for", "hosts"))
        return cls(uses=uses, hosts=hosts)

    def check_use(self, name: str, setting: str) -> None:
        """Refuse a use that the scope does not name.

        Raises:
            ConfigurationError: The setting is none of those that it names.
        """
        if not self.uses or any(setting == use or setting.startswith(f"{use}.") for use in self.uses):
            return
        allowed = ", ".join(self.uses)
        raise ConfigurationError(
            f"The secret vault:{name} is bound to {allowed}, and {setting[:120]} is not among them.",
            field=setting[:120],
            remedy="Name another secret there, or bind this one anew: interlock vault set NAME --for …",
        )
