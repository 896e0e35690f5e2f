"""A secret that cannot be shown by accident."""


class Secret:
    """A secret text. Its repr, str and format never show it; `reveal` does, where it is placed.

    Args:
        value: The secret itself.
        name: What it is for, which may be shown.
        hosts: Hosts that it may be sent to (`api.example.com`, `*.example.com`); anywhere when empty.
    """

    __slots__ = ("_value", "hosts", "name")

    def __init__(self, value: str, *, name: str = "secret", hosts: tuple[str, ...] = ()) -> None:
        self._value = value
        self.name = name
        self.hosts = hosts

    def reveal(self) -> str:
        """The secret itself: call this only where it joins a request."""
        return self._value

    def require_host(self, host: str) -> None:
        """Refuse to be sent to a host that the secret is not bound to.

        Args:
            host: The host that would get it; empty for a place that is none, such as a program.

        Raises:
            ConfigurationError: It is bound to other hosts.
        """
        wanted = host.lower().rstrip(".")
        if not self.hosts or any(
            wanted == bound or (bound.startswith("*.") and wanted.endswith(bound[1:])) for bound in self.hosts
        ):
            return
        from interlock_core.errors import ConfigurationError

        raise ConfigurationError(
            f"The secret {self.name} is bound to {', '.join(self.hosts)}: "
            f"it is not sent to {host or 'a program'}.",
            field=self.name,
            remedy="Correct the address, or bind the secret anew: interlock vault set NAME --host HOST.",
        )

    def __repr__(self) -> str:
        return f"Secret({self.name})"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        import hmac

        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")
