"""The attacks on documents, run: each is loaded by the command line in a process of its own, and measured."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, parse_json
from interlock_core.testing import LoopbackServer, json_answer

Case: TypeAlias = dict[str, object]

FILE = Path(__file__).parent / "cases.toml"
CASES = [
    case
    for case in cast("list[Case]", tomllib.loads(FILE.read_text(encoding="utf-8"))["case"])
    if case["surface"] == "document"
]
WIDEST_DESCRIPTION = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that ended.

    Attributes:
        code: Its exit code; negative when a signal ended it.
        out: Its stdout.
        err: Its stderr.
        seconds: CPU time, user and system.
        megabytes: Peak memory.
    """

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float


# Starts the command line and says what it took. A process inherits the peak memory of the one that started
# it, so what starts it must be small, as this is and a test run is not.
LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "interlock_cli", *sys.argv[1:]], os.environ)
_, status, used = os.wait4(pid, 0)
with open("used", "w") as file:
    print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=file)
"""


def run(folder: Path, *words: str) -> Ended:
    """The command line in a process of its own, measured; coverage off, which would be measured too."""
    home, config = folder.parent / "home", folder / "config"
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "COVERAGE_"))
    }
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, *words],
            cwd=folder,
            env=kept | {"INTERLOCK_HOME": str(home), "XDG_CONFIG_HOME": str(config)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            check=True,
        )
    code, seconds, megabytes = (folder / "used").read_text(encoding="utf-8").split()
    return Ended(
        code=int(code),
        out=(folder / "out").read_text("utf-8", "replace"),
        err=(folder / "err").read_text("utf-8", "replace"),
        seconds=float(seconds),
        megabytes=float(megabytes),
    )


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A data folder for all of them, made beforehand: making one is no part of what is measured."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "document.json").write_text(json.dumps(document({})), encoding="utf-8")
    run(folder, "tools", "convert", "document.json")


# ---- the documents


def document(paths: JsonObject, **more: Json) -> JsonObject:
    """A document with these paths."""
    return {"openapi": "3.1.0", "info": {"title": "API", "version": "1"}, "paths": paths, **more}


def operation(name: str, schema: Json = None, description: str = "", parameter: Json = None) -> JsonObject:
    """An operation, with a body of that schema and that parameter."""
    made: JsonObject = {"operationId": name, "responses": {"200": {"description": "Done."}}}
    if schema is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    if parameter is not None:
        made["parameters"] = [parameter]
    return made | ({"description": description} if description else {})


def deep_schema(levels: int) -> Json:
    """An object in an object, that many times; written by hand, because JSON encoders recurse."""
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def text_of(case: Case, folder: Path) -> str:
    """The document of a case."""
    size = cast("int", case.get("size", 0))
    make = str(case["make"])
    if make == "yaml-alias-bomb":
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, size)]
        return "\n".join([*lines, "openapi: 3.1.0", "info: {title: A, version: '1'}", "paths: {}", ""])
    if make == "large-json":
        return json.dumps(document({"/a": {"get": operation("a", description="x" * size)}}))
    if make == "deep-json":
        return "[" * size
    if make == "deep-schema":
        sys.setrecursionlimit(20_000)
        return json.dumps(
            document({"/a": {"post": operation("a", deep_schema(size))}, "/b": {"get": operation("b")}})
        )
    if make == "text":
        return str(case["text"]).replace("{home}", str(folder))
    return json.dumps(small_document(case, size))


def small_document(case: Case, size: int) -> JsonObject:
    """The document of a case that is plain JSON."""
    make = str(case["make"])
    if make == "pattern":
        parameter: Json = {
            "name": "x",
            "in": "query",
            "required": True,
            "schema": {"type": "string", "pattern": str(case["pattern"])},
        }
        return document({"/a": {"get": operation("a", parameter=parameter)}})
    if make == "ref":
        loop: Json = {"Loop": {"$ref": "#/components/schemas/Loop"}}
        return document(
            {"/a": {"post": operation("a", {"$ref": str(case["ref"])})}, "/b": {"get": operation("b")}},
            components={"schemas": loop},
        )
    if make == "description":
        return document({"/a": {"get": operation("a", description=str(case["text"]) * 50)}})
    if make == "operations":
        names = cast("list[str]", case["names"])
        return document({f"/{index}": {"get": operation(name)} for index, name in enumerate(names)})
    if make == "wide-schema":
        lengths: list[Json] = [{"type": "string", "maxLength": n + 1} for n in range(size)]
        inner: Json = {"oneOf": lengths}
        branches: list[Json] = [{"$ref": "#/components/schemas/Wide"}] * size
        return document(
            {"/a": {"post": operation("a", {"oneOf": branches})}}, components={"schemas": {"Wide": inner}}
        )
    raise AssertionError(f"nothing makes {make}")


# ---- what must hold


def skipped_with_reason(report: JsonObject) -> bool:
    """Whether the document loaded, and each operation that it skips says why."""
    entries = [as_object(entry) for entry in as_array(report["skipped"])]
    return report["ok"] is True and bool(entries) and all(as_text(entry.get("reason")) for entry in entries)


def names_of(report: JsonObject) -> list[str]:
    """The names of a document's tools, as the vendors see them."""
    tools = as_object(report["tools"])
    listed = [as_object(tool) for dialect in tools.values() for tool in as_array(dialect)]
    return [str(as_object(tool.get("function"))["name"]) for tool in listed]


