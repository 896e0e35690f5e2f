"""Known secrets on every way out, and unknown ones beside detect-secrets: `make bench FULL=1`.

5,000 secrets (500 unless whole) in six encodings each stand in prompts, in what a tool answers, in what a
vendor's errors say and in what is recorded. Searched afterwards: every byte that the vendor got, every log
line, error, event, metric, and every byte below the data folder. The encodings are made here, not by the code
that hides them.

Unknown secrets are those of the tables in `packages/security/tests/cases`, which were written before the
code; the code was mended where it missed one, so the figure is no forecast for new texts.
"""

import asyncio
import base64
import json
import logging
import random
import string
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote

from figure import ROOT, Figure
from interlock_core import JsonObject, RunResult, Secret
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer
from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse
from interlock_runtime import Question, Runtime, Settings
from interlock_runtime.settings import EgressSettings, ProviderSettings, ToolSettings
from interlock_security import Detection, KnownSecretRedactor

_CASES = ROOT / "packages" / "security" / "tests" / "cases"
_ISOLATED = (str(ROOT / ".ci" / "uv"), "run", "--quiet", "--isolated", "--no-project")
_BATCH = 25
_HEAD = 10
_LETTERS = string.ascii_letters + string.digits + "/+=_-.~!@%&é"
_DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Notes", "version": "1"},
    "paths": {"/note": {"get": {"operationId": "note", "responses": {"200": {"description": "ok"}}}}},
}


def made(count: int) -> list[Secret]:
    """Secrets of 12 to 64 characters, of which some need escapes in JSON and in addresses."""
    draw = random.Random(20261123)
    texts = ("".join(draw.choices(_LETTERS, k=draw.randint(12, 64))) for _ in range(count))
    return [Secret(text, name=f"secret-{number}") for number, text in enumerate(texts)]


def encodings(text: str) -> tuple[str, ...]:
    """The six encodings, base64 at each of the offsets that it can have in other text."""
    data = text.encode()
    inside = [base64.b64encode(b"x" * offset + data).decode() for offset in range(3)]
    cores = [
        whole[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6] for offset, whole in enumerate(inside)
    ]
    return (
        text,
        quote(text, safe=""),
        json.dumps(text)[1:-1],
        data.hex(),
        *cores,
        *(core.replace("+", "-").replace("/", "_") for core in cores),
    )


class Watch(logging.Handler):
    """Keeps every log line as it is written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(f"{record.getMessage()} {record.exc_text or ''}")


def leaks(secrets: Sequence[Secret], texts: Sequence[str]) -> int:
    """How many secrets stand in any of the texts, in any encoding."""
    heads: dict[str, list[tuple[str, int]]] = {}
    for number, secret in enumerate(secrets):
        for form in encodings(secret.reveal()):
            heads.setdefault(form[:_HEAD], []).append((form, number))
    found: set[int] = set()
    for text in texts:
        for at in range(len(text) - _HEAD + 1):
            for form, number in heads.get(text[at : at + _HEAD], ()):
                if text.startswith(form, at):
                    found.add(number)
    return len(found)


async def shown(secrets: Sequence[Secret], home: Path) -> dict[str, list[str]]:
    """What came out on every way, after every secret went in on every way."""
    batches = [secrets[at : at + _BATCH] for at in range(0, len(secrets), _BATCH)]
    words = [" | ".join(form for secret in batch for form in encodings(secret.reveal())) for batch in batches]
    out: dict[str, list[str]] = {"events": [], "errors": [], "metrics": []}
    document = home.parent / "notes.json"
    document.write_text(json.dumps(_DOCUMENT), "utf-8")
    said = iter(words)
    api = LoopbackServer(lambda request: json_answer({"note": next(said)}))
    async with api, OpenAIChatServer(models=("small",)) as vendor:
        settings = Settings(
            home=home,
            egress=EgressSettings(allowed_origins=(api.url,)),
            providers={"acme": ProviderSettings(kind="openai-compatible", base_url=vendor.url)},
            tools={"notes": ToolSettings(source=str(document), base_url=api.url)},
        )
        async with Runtime.open(settings, environment={}) as runtime:
            for secret in secrets:
                runtime.redactor.learn(secret)
            for text in words:
                call = Say(calls=(ToolUse("notes_note", "{}"),))
                vendor.then(call, Say("done"), Failure(status=400, message=text))
                await _asked(runtime, Question(prompt=text, model="acme/small", tools=("notes.*",)), out)
                await _asked(runtime, Question(prompt="again", model="acme/small"), out)
            out["metrics"].append(await runtime.records.prometheus())
        if len(api.requests) != len(words):
            raise RuntimeError(f"The tool was called {len(api.requests)} times, not {len(words)}.")
        out["prompts"] = [json.dumps(request.json(), ensure_ascii=False) for request in vendor.requests]
    return out


async def _asked(runtime: Runtime, question: Question, out: dict[str, list[str]]) -> None:
    try:
        async for item in runtime.ask_events(question):
            if not isinstance(item, RunResult):
                out["events"].append(repr(item))
    except InterlockError as error:
        out["errors"].append(f"{error} {error!r} {error.remedy}")


def known(count: int) -> Iterator[Figure]:
    """How many known secrets came out, by way."""
    secrets = made(count)
    watch = Watch()
    logging.getLogger().addHandler(watch)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with tempfile.TemporaryDirectory() as place:
            home = Path(place) / "home"
            out = asyncio.run(shown(secrets, home))
            kept = [path for path in home.rglob("*") if path.is_file()]
            out["data folder"] = [path.read_text("utf-8", "replace") for path in kept]
    finally:
        logging.getLogger().removeHandler(watch)
        logging.getLogger().setLevel(logging.WARNING)
    out["log"] = watch.lines
    for way, texts in out.items():
        size = sum(map(len, texts)) / 1e6
        found = leaks(secrets, texts)
        yield Figure(f"{count} secrets x 6 encodings: in {way} ({size:.1f} MB)", found, "leaked", 0)


_PEER = """
import json, sys
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings
with default_settings():
    for line in sys.stdin:
        text = json.loads(line)
        print(int(any(list(scan_line(part)) for part in text.splitlines())))
