"""No byte of a credential in an error, a log or a store, however a vendor fails and whatever it repeats."""

import asyncio
import json
import os
import signal
import sqlite3
import ssl
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_api.testing import GatewayProcess, talk
from interlock_core.testing import LoopbackServer
from interlock_runtime import Runtime, Settings

from .harness.cases import Case, family
from .harness.certificate import self_signed
from .harness.faults import CANARY, Failing, found_in, stored
from .harness.seen import Seen, problems

FAMILIES = (17,)
FULL = os.environ.get("INTERLOCK_FULL") == "1"
IN_THE_FILE = {
    "key in the query of the address": 'base_url = "http://127.0.0.1:9/v1?api_key={key}"',
    "key in the user information of the address": 'base_url = "http://u:{key}@127.0.0.1:9/v1"',
    "configuration does not parse at the line with the key": 'api_key = "{key}',
}
"""What the operator writes wrongly, with the key in it; such a server does not start."""


@dataclass(slots=True)
class Stage:
    """Where the faults are provoked.

    Attributes:
        folder: For what is made.
        vendor: Fails.
        config: Text of the configuration; the key comes from the environment.
        gateway: A server on it.
    """

    folder: Path
    vendor: Failing
    config: str
    gateway: GatewayProcess


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage, None]:
    """A vendor that fails, a server that asks it, and a data folder for the command line."""
    folder = tmp_path_factory.mktemp("errors")
    pem = folder / "own.pem"
    pem.write_bytes(self_signed("localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    faults = [str(case.send["fault"]) for case in family(17).cases]
    async with Failing(faults) as vendor, LoopbackServer(tls=context) as secure:
        elsewhere = {
            "connection refused": "http://127.0.0.1:9/v1",
            "TLS does not verify": f"{secure.url.replace('127.0.0.1', 'localhost')}/v1",
            "name does not resolve": "https://no-such-name.invalid/v1",
        }
        config = "\n".join(
            f'[providers.f{number}]\nkind = "openai-compatible"\nmodels = ["small"]\n'
            'api_key = "env:VENDOR_SECRET"\n'
            f'base_url = "{elsewhere.get(fault) or vendor.base_url(fault)}"'
            for number, fault in enumerate(faults)
            if fault not in IN_THE_FILE
        )
        config += '\n[providers.local]\nkind = "local"\nenabled = false\n'
        async with Runtime.open(Settings(home=folder / "cli"), environment={}):
            pass
        with GatewayProcess(folder / "home", config=config, environment=_secret(folder)) as gateway:
            yield Stage(folder, vendor, config, gateway)


def _secret(folder: Path) -> dict[str, str]:
    """The variables of every process: the key, and a proxy and an exporter that nobody may be sent to."""
    return {
        "VENDOR_SECRET": CANARY,
        "HTTPS_PROXY": f"http://u:{CANARY}@127.0.0.1:9",
        "HTTP_PROXY": f"http://u:{CANARY}@127.0.0.1:9",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={CANARY}",
        "XDG_CONFIG_HOME": str(folder / "none"),
    }


def picked() -> list[tuple[int, Case]]:
    """All cases; without FULL every fourth that starts a process of its own."""
    cases = [*enumerate(family(17).cases)]
    programs = [entry for entry in cases if entry[1].surface == "cli"]
    kept = programs if FULL else programs[::4]
    return [entry for entry in cases if entry not in programs or entry in kept]


@pytest.mark.promise("A7")
@pytest.mark.asyncio(loop_scope="module")
async def test_no_run_of_eight_characters_of_a_key_stands_in_what_a_failure_leaves(stage: Stage) -> None:
    """Also where the vendor repeats it, or masks it and leaves its beginning and its end."""
    wrong: list[object] = []
    for number, case in picked():
        fault = str(case.send["fault"])
        if fault in IN_THE_FILE:
            texts = await started(stage, fault, case.surface)
        elif case.surface == "http":
            texts = await asked(stage, number, fault)
        else:
            texts = await commanded(stage, number, fault)
        found = found_in(texts)
        seen = Seen(canary=CANARY, texts=dict(texts), figures={"fragments(8)": len(found)})
        seen.facts["fragments(8) == 0"] = not found
        if missed := problems(case, seen):
            wrong.append((case.id, fault, missed, found))
    assert wrong == []


async def asked(stage: Stage, number: int, fault: str) -> dict[str, str]:
    """Provoke a fault through the gateway, and gather what it leaves."""
    said = "x" * 40_000_000 if fault == "body too large" else "hi"
    body = {
        "model": f"f{number}/small",
        "messages": [{"role": "user", "content": said}],
        "stream": fault == "stream breaks",
    }
    sent = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {stage.gateway.key}\r\n"
        f"connection: close\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    answers = await talk(stage.gateway.port, head.encode(), sent)
    assert answers or fault == "body too large"
    assert not answers or answers[0].status >= 400 or b"error" in answers[0].body
    told = "".join(f"{answer.headers} {answer.body.decode('utf-8', 'replace')}" for answer in answers)
    kept = stored(stage.gateway.home)
    return {"response": told, "log": "\n".join(stage.gateway.log), "trace": kept, "audit": kept}


async def started(stage: Stage, fault: str, surface: str) -> dict[str, str]:
    """Start a program on a file with the fault in it; it ends with an error."""
    folder = stage.folder / fault.replace(" ", "-")
    folder.mkdir()
    written = '[providers.stub]\nkind = "openai-compatible"\nmodels = ["small"]\n'
    (folder / "config.toml").write_text(written + IN_THE_FILE[fault].format(key=CANARY), "utf-8")
    words = ["ask", "-m", "stub/small", "hi"] if surface == "cli" else ["serve"]
    code, out, err = await _program(stage, words, folder / "home", folder / "config.toml")
    assert code != 0
    kept = stored(folder)
    return {"response": out, "log": err, "trace": kept, "audit": kept}


async def commanded(stage: Stage, number: int, fault: str) -> dict[str, str]:
    """Provoke a fault by a question on the command line."""
    home, config = stage.folder / "cli", stage.folder / "cli.toml"
    config.write_text(stage.config, "utf-8")
    words = ["ask", "-m", f"f{number}/small", "hi"]
    words += ["--verbose"] if fault == "debug log is on" else []
    if fault == "store refuses the row":
        _close_the_store(home / "interlock.db")
    hold = fault == "process ends by a signal"
    code, out, err = await _program(stage, words, home, config, end=hold)
    assert code != 0, (fault, out, err)
    kept = stored(home)
    return {"response": out, "log": err, "trace": kept, "audit": kept}


def _close_the_store(database: Path) -> None:
    """From here on nothing can be written."""
    with closing(sqlite3.connect(database)) as raw:
        tables = [str(row[0]) for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.startswith("sqlite_"):
                raw.execute(
                    f"CREATE TRIGGER closed_{table} BEFORE INSERT ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'closed'); END"
                )
        raw.commit()


async def _program(
    stage: Stage, words: list[str], home: Path, config: Path, *, end: bool = False
) -> tuple[int, str, str]:
    """Run the command line to its end; or, where a vendor says nothing, until that vendor was asked."""
    kept: Mapping[str, str] = {
        name: text for name, text in os.environ.items() if not name.startswith("INTERLOCK_")
    }
    own = {"INTERLOCK_HOME": str(home), "INTERLOCK_CONFIG": str(config)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "interlock_cli", *words),
        env={**kept, **own, **_secret(stage.folder)},
        cwd=stage.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if end:
        before = len(stage.vendor.requests)
        await stage.vendor.until(lambda: len(stage.vendor.requests) > before)
        process.send_signal(signal.SIGABRT)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
