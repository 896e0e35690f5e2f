"""The languages that are known, one row each: their files, and the well-known tools that work on them.

A tool is found in the folder's own dependencies, beside this Python, or among the system's programs, in this
order. One that is not there costs its language alone, with a remedy.
"""

import configparser
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interlock_tools.devtools._workspace import Program
from interlock_tools.sandbox import FolderCopy
from interlock_tools.sandbox._order import TEMPORARY
from interlock_tools.sandbox._readable import is_of_folder, shows_too_much

_SYSTEM = ("/usr/", "/bin/", "/sbin/")
_EXTRA = "Install it with pip install 'interlock-cli[dev-tools]'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of a language.

    Attributes:
        name: Its name.
        find: Finds it for a folder; None when it is not there.
        remedy: How to get it.
    """

    name: str
    find: Callable[[FolderCopy], Program | None]
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language.

    Attributes:
        name: Its name.
        suffixes: How its files end.
        comment: What begins a line of comment.
        linter: Finds faults.
        formatter: Puts code into its usual form.
        runner: Runs tests.
        marks: Files that say that a folder holds tests in this language.
    """

    name: str
    suffixes: tuple[str, ...]
    comment: str
    linter: Tool
    formatter: Tool
    runner: Tool
    marks: tuple[str, ...]


def python() -> Program:
    """The Python that runs this, with its packages."""
    return Program(
        command=(sys.executable,),
        readable=(Path(sys.prefix), Path(sys.base_prefix)),
        environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},
    )


def _beside_python(name: str) -> Callable[[FolderCopy], Program | None]:
    def find(_: FolderCopy) -> Program | None:
        place = Path(sys.executable).parent / name
        if place.is_file():
            return Program(command=(str(place),), readable=python().readable)
        return _program(name)

    return find


def _pytest(copy: FolderCopy) -> Program | None:
    """The folder's own environment when it has pytest, else ours."""
    for name in (".venv", "venv"):
        if name in copy.shared:
            own = _own_python(copy, copy.folder / name)
            if own is not None:
                return _with_sources(copy, own)
    import importlib.util

    if importlib.util.find_spec("pytest") is None:
        return None
    return _with_sources(copy, python())


def _with_sources(copy: FolderCopy, program: Program) -> Program:
    """Lets tests import what stands in the folder or in its `src`, as an editable install would."""
    sources = [str(copy.folder)] + ([str(copy.folder / "src")] if "src" in copy.folders else [])
    variables = {**(program.environment or {}), "PYTHONPATH": os.pathsep.join(sources)}
    return Program(
        command=(*program.command, "-m", "pytest"), readable=program.readable, environment=variables
    )


def _own_python(copy: FolderCopy, environment: Path) -> Program | None:
    """The Python of a virtual environment with pytest in it, and the installation that it stands on.

    The environment comes with the folder, from whoever wrote that. So what it names is shown only when it is
    an installation of Python, itself and not by way of a link, that is no part of the folder and no home.
    """
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read_string(f"[own]\n{(environment / 'pyvenv.cfg').read_text('utf-8')}")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return None
    shown = _installations(copy, Path(settings.get("own", "home", fallback="")))
    if shown is None:
        return None
    if not any(environment.glob("lib/python3*/site-packages/pytest/__init__.py")):
        return None
    return Program(
        command=(str(environment / "bin" / "python"),),
        readable=shown,
        environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},
    )


def _installations(copy: FolderCopy, home: Path) -> tuple[Path, ...] | None:
    """The folder of a Python by its real name and by the one that was named; None when it is none."""
    if home.name != "bin" or not home.is_absolute():
        return None
    try:
        base = home.resolve().parent
    except (OSError, RuntimeError, ValueError):
        return None  # a link to itself, a name too long, a null character
    named = base if home == Path("/bin") else home.parent  # a link of the system to `/usr/bin`
    names = tuple(dict.fromkeys((base, named)))
    if any(shows_too_much(path, copy, ()) or is_of_folder(path, copy, ()) for path in names):
        return None
    own = all(
        any(found.resolve().is_relative_to(base) and found.is_file() for found in base.glob(pattern))
        for pattern in ("bin/python3*", "lib/python3*/os.py")
    )
    if not own:
        return None
    return tuple(path for path in names if path != Path("/usr"))


def _node_module(name: str) -> Callable[[FolderCopy], Program | None]:
    def find(copy: FolderCopy) -> Program | None:
        node = _program("node")
        place = copy.folder / "node_modules" / ".bin" / name
        if node is None or "node_modules" not in copy.shared or not place.exists():
            return None
        return Program(
            command=(*node.command, str(place)), readable=node.readable, environment=node.environment
        )

    return find


def _npm(copy: FolderCopy) -> Program | None:
    if "package.json" not in copy.files:
        return None
    found = _program("npm")
    if found is None:
        return None
    quiet = {"npm_config_update_notifier": "false", "npm_config_offline": "true", "CI": "1"}
    variables = {**quiet, **(found.environment or {})}
    return Program(command=found.command, readable=found.readable, environment=variables)


