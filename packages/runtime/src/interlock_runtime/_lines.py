"""Where something stands in a configuration file."""

from pathlib import Path


def line_of(path: Path, table: str, key: str = "") -> int:
    """The line of a table, or of a key in it; 1 when it is not found."""
    section, found = "", 0
    for number, line in enumerate(path.read_text("utf-8-sig", "replace").splitlines(), start=1):
        text = line.strip()
        if text.startswith("["):
            section = text.strip("[] ").replace('"', "").replace("'", "")
            if not found and f"{section}.".startswith(f"{table}."):
                found = number
            continue
        name = text.partition("=")[0].strip().strip("\"'")
        if key and name == key and f"{section}.".startswith(f"{table}."):
            return number
        if not section and not found and name.partition(".")[0] == table:
            found = number
    return found or 1
