"""Runs cases of `cases/documents.json`, each in a child of its own with bounded memory and processor time.

It reads the number of a case a line and answers a line of JSON each. It is a program of its own, so that
the children have little memory that is not theirs.
"""

import asyncio
import gzip
import json
import logging
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from interlock_core import Json, JsonObject
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, client_for
from interlock_tools import LoadedDocument, LoadLimits, load_document, load_file, load_text
from interlock_tools import openapi_to_tool_specs as converted

from .hostile_documents import MAKERS, files, text, with_body, with_schema

_log = logging.getLogger(__name__)
CASES: list[JsonObject] = json.loads((Path(__file__).parent / "cases" / "documents.json").read_bytes())
MOST_MEMORY = 1_600 * 1024 * 1024
MOST_SECONDS = 30
SUFFIXES = {"json": ".json", "yaml": ".yaml", "zip": ".zip"}


def judged(case: JsonObject, folder: Path) -> JsonObject:
    """What becomes of a case: refused, or which operations became tools and which did not."""
    try:
        loaded = asyncio.run(fetched(case)) if is_fetched(case) else read(case, folder)
        conversion = converted(loaded)
    except InterlockError as error:
        return {"outcome": "refuse", "reason": error.message, "remedy": error.remedy or ""}
    by_id = {entry.spec.operation_id: entry for entry in conversion.entries}
    for name in as_array(case.get("kept")):
        by_id[str(name)].validator.problems({})
    arguments = case.get("arguments", regex_arguments(case))
    if arguments is not None and "bad" in by_id:
        by_id["bad"].validator.problems(as_object(arguments))
    skipped: list[Json] = [
        {"operation": each.operation, "reason": each.reason} for each in conversion.skipped
    ]
    kept: list[Json] = [name for name in by_id if name]
    return {
        "outcome": "skip-operation" if skipped else "load",
        "skipped": skipped[:5],
        "kept": kept[:50],
        "longest": max((len(str(tool.parameters)) for tool in conversion), default=0),
    }


def regex_arguments(case: JsonObject) -> JsonObject | None:
    """The argument of a regular expression's generator."""
    generator = as_object(case.get("generator"))
    if generator.get("name") != "regex_bomb":
        return None
    if case.get("variant") == "keys":
        return {f"{'a' * 30}{number}": "x" for number in range(100)}
    return {"a": "a" * int(str(generator["size"])) + "!"}


def read(case: JsonObject, folder: Path) -> LoadedDocument:
    """The document of a case, from its text or from a file."""
    if "text" in case:
        data = str(case["text"]).encode("utf-8", "surrogatepass")
        if "document_url" in case:
            return load_text(data, address=str(case["document_url"]))
        return load_file(written(folder, case, data))
    generator = as_object(case["generator"])
    name, variant = str(generator["name"]), str(case.get("variant", ""))
    if name in {"file_ref", "private_ref"}:
        return load_file(files(folder, name, variant))
    made = MAKERS[name](int(str(generator["size"])), variant, str(case["format"]))
    path = written(folder, case, made)
    del made
    limit_memory()
    return load_file(path)


def written(folder: Path, case: JsonObject, data: bytes) -> Path:
    """A file of the case's form."""
    path = folder / f"openapi{SUFFIXES[str(case['format'])]}"
    path.write_bytes(data)
    return path


def is_fetched(case: JsonObject) -> bool:
    """Whether the case is about what a server answers."""
    generator = as_object(case.get("generator"))
    return generator.get("name") == "external_ref" or case.get("variant") in {"stream", "length", "gzip"}


async def fetched(case: JsonObject) -> LoadedDocument:
    """The document of a case, from a server on loopback that the client is allowed to reach."""
    generator = as_object(case["generator"])
    size, variant = int(str(generator["size"])), str(case.get("variant", ""))
    limits = LoadLimits(timeout_s=2.0)
    async with (
        LoopbackServer(lambda request: answer(request, size, variant)) as server,
        client_for(server) as client,
    ):
        return await load_document(f"{server.url}/openapi.json", client=client, limits=limits)


def answer(request: ReceivedRequest, size: int, variant: str) -> Answer:
    """What the server says."""
    match variant:
        case "stream":
            return Answer(body=endless())
        case "length":
            return Answer(headers=(("content-length", "10000000000"),), body=b"x" * size)
        case "gzip":
            packed = b"".join(gzip.compress(bytes(1 << 20)) for _ in range(size >> 20))
            return Answer(headers=(("content-encoding", "gzip"),), body=packed)
        case _:
            return reference_answer(request.path, size, variant)


def reference_answer(path: str, size: int, variant: str) -> Answer:
    """A document that refers to others, or one of these."""
    if path == "/openapi.json":
        return Answer(body=text(first_document(size, variant)))
    match variant:
        case "chain":
            number = int(path.removeprefix("/s").removesuffix(".json"))
            return Answer(body=json.dumps({"$ref": f"s{number + 1}.json"}).encode())
        case "slow":
            return Answer(body=never())
        case "redirect":
            return Answer(status=302, headers=(("location", "http://169.254.169.254/"),))
        case "cycle":
            onward = "s1.json" if path == "/s0.json" else "s0.json"
            return Answer(body=json.dumps({"type": "object", "properties": {"p": {"$ref": onward}}}).encode())
        case _:
            return Answer(body=b'{"type": "string"}')


def first_document(size: int, variant: str) -> JsonObject:
    """The document that the server gives first."""
    if variant == "cycle":
        return with_body({"$ref": "s0.json"})
    root = with_schema({"$ref": "s0.json"})
    if not variant:
        paths = as_object(root["paths"])
        for number in range(size):
            parameter: Json = {"name": "a", "in": "query", "schema": {"$ref": f"s{number}.json"}}
            paths[f"/p{number}"] = {"get": {"parameters": [parameter]}}
    return root


async def endless() -> AsyncIterator[bytes]:
    """Spaces without end."""
    while True:
        yield b" " * 65_536


async def never() -> AsyncIterator[bytes]:
    """One byte, and then nothing more."""
    yield b"{"
    await asyncio.Event().wait()


def limit_memory() -> None:
    """From here on nothing may take more than the most memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def in_child(case: JsonObject) -> JsonObject:
    """The judgement of a case, from a child that may end in any way."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        if case["kind"] == "text" or is_fetched(case):
            limit_memory()
        with tempfile.TemporaryDirectory() as folder:
            said: JsonObject
            try:
                said = judged(case, Path(folder))
            except BaseException as exc:  # noqa: BLE001 - whatever escapes is the finding
                _log.exception("%s", case["id"])
                said = {"outcome": "crash", "reason": f"{type(exc).__name__}: {str(exc)[:300]}"}
            os.write(sink, json.dumps(said).encode()[:60_000])
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as pipe:
        data = pipe.read()
    _, status, used = os.wait4(child, 0)
    found: JsonObject = json.loads(data) if data else {"outcome": f"ended with status {status}"}
    return {**found, "seconds": round(used.ru_utime + used.ru_stime, 2), "mb": used.ru_maxrss // 1024}


def main() -> None:
    """Answer every case that is asked for."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(in_child(CASES[int(line)])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
