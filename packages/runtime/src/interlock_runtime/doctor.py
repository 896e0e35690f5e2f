"""`doctor`: looks at what a running Interlock stands on, one finding each, with what to do."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from interlock_core import JsonObject
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array
from interlock_core.store import Store
from interlock_runtime._join import BRANCHES
from interlock_runtime._runtime import Runtime
from interlock_runtime.settings import Settings

_OLDEST = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What.
        ok: Nothing is wrong with it.
        detail: What was seen.
        remedy: What to do when something is wrong.
    """

    what: str
    ok: bool
    detail: str
    remedy: str = ""


async def examine(settings: Settings, *, environment: Mapping[str, str]) -> list[Finding]:
    """Look at Python, the data folder, the database, the audit log, the providers and the local model."""
    findings = [_python(), _home(settings)]
    if not findings[-1].ok:
        return findings
    findings.append(await _safely("database", lambda: _database(settings)))
    if not findings[-1].ok:
        return findings
    async with Runtime.open(settings, environment=environment) as runtime:
        findings.append(await _safely("audit log", lambda: _audit(runtime)))
        findings.extend(await _providers(runtime))
        findings.append(_weights(runtime))
        findings.extend(await _documents(runtime))
        findings.extend(await _servers(runtime))
    return findings


async def _safely(what: str, look: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await look()
    except InterlockError as error:
        return Finding(what=what, ok=False, detail=error.message, remedy=error.remedy or "")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        what="python",
        ok=sys.version_info >= _OLDEST,
        detail=f"{version} ({sys.implementation.name})",
        remedy="" if sys.version_info >= _OLDEST else "Use Python 3.11 or newer.",
    )


def _home(settings: Settings) -> Finding:
    home = settings.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(home, os.W_OK | os.X_OK)
    except OSError as exc:
        return Finding(
            what="data folder",
            ok=False,
            detail=f"{home} cannot be made: {exc.strerror}",
            remedy="Point INTERLOCK_HOME at a folder that you may write to.",
        )
    others = home.stat().st_mode & 0o077
    if not writable:
        return Finding(
            what="data folder", ok=False, detail=f"{home} cannot be written", remedy="Check its owner."
        )
    if others and sys.platform != "win32":
        return Finding(
            what="data folder",
            ok=False,
            detail=f"{home} can be read by other users",
            remedy=f"Close it: chmod 700 {home}",
        )
    return Finding(what="data folder", ok=True, detail=str(home))


async def _database(settings: Settings) -> Finding:
    store = await Store.open(settings.store_url, branches=BRANCHES)
    try:
        drift = await store.drift()
    finally:
        await store.aclose()
    if drift:
        return Finding(
            what="database",
            ok=False,
            detail=f"{len(drift)} differences from what this version expects: {drift[0]}",
            remedy="Bring back a backup, or undo what was changed by hand.",
        )
    return Finding(what="database", ok=True, detail=f"{store.dialect}, every table as expected")


async def _audit(runtime: Runtime) -> Finding:
    report = await runtime.trail.verify()
    records = report["records"]
    if report["ok"]:
        return Finding(what="audit log", ok=True, detail=f"{records} records hold")
    return Finding(
        what="audit log",
        ok=False,
        detail="it does not hold",
        remedy="See 'interlock audit verify'; keep the database as it is.",
    )


async def _providers(runtime: Runtime) -> list[Finding]:
    return [
        Finding(what=f"provider {entry.name}", ok=entry.ok, detail=entry.detail)
        for entry in await runtime.models.check()
    ]


async def _documents(runtime: Runtime) -> list[Finding]:
    """Each document that cannot be used; one finding when all can."""
    try:
        unusable = await runtime.tools.unusable()
    except InterlockError as error:
        return [Finding(what="documents", ok=False, detail=error.message, remedy=error.remedy or "")]
    if not unusable:
        return [Finding(what="documents", ok=True, detail="all of them can be read")]
    return [
        Finding(
            what=f"document {entry['name']}",
            ok=False,
            detail=f"{entry['place']} cannot be used: {entry['error']}",
            remedy=str(entry["remedy"]),
        )
        for entry in unusable
    ]


async def _servers(runtime: Runtime) -> list[Finding]:
    """Each MCP server is started and asked for its tools."""
    return [_server(state) for state in await runtime.tools.servers.check()]


def _server(state: JsonObject) -> Finding:
    name, waiting = str(state["name"]), as_array(state["withheld"])
    offered = f"{len(as_array(state['offered']))} tools"
    if state["error"]:
        return Finding(
            what=f"MCP server {name}",
            ok=False,
            detail=str(state["error"]),
            remedy="See what it writes with --verbose.",
        )
    if waiting:
        return Finding(
            what=f"MCP server {name}",
            ok=False,
            detail=f"{offered}, {len(waiting)} withheld because they are new, changed or suspicious",
            remedy=f"Look at them: interlock tools show {name}",
        )
    return Finding(what=f"MCP server {name}", ok=True, detail=offered)


def _weights(runtime: Runtime) -> Finding:
    from interlock_providers.local import find

    path = find("smollm2-135m", runtime.models.weights_folder)
    if path is None:
        return Finding(
            what="local model",
            ok=True,
            detail="not installed; 'interlock models pull smollm2-135m' fetches it",
        )
    return Finding(what="local model", ok=True, detail=str(path))
