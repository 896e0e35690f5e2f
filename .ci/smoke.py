"""Says whether the members that this Python can see work at all: imports, types, and the command.

`smoke.py --installed` also demands that each of them is installed for good, not read from a checkout.
"""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

MEMBERS = (
    "core",
    "providers",
    "router",
    "tools",
    "pipeline",
    "skills",
    "security",
    "observability",
    "runtime",
    "api",
    "cli",
)


def faults(name: str, *, installed: bool) -> list[str]:
    """What is wrong with one member; importing it may raise what it likes."""
    package = f"interlock_{name}"
    module = import_module(package)
    found = [f"{package}: __all__ names {item}" for item in module.__all__ if not hasattr(module, item)]
    if not files(package).joinpath("py.typed").is_file():
        found.append(f"{package}: py.typed is missing")
    if installed and not Path(str(module.__file__)).is_relative_to(sys.prefix):
        found.append(f"{package}: read from {module.__file__}, not from this environment")
    return found


def command_answers() -> list[str]:
    """What is wrong with the installed command `interlock`."""
    expected = version("interlock-cli")
    command = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin") / "interlock"
    done = subprocess.run([str(command), "--version"], capture_output=True, text=True, check=False)
    if done.returncode == 0 and expected in done.stdout:
        return []
    return [
        f"interlock --version: exit {done.returncode}, {done.stdout!r} {done.stderr!r}, expected {expected}"
    ]


def main() -> int:
    """Prints every fault; returns 1 when there is one."""
    installed = "--installed" in sys.argv[1:]
    found = [fault for name in MEMBERS for fault in faults(name, installed=installed)] + command_answers()
    print(
        "\n".join(found)
        or f"{len(MEMBERS)} members import, and interlock answers, on Python {sys.version.split()[0]}."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
