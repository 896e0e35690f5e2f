"""Valid calls of real APIs are taken by a mock server of others and by a judge that reads the raw document.

Wrong calls never leave, and are told what is wrong. Every twentieth operation of the two documents is
called, all of them with `INTERLOCK_FULL=1`; what was counted is printed.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import pytest

from interlock_core import HttpRequest, Json, JsonObject, ToolCall
from interlock_core.errors import InterlockError
from interlock_core.http import Egress, HttpClient
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import Answer, LoopbackServer, MemorySecrets, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry
from interlock_tools.openapi._convert import OpenApiTool

from .making import SIZES, Maker, Mutant, mutants
from .peer import Peers, free_port
from .round_trip import RawDocument, RawOperation, Sent, slim

DOCUMENTS = ("octokit-openapi-api.github.com.json", "stripe.com.json")
SAMPLE_EVERY = 20
SEED = 20_261_123
UNREAD = "Cannot deserialize JSON object array in form data request body"
"""What the mock server says of every list of objects in a form that is not one text of JSON."""
MISSED = re.compile(r"must have required property '([^']+)'")
"""What it says of a member that is not there, or is a list within nested objects, which it does not see."""
RESERVED = "Reserved characters used in request body"
"""What it says of a form whose texts hold reserved characters, percent-encoded as they are."""
LEAST_STOPPED = 0.99
LONGEST = 410
"""Characters of a message, and of the word for no further data behind it."""


def document(name: str) -> JsonObject:
    """A document of the corpus."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    path = Path(os.environ.get("INTERLOCK_CORPUS", beside)) / "openapi" / "dev" / name
    assert path.exists(), "The corpus of OpenAPI documents is absent: set INTERLOCK_CORPUS to its folder."
    return cast("JsonObject", json.loads(path.read_bytes()))


@dataclass
class Tally:
    """What became of the calls.

    Attributes:
        counts: Operations, valid and invalid calls.
        faults: What should not have happened.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])


@dataclass
class Bench:
    """One document between an executor and the mock server.

    Attributes:
        name: Of the document.
        raw: Judges what arrives.
        registry: Holds its tools.
        executor: Makes the calls.
        wire: Sees each request, and hands it to the mock server.
        tally: What became of them.
    """

    name: str
    raw: RawDocument
    registry: ToolRegistry
    executor: ToolExecutor
    wire: LoopbackServer
    tally: Tally = field(default_factory=Tally)

    async def run(self, name: str) -> None:
        """Every valid and every wrong call of one tool."""
        found = self.registry.tool(name)
        assert isinstance(found, tuple)
        tool = found[1]
        operation = tool.plan.operation
        raw = self.raw.operation(operation.method, operation.path)
        names = {(slot.parameter.location, slot.parameter.name): slot.argument for slot in tool.plan.slots}
        if tool.plan.body is not None:
            names |= {("body", prop): argument for argument, prop in tool.plan.body.properties}
        self.tally.counts["operations"] += 1
        dice = random.Random(f"{SEED} {name}")
        for size in SIZES:
            arguments = Maker(tool.parameters, size, dice).arguments()
            await self.valid(tool, raw, size, arguments)
            if size == "typical":
                for mutant in mutants(raw, arguments, names, dice):
                    await self.wrong(tool, mutant)

    async def call(self, tool: OpenApiTool, arguments: JsonObject) -> tuple[str, bool]:
        """The result in words, and whether it is an error that is the caller's."""
        call = ToolCall(id="c", name=tool.spec.name, arguments=json.dumps(arguments))
        try:
            result = await self.executor.execute(call, make_call())
        except InterlockError as error:
            return str(error), True
        refused = result.status == 422
        unread = result.status == 415 and UNREAD in result.text
        if unread or (refused and never_reads(result.structured, self.wire.requests[-1])):
            self.tally.counts["unread by the mock server"] += 1
            return result.text, False
        invented = refused and blames_what_was_not_sent(result.structured, self.wire.requests[-1])
        self.tally.counts["blamed for what was not sent"] += invented
        return f"{result.text} {json.dumps(result.structured)[:600]}", result.is_error and not invented

    async def valid(self, tool: OpenApiTool, raw: RawOperation, size: str, arguments: JsonObject) -> None:
        """One valid call: accepted by the mock server, and by the raw document."""
        self.tally.counts["valid"] += 1
        self.wire.requests.clear()
        text, failed = await self.call(tool, arguments)
        shown = f"{tool.spec.endpoint} {size} {json.dumps(arguments)[:300]}"
        if failed:
            self.tally.faults.append(f"{shown}: {text[-700:]}")
        for received in self.wire.requests[:1]:
            headers = {key.lower(): value for key, value in received.headers}
            problems = raw.problems(Sent(received.target, headers, received.body))
            if problems:
                self.tally.faults.append(
                    f"raw: {shown}: {received.target} {received.body[:200]!r} {problems[:3]}"
                )
            else:
                self.tally.counts["accepted"] += not failed

    async def wrong(self, tool: OpenApiTool, mutant: Mutant) -> None:
        """One wrong call: nothing leaves, and what is wrong is named."""
        self.tally.counts["invalid"] += 1
        self.wire.requests.clear()
        text, failed = await self.call(tool, mutant.arguments)
        if not failed or self.wire.requests:
            self.tally.counts[f"not stopped: {mutant.kind}"] += 1
            shown = json.dumps(mutant.arguments.get(mutant.argument))[:100]
            self.tally.faults.append(f"sent: {tool.spec.endpoint} {mutant.kind} {mutant.argument} {shown}")
            return
        self.tally.counts["stopped"] += 1
        if mutant.argument in text and len(text) <= LONGEST:
            self.tally.counts["helpful"] += 1
        else:
            self.tally.faults.append(f"unhelpful: {mutant.kind} {mutant.argument}: {text[:900]}")