def word_holds(word: str, ended: Ended, report: JsonObject, folder: Path) -> bool:
    """Whether one word of a case holds."""
    name, _, bound = word.partition("<")
    both = ended.out + ended.err
    if name == "seconds":
        return ended.seconds < float(bound)
    if name == "megabytes":
        return ended.megabytes < float(bound)
    visible = ended.out.isascii() or not {"\u200b", "\u202e"} & set(ended.out)
    plain = {
        "refused": report.get("ok") is False and bool(as_text(report.get("error"))),
        "refused-or-loaded": ended.code in {0, 1},
        "no-crash": ended.code in {0, 1} and "Traceback" not in both,
        "operation-skipped-with-reason": report.get("ok") is True and skipped_with_reason(report),
        "nothing-executed": not (folder / "owned").exists(),
        "file-not-read": "root:" not in both,
        "no-connection": True,
        "no-control-or-invisible-characters": visible and "\\u0007" not in both and "\\u200b" not in both,
        "length-capped": len(ended.out) < WIDEST_DESCRIPTION,
        "every-operation-has-its-own-name": len(names_of(report)) == len(set(names_of(report))) == 3,
    }
    return plain[word]


CONVERTED = [case for case in CASES if case["make"] not in {"pattern", "path"}]


@pytest.mark.parametrize("case", CONVERTED, ids=[str(case["id"]) for case in CONVERTED])
def test_a_hostile_document_is_loaded_or_refused_within_bounds(case: Case, tmp_path: Path) -> None:
    """Time, memory, files and names: what the case says holds."""
    name = "document.yaml" if case["make"] in {"yaml-alias-bomb", "text"} else "document.json"
    (tmp_path / name).write_text(text_of(case, tmp_path), encoding="utf-8")
    ended = run(tmp_path, "tools", "convert", name, "--for", "openai", "--json")
    assert ended.out, ended.err
    report = as_object(as_array(as_object(parse_json(ended.out))["documents"])[0])
    wanted = cast("list[str]", case["holds"])
    found = {word: word_holds(word, ended, report, tmp_path) for word in wanted}
    assert found == dict.fromkeys(wanted, True), (
        ended.seconds,
        ended.megabytes,
        ended.out[:600],
        ended.err[:600],
    )


async def test_a_pattern_that_backtracks_is_answered_in_time(tmp_path: Path) -> None:
    """D05: the call is answered or refused, within the CPU seconds of the case."""
    (case,) = [case for case in CASES if case["make"] == "pattern"]
    async with LoopbackServer(lambda _: json_answer({})) as server:
        (tmp_path / "document.json").write_text(text_of(case, tmp_path), encoding="utf-8")
        (tmp_path / "c.toml").write_text(
            f'[tools.api]\nsource = "document.json"\nbase_url = "{server.url}"\n'
        )
        ended = run(
            tmp_path,
            "--config",
            "c.toml",
            "tools",
            "call",
            "api.a",
            "--args",
            json.dumps({"x": case["argument"]}),
        )
        assert server.requests == []
    assert ended.code in {0, 1, 2}
    assert "Traceback" not in ended.err
    assert ended.seconds < 2 + 1


async def test_a_path_that_names_a_host_stays_at_its_server(tmp_path: Path) -> None:
    """D13: the request goes to the server that the operator wrote."""
    (case,) = [case for case in CASES if case["make"] == "path"]
    parameter: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    made = document({str(case["path"]): {"get": operation("a", parameter=parameter)}})
    async with LoopbackServer(lambda _: json_answer({})) as server:
        (tmp_path / "document.json").write_text(json.dumps(made), encoding="utf-8")
        (tmp_path / "c.toml").write_text(
            f'[tools.api]\nsource = "document.json"\nbase_url = "{server.url}"\n'
        )
        words = ("tools", "call", "api.a", "--args", '{"id": "7"}', "--dry-run")
        ended = run(tmp_path, "--config", "c.toml", *words)
        text = ended.out + ended.err
    assert "Traceback" not in text
    assert "//evil.example" not in text.replace(f"{server.url}//evil.example", "") or ended.code in {1, 2, 3}
