"""Texts that stand in a configuration or a document, and programs that one would start."""

import json
import re
import time
from pathlib import Path

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import Runtime
from interlock_runtime.configuration import load, trust
from interlock_tools.openapi import load_text

from .cases import Case, filled
from .processes import counting
from .seen import Seen

_FIXED = '[providers.stub]\nkind = "openai-compatible"\nbase_url = "{url}"\nmodels = ["small"]\n'
_PLACES = {
    "[policies.p] description": ("[policies.p]", "description"),
    '[models."a/b"] note': ('[models."a/b"]', "note"),
    "[providers.p] base_url": ('[providers.p]\nkind = "openai-compatible"', "base_url"),
}
_SECONDS = 5


def _environment(home: Path, file: Path | None = None) -> dict[str, str]:
    own = {"INTERLOCK_HOME": str(home), "XDG_CONFIG_HOME": str(home.parent / "none")}
    return own if file is None else own | {"INTERLOCK_CONFIG": str(file)}


# ---- 8: a text where the operator writes


async def evaluated(case: Case, folder: Path) -> Seen:
    """The configuration holds the text; the gateway starts or refuses to, and is asked once."""
    marker = folder / "marker"
    place = str(case.send["place"])
    text = str(filled(case.send["value"], {"marker": str(marker)}))
    table, _, key = place.rpartition(" ")
    table, key = _PLACES.get(place, (table, key))
    file, home = folder / "c.toml", folder / "home"
    told: list[str] = []
    seen = Seen()
    async with OpenAIChatServer(models=("small",)) as vendor:
        vendor.then(Say("ok"))
        file.write_text(f"{table}\n{key} = {json.dumps(text)}\n{_FIXED.format(url=vendor.url)}", "utf-8")
        environment = _environment(home, file)
        with counting() as started:
            try:
                async with Runtime.open(load(environment), environment=environment) as runtime:
                    told.append((await runtime.ask("hi", model="stub/small")).text)
            except InterlockError as error:
                seen.error, seen.refused = error, True
                told.append(f"{error.message} {error.field} {error.remedy}")
    whole = "\n".join(told).replace(text, "")
    seen.figures["processes"] = started.count
    seen.facts["marker absent"] = not marker.exists()
    seen.facts["49 absent"] = re.search(r"(?<!\d)49(?!\d)", whole) is None
    seen.facts["text kept as written"] = file.read_text("utf-8").count(json.dumps(text)) == 1
    return seen


# ---- 36: hostile files


async def hostile(case: Case, folder: Path) -> Seen:
    """The text is the configuration, or an OpenAPI document."""
    marker = folder / "marker"
    text = _made(str(filled(case.send["text"], {"marker": str(marker)})))
    seen = Seen()
    before = _memory_kb("VmRSS")
    _forget_peak()
    began = time.process_time()
    with counting() as started:
        try:
            if case.surface == "config":
                (folder / "c.toml").write_text(text, "utf-8")
                load(_environment(folder / "home", folder / "c.toml"))
            else:
                load_text(text, source=f"document.{case.send['format']}")
            seen.facts["loaded"] = True
        except InterlockError as error:
            seen.error, seen.refused = error, True
            seen.facts["loaded"] = False
            told = f"{error.message} {error.field or ''}"
            seen.facts["refused with place"] = bool(re.search(r"c\.toml|document\.|#/|line \d", told))
    seen.figures = {
        "processes": started.count,
        "seconds": time.process_time() - began,
        "memory": (_memory_kb("VmHWM") - before) / 1024,
    }
    seen.facts["marker absent"] = not marker.exists()
    return seen


def _forget_peak() -> None:
    """Have the system measure the peak of this process's memory from now on."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _memory_kb(name: str) -> int:
    """A figure of this process's memory."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith(name)
    ]
    return int(line.split()[1])


def _made(text: str) -> str:
    """A text whose long part is only described."""
    aliases = "a0: &a0 [x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
    )
    made = {
        "{nine levels of aliases, nine each}": aliases,
        "[[[[{100000 deep}": "[" * 100_000,
        "{10 MB}": "x" * 10_000_000,
    }
    for described, whole in made.items():
        text = text.replace(described, whole)
    return text


# ---- 37: programs


async def program(case: Case, folder: Path) -> Seen:
    """A file in the working folder, trusted with one program, says another one afterwards."""
    marker = folder / "marker"
    allowed = ["server", "--stdio"]
    wanted = [str(part) for part in as_array(filled(case.send["argv"], {"marker": str(marker)}))]
    file, home = folder / "interlock.toml", folder / "home"
    home.mkdir(mode=0o700)
    file.write_text(_mounting(allowed), "utf-8")
    trust(home, file)
    before = load(_environment(home), folder=folder)
    assert [before.mcp["imported"].command, *before.mcp["imported"].args] == allowed
    file.write_text(_mounting(wanted), "utf-8")
    with counting() as started:
        settings = load(_environment(home), folder=folder)
        async with Runtime.open(settings, environment={}) as runtime:
            names = runtime.tools.servers.names
            await runtime.tools.catalog()
    return Seen(
        refused=names == (),
        figures={"processes": started.count},
        facts={"marker absent": not marker.exists()},
    )


def _mounting(argv: list[str]) -> str:
    return f"[mcp.imported]\ncommand = {json.dumps(argv[0])}\nargs = {json.dumps(argv[1:])}\n"