def never_reads(answer: Json, received: ReceivedRequest) -> bool:
    """Whether the mock server only misses what it never reads: parts but texts, and a body of `null`."""
    found = [as_object(one) for one in as_array(as_object(answer).get("validation"))]
    if (received.header("content-type") or "").startswith("multipart/"):
        return all(one.get("code") in {"type", None} for one in found)
    return received.body == b"null" and all("Body parameter is required" in str(one) for one in found)


def blames_what_was_not_sent(answer: Json, received: ReceivedRequest) -> bool:
    """Whether the mock server only misses members of objects that it made up itself.

    Where a form has nested objects, it takes each optional one that has required members for sent. It also
    reads a form before it looks for characters that must not stand in one.
    """
    form = (received.header("content-type") or "").startswith("application/x-www-form-urlencoded")
    pairs = parse_qsl(received.target.partition("?")[2], keep_blank_values=True)
    pairs += parse_qsl(received.body.decode(), keep_blank_values=True) if form else []
    found = [as_object(one) for one in as_array(as_object(answer).get("validation"))]
    for one in found:
        if RESERVED in str(one.get("message")):
            continue
        where, first, *inner = [*(str(step) for step in as_array(one.get("location"))), "", ""]
        inner = [step for step in inner if step]
        name = first + "".join(f"[{step}]" for step in inner)
        missed = MISSED.search(str(one.get("message")))
        if missed and any(key.startswith(f"{name}[{missed[1]}][") for key, _ in pairs):
            continue
        held = not first or any(key == name or key.startswith(f"{name}[") for key, _ in pairs)
        if where not in {"body", "query"} or one.get("code") != "required" or held:
            return False
    return bool(found)


@asynccontextmanager
async def bench(name: str, peers: Peers, folder: Path) -> AsyncGenerator[Bench, None]:
    """A document with everything around it."""
    whole = document(name)
    slimmed = folder / name
    slimmed.write_text(json.dumps(slim(whole)), encoding="utf-8")
    port = free_port()
    arguments = ("mock", "-h", "127.0.0.1", "-p", str(port), str(slimmed))
    serving = peers.running("prism", *arguments, ready="Prism is listening")
    mock = f"http://127.0.0.1:{port}"
    async with serving, HttpClient(egress=Egress(allowed_origins=[mock])) as client:

        async def hand_on(request: ReceivedRequest) -> Answer:
            dropped = {"host", "content-length", "connection"}
            headers = tuple((key, value) for key, value in request.headers if key.lower() not in dropped)
            sent = HttpRequest(
                method=request.method, url=mock + request.target, headers=headers, body=request.body or None
            )
            answer = await client.send(sent, timeout_s=60)
            kind = tuple(pair for pair in answer.headers if pair[0].lower() == "content-type")
            return Answer(status=answer.status, headers=kind, body=answer.body)

        async with LoopbackServer(hand_on) as wire:
            registry = ToolRegistry()
            limits = ExecutorLimits(attempts=1, breaker_failures=1_000_000)
            options = DocumentOptions(base_url=wire.url, credential="key", limits=limits)
            registry.add_document(whole, namespace="n", options=options)
            executor = ToolExecutor(registry, secrets=MemorySecrets({"key": "sk_test_round_trip"}))
            yield Bench(name, RawDocument(whole), registry, executor, wire)
            await executor.aclose()


@pytest.mark.promise("O3", "O8")
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_valid_calls_are_taken_and_wrong_ones_never_leave(
    name: str, peers: Peers, tmp_path: Path
) -> None:
    """All valid calls by both judges; 99 of 100 wrong ones are stopped, and every word of that is of use."""
    async with bench(name, peers, tmp_path) as one:
        tools = one.registry.list()
        assert len(tools) == one.registry.documents()[0].operations
        every = 1 if os.environ.get("INTERLOCK_FULL") == "1" else SAMPLE_EVERY
        for tool in tools[::every]:
            await one.run(tool.name)
    counts = one.tally.counts
    print(name, dict(counts), *one.tally.faults, sep="\n")
    assert counts["accepted"] == counts["valid"], one.tally.faults[:20]
    assert counts["stopped"] >= LEAST_STOPPED * counts["invalid"], one.tally.faults[:20]
    assert counts["helpful"] >= LEAST_STOPPED * counts["stopped"], one.tally.faults[:20]
