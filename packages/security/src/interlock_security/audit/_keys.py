"""Where a log's signing key is kept, and the keys that signed before it.

The rules of a rotation, in order: the new key is kept beside the old one before anything names it; the log
records it under the old key's signature; from then on the new key signs; only then is the old one's secret
half thrown away. So a process that dies in between leaves a log that can be continued, and no moment in
which nobody can sign. What a lost key file means: the log can be read, not continued and not verified here.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from interlock_core.errors import ConfigurationError
from interlock_security._files import create_private, read_or_create, read_private, sync_folder
from interlock_security.audit.notes import SigningKey, VerifierKey


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one log. Its repr shows public halves alone.

    Attributes:
        signing: The key that signs; two while a rotation is under way. Empty when there is none yet.
        retired: Public halves of those that signed before, oldest first.
    """

    signing: tuple[SigningKey, ...] = ()
    retired: tuple[VerifierKey, ...] = ()

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """The public halves of all."""
        return (*self.retired, *(key.verifier for key in self.signing))

    def named(self, verifier: object) -> SigningKey | None:
        """The key that signs under this name, as `name+id+key`; None when it is not here."""
        return next((key for key in self.signing if str(key.verifier) == verifier), None)


class KeySource(Protocol):
    """Keeps a log's keys. Its methods may block; they are called in a thread.

    All raise `ConfigurationError` when the keys cannot be read, are not keys or cannot be kept.
    """

    def load(self) -> KeyRing:
        """What is kept; an empty ring when there is nothing yet."""
        ...

    def create(self) -> KeyRing:
        """What is kept, made when there is nothing; of several processes one wins, and all get its key."""
        ...

    def rotate(self, ring: KeyRing) -> None:
        """Keep this ring in place of what is kept, durably and whole; called by one process at a time."""
        ...


class FileKeys:
    """Keys in a file that only its owner may read: a line for each key, the retired ones first.

    Args:
        path: The file, made (0600) on first use.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> KeyRing:
        """What the file holds; an empty ring when there is none.

        Raises:
            ConfigurationError: It holds no keys, or others may read it.
        """
        content = read_private(self._path)
        return KeyRing() if content is None else self._parse(content)

    def create(self) -> KeyRing:
        """What the file holds, which is made when there is none.

        Raises:
            ConfigurationError: It holds no keys, cannot be made, or others may read it.
        """
        ring = self.load()
        if ring.signing:
            return ring
        fresh = SigningKey.fresh(f"interlock-audit/{os.urandom(8).hex()}")
        return self._parse(read_or_create(self._path, f"{fresh.private()}\n".encode()))

    def rotate(self, ring: KeyRing) -> None:
        """Replace the file.

        Raises:
            ConfigurationError: It cannot be replaced; what was there is there still.
        """
        lines = [*map(str, ring.retired), *(key.private() for key in ring.signing), ""]
        draft = self._path.with_name(f".{self._path.name}.{os.urandom(6).hex()}")
        try:
            create_private(draft, "\n".join(lines).encode())
            draft.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as exc:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise ConfigurationError(
                f"{self._path} cannot be replaced: {exc.strerror}.", field=str(self._path)
            ) from exc

    def _parse(self, content: bytes) -> KeyRing:
        try:
            ring = parse_ring(content.decode("ascii", "replace").splitlines())
        except ConfigurationError as exc:
            raise self._no_key() from exc
        if not ring.signing:
            raise self._no_key()
        return ring

    def _no_key(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path} holds no signing key.",
            field=str(self._path),
            remedy="Restore it from a backup.",
        )


def parse_ring(lines: Sequence[str]) -> KeyRing:
    """Read a ring from its lines: `name+id+key` for what is retired, the private form for what signs.

    Raises:
        ConfigurationError: A line is no key.
    """
    signing: list[SigningKey] = []
    retired: list[VerifierKey] = []
    for line in filter(None, map(str.strip, lines)):
        if line.startswith(SigningKey.PRIVATE):
            signing.append(SigningKey.parse(line))
        else:
            retired.append(VerifierKey.parse(line))
    return KeyRing(tuple(signing), tuple(retired))
