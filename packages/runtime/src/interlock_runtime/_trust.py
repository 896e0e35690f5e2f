"""Which configuration files in working folders may be used: those that the user trusted, as they were then.

A folder that somebody else wrote must not be able to point our keys at their server, so a file counts only
while its content is what was trusted.
"""

import hashlib
from pathlib import Path

from interlock_core.jsontypes import JsonObject, as_object, dump_json, parse_json

_NAME = "trusted.json"


def trust(home: Path, file: Path) -> str:
    """Remember that a file may be used as it is now; gives back the SHA-256 of its content."""
    entries = _entries(home)
    digest = _digest(file)
    entries[str(file.resolve())] = digest
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = home / _NAME
    fresh = target.with_suffix(".new")
    fresh.write_text(dump_json(entries, indent=2) + "\n", "utf-8")
    fresh.chmod(0o600)
    fresh.replace(target)
    return digest


def is_trusted(home: Path, file: Path) -> bool:
    """Whether a file may be used: it was trusted and has not changed since."""
    return _entries(home).get(str(file.resolve())) == _digest(file)


def _entries(home: Path) -> JsonObject:
    try:
        return as_object(parse_json((home / _NAME).read_bytes()))
    except (OSError, ValueError):
        return {}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