"""


def _texts(name: str) -> list[str]:
    whole = cast("JsonObject", tomllib.loads((_CASES / f"{name}.toml").read_text("utf-8")))
    texts: list[str] = []
    for case in map(as_object, as_array(whole["case"])):
        secret = "".join(str(part) for part in as_array(case.get("secret", [])))
        texts.append(str(case["text"]).replace("<SECRET>", secret))
    return texts


def unknown() -> Iterator[Figure]:
    """Unknown secrets found and harmless texts changed, beside detect-secrets in the same run."""
    redactor = KnownSecretRedactor(detection=Detection(personal=()))
    secrets = [*_texts("redaction_secrets"), *_texts("redaction_secrets_places")]
    harmless = _texts("redaction_innocent")
    ours = [redactor.text(text) != text for text in (*secrets, *harmless)]
    theirs = subprocess.run(
        [*_ISOLATED, "--with", "detect-secrets", "python", "-c", _PEER],
        input="".join(json.dumps(text) + "\n" for text in (*secrets, *harmless)),
        capture_output=True,
        text=True,
        check=True,
        cwd=tempfile.gettempdir(),
    )
    flags = [line == "1" for line in theirs.stdout.split()]
    for name, found in (("ours", ours), ("detect-secrets", flags)):
        yield Figure(f"unknown secrets found, {name}", 100 * sum(found[: len(secrets)]) / len(secrets), "%")
        yield Figure(f"harmless texts changed, {name}", 100 * sum(found[len(secrets) :]) / len(harmless), "%")


def growth() -> Iterator[Figure]:
    """What four times as much of a text costs that is made to be slow; four is linear."""
    redactor = KnownSecretRedactor(detection=Detection())
    for evil in ("eyJ-", "sk-a", "a@b.", "12 3", "1:2:", "password=", "curl -u a:"):
        spent: list[float] = []
        for times in (25_000, 100_000):
            started = time.process_time()
            redactor.text(evil * times)
            spent.append(time.process_time() - started)
        yield Figure(f"redaction of 4 x {evil!r} costs", spent[1] / spent[0], "times", 8)


def figures(*, full: bool) -> Iterator[Figure]:
    """Every figure."""
    yield from known(5_000 if full else 500)
    yield from growth()
    if full:
        yield from unknown()


if __name__ == "__main__":
    for figure in figures(full="--full" in sys.argv):
        print(figure, flush=True)
