"""What is known of Valkey and Redis servers: which versions have holes, and what their user needs to do.

The rules:

1. A version whose scripts or clients are known to break out of the server is not used, unless the operator
   wrote it down as mended: distributors mend versions without changing their number.
2. A version that nobody can read is used, with a warning.

Not covered: holes that were found after this table was written.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from interlock_core.errors import ConfigurationError

CACHE_USER_RULES = (
    "resetkeys ~interlock:{limits}:* resetchannels -@all +info +evalsha +script|load +time +pexpire"
    " +hget +hmget +hset +hdel +hincrby +zadd +zcard +zrange +zscore +zrem +zremrangebyscore"
)
"""All that the gateway's own user of the server needs to do, as `ACL SETUSER` reads it."""

_Line = tuple[int, int]
_MENDED: Mapping[str, Mapping[_Line, int]] = {
    "redis": {(6, 2): 20, (7, 4): 9, (8, 2): 6, (8, 4): 3, (8, 6): 3},
    "valkey": {(7, 2): 13, (8, 0): 8, (8, 1): 7, (9, 0): 4},
}
"""The first version of each line without CVE-2025-49844, -46817, -46818 and CVE-2026-23479."""

_NAMES = {"redis": "Redis", "valkey": "Valkey"}
_HOLES = "CVE-2025-49844, CVE-2025-46817, CVE-2025-46818 or CVE-2026-23479"
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


@dataclass(frozen=True, slots=True)
class CacheServer:
    """What a server says that it is.

    Attributes:
        kind: `redis` or `valkey`.
        version: Its version, as it says it.
    """

    kind: str
    version: str

    @classmethod
    def from_info(cls, info: Mapping[str, object]) -> "CacheServer":
        """The server of a reply to `INFO server`; Valkey tells Redis' version beside its own."""
        own = info.get("valkey_version")
        if own is not None:
            return cls("valkey", str(own))
        return cls("redis", str(info.get("redis_version", "")))

    @property
    def title(self) -> str:
        """Its name and version, for messages."""
        shown = "".join(char if char.isprintable() else "\ufffd" for char in self.version[:40])
        return f"{_NAMES[self.kind]} {shown}".strip()

    @property
    def known(self) -> bool:
        """Whether its version can be read."""
        return _VERSION.fullmatch(self.version) is not None

    @property
    def holed(self) -> bool:
        """Whether its version is known to have holes."""
        found = _VERSION.fullmatch(self.version)
        if found is None:
            return False
        major, minor, patch = map(int, found.groups())
        mended = _MENDED[self.kind]
        least = mended.get((major, minor))
        return (major, minor) < max(mended) if least is None else patch < least

    def check(self, accepted: Collection[str] = ()) -> str | None:
        """What to warn of; None when there is nothing.

        Args:
            accepted: Versions that the operator knows to be mended.

        Raises:
            ConfigurationError: The version has holes.
        """
        if self.version in accepted:
            return None
        if not self.known:
            return (
                f"the cache does not say which version it is ({self.title}): see to it that it is not one "
                f"with {_HOLES}"
            )
        if not self.holed:
            return None
        lines = ", ".join(f"{a}.{b}.{patch}" for (a, b), patch in sorted(_MENDED[self.kind].items()))
        raise ConfigurationError(
            f"The cache is {self.title}, which is known to have {_HOLES}: whoever may run a script or a "
            "command there can take the server over.",
            field="cache.url",
            remedy=f"Update it to {_NAMES[self.kind]} {lines} or newer. Where its distributor mended it "
            f'under the old number, write [cache] accept_versions = ["{self.version}"].',
        )
