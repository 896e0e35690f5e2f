"""A secret that is kept, planted wherever anybody can write: nowhere is it found again."""

import json
import logging
import secrets
import string
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import get_args

import pytest

from interlock_core import Principal
from interlock_runtime import KeyRequest
from interlock_runtime.audit import ExportFormat

from .harness.cases import canary_places, family, filled, forms
from .harness.egress import document
from .harness.plants import PLACES, Plant
from .harness.surfaces import Said, Ways, ways

FAMILIES = (16,)
CONFIG = """
[roles.clerk]
inherits = ["developer"]
approve = [{ tools = ["gate.*"], four_eyes = 1 }]

[tools.gate]
source = "%s"
base_url = "{api}"
credential = "canary-16-of-the-gate"
"""
ANSWERED = {
    "name of a file in an upload": 404,
    "comment of feedback": 404,
    "path of an unknown address": 404,
    "idempotency key": 400,
    "body that is no JSON": 400,
    "name of a key": 400,
    "name of a user": 400,
    "note of a quota": 400,
    "description of a tool": 400,
    "reason of an approval": 400,
    "error of a tool": 1,
}
"""What is answered where it is not taken: nothing is there, or a secret cannot be kept in such a place.

An API's error is a result that says so. Everywhere else the request is answered as any other.
"""
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
LETTERS = string.ascii_letters + string.digits


class Lines(logging.Handler):
    """Keeps what Interlock writes into its log, at every level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, with the trace of an exception."""
        self.lines.append(self.format(record))


@contextmanager
def logged() -> Generator[list[str], None, None]:
    """What Interlock logs meanwhile."""
    lines, logger = Lines(), logging.getLogger("interlock")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(lines)
    try:
        yield lines.lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[tuple[Ways, str], None]:
    """A house with a tool that takes a text, and a key whose calls people must approve."""
    content = document("http://127.0.0.1:1", "/save", parameters={"text": "query"})
    text = json.dumps(content).replace('"one"', '"save"').replace('"get"', '"post"')
    (folder / "gate.json").write_text(text, "utf-8")
    async with ways(folder / "house", more=CONFIG % (folder / "gate.json")) as place:
        boss = Principal(user="system", roles=frozenset({"admin"}))
        wish = KeyRequest(name="clerk", user="clerk", role="clerk")
        yield place, str((await place.runtime.access.create_key(wish, by=boss))["key"])


@pytest.mark.promise("A7")
async def test_a_secret_that_is_kept_is_nowhere_else(tmp_path: Path) -> None:
    """By whatever way it came, and in whatever encoding: in no store, log, export or metric."""
    planted: dict[str, tuple[str, str]] = {}
    answered: list[tuple[str, str, Said]] = []
    with logged() as lines:
        async with opened(tmp_path) as (place, clerk):
            for number, case in enumerate(family(16).cases):
                canary = "ghp_" + "".join(secrets.choice(LETTERS) for _ in range(36))
                secret = json.dumps({"value": canary, "hosts": ["public.example"]}).encode()
                kept = await place.ask("PUT", f"/api/vault/c{number}", secret)
                assert kept.status == 200, kept
                value = str(filled(case.send["value"], canary_places(canary)))
                where = str(case.send["plant"])
                planted[case.id] = (where, canary)
                answered.append((case.id, where, await PLACES[where](Plant(place, clerk, value, number))))
            trail = place.runtime.trail
            exports = [piece for form in FORMATS async for piece in trail.export(form)]
            logging.getLogger("interlock").debug("the end")
            metrics = (await place.ask("GET", "/metrics")).text
        left = {
            "store": stored(tmp_path / "house" / "home"),
            "log": "\n".join(lines),
            "exports": "".join(exports),
            "metrics": metrics,
        }
    wrong = [
        (name, where, said)
        for name, where, said in answered
        if said.status not in ({ANSWERED[where]} if where in ANSWERED else {0, 200})
    ]
    found = [
        (name, where, word)
        for name, (where, canary) in planted.items()
        for word, text in left.items()
        if [form for form in forms(canary) if form in text]
    ]
    assert "the end" in lines
    assert (wrong, found) == ([], [])
    assert {case.must for case in family(16).cases} == {
        ("store lacks canary", "log lacks canary", "exports lack canary", "metrics lack canary")
    }


def stored(home: Path) -> str:
    """Every byte below a data folder."""
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    return "\n".join(path.read_bytes().decode("latin-1") for path in files)