def _rust(name: str) -> Callable[[FolderCopy], Program | None]:
    """A tool of Rust: that of the system, else of a stable toolchain of rustup, without credentials."""

    def find(copy: FolderCopy) -> Program | None:
        del copy
        place = shutil.which(name)
        if place is None:
            return None
        if place.startswith(_SYSTEM):
            return Program(command=(place,))
        toolchains = Path.home() / ".rustup" / "toolchains"
        chosen = sorted(toolchains.glob(f"stable-*/bin/{name}"))
        if not chosen:
            return None
        folder = chosen[0].parent
        registry = Path.home() / ".cargo" / "registry"
        variables = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "CARGO_NET_OFFLINE": "true",
            "CARGO_TARGET_DIR": f"{TEMPORARY}/target",
        }
        shown = (folder.parent, registry) if registry.is_dir() else (folder.parent,)
        return Program(command=(str(chosen[0]),), readable=shown, environment=variables)

    return find


def _program(name: str) -> Program | None:
    """A program of the system; one that is installed elsewhere is shown with its installation alone."""
    place = shutil.which(name)
    if place is None:
        return None
    if place.startswith(_SYSTEM):
        return Program(command=(place,))
    real = Path(place).resolve()
    home = _installation(real)
    if home in {Path.home(), Path.home() / ".local", *Path.home().parents}:
        return None  # too much would be shown with it
    path = f"{home / 'bin'}{os.pathsep}/usr/local/bin:/usr/bin:/bin"
    return Program(command=(str(real),), readable=(home,), environment={"PATH": path})


def _installation(program: Path) -> Path:
    """The folder that a program was installed into, with what it needs beside it."""
    if "node_modules" in program.parts:
        modules = Path(*program.parts[: program.parts.index("node_modules")])
        return modules.parent if modules.name == "lib" else modules
    return program.parents[1] if program.parent.name == "bin" else program.parent


def _go(name: str) -> Callable[[FolderCopy], Program | None]:
    def find(copy: FolderCopy) -> Program | None:
        del copy
        found = _program(name)
        if found is None:
            return None
        offline = {"GOCACHE": f"{TEMPORARY}/go", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
        offline |= {"GOTOOLCHAIN": "local", **(found.environment or {})}
        return Program(command=found.command, readable=found.readable, environment=offline)

    return find


_RUFF = Tool(name="ruff", find=_beside_python("ruff"), remedy=_EXTRA)
_ESLINT = Tool(
    name="eslint",
    find=_node_module("eslint"),
    remedy="Add eslint to the folder: npm install --save-dev eslint.",
)
_PRETTIER = Tool(
    name="prettier",
    find=_node_module("prettier"),
    remedy="Add prettier to the folder: npm install --save-dev prettier.",
)
_NPM = Tool(
    name="npm test", find=_npm, remedy="Install Node.js, and write a script `test` into package.json."
)
_GO = "Install Go from https://go.dev/dl."
_RUST = "Install Rust from https://rustup.rs, with rustfmt and clippy."

LANGUAGES: tuple[Language, ...] = (
    Language(
        name="python",
        suffixes=(".py", ".pyi"),
        comment="#",
        linter=_RUFF,
        formatter=_RUFF,
        runner=Tool(name="pytest", find=_pytest, remedy=_EXTRA),
        marks=("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"),
    ),
    Language(
        name="javascript",
        suffixes=(".js", ".mjs", ".cjs", ".jsx"),
        comment="//",
        linter=_ESLINT,
        formatter=_PRETTIER,
        runner=_NPM,
        marks=("package.json",),
    ),
    Language(
        name="typescript",
        suffixes=(".ts", ".tsx", ".mts", ".cts"),
        comment="//",
        linter=_ESLINT,
        formatter=_PRETTIER,
        runner=_NPM,
        marks=("package.json",),
    ),
    Language(
        name="go",
        suffixes=(".go",),
        comment="//",
        linter=Tool(name="go vet", find=_go("go"), remedy=_GO),
        formatter=Tool(name="gofmt", find=_go("gofmt"), remedy=_GO),
        runner=Tool(name="go test", find=_go("go"), remedy=_GO),
        marks=("go.mod",),
    ),
    Language(
        name="rust",
        suffixes=(".rs",),
        comment="//",
        linter=Tool(name="cargo clippy", find=_rust("cargo"), remedy=_RUST),
        formatter=Tool(name="rustfmt", find=_rust("rustfmt"), remedy=_RUST),
        runner=Tool(name="cargo test", find=_rust("cargo"), remedy=_RUST),
        marks=("Cargo.toml",),
    ),
)
"""Every language that is known."""


def by_language(files: list[str], wanted: str | None = None) -> dict[str, list[str]]:
    """Files by the name of their language; those of none are left out."""
    found: dict[str, list[str]] = {}
    for language in LANGUAGES:
        mine = [path for path in files if path.endswith(language.suffixes)]
        if mine and wanted in {None, language.name}:
            found[language.name] = mine
    return found


def language(name: str) -> Language:
    """A language by its name."""
    return next(one for one in LANGUAGES if one.name == name)
