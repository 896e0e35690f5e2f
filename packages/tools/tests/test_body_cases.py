"""Every case of the table of bodies goes on the wire as the specifications say, seen by a raw socket server.

The cases stand in `cases/bodies.json`; they were written from the specifications, apart from the code.
Multipart bodies are read by the standard library's parser of messages.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry
from interlock_tools.openapi._plan import BodyPlan

CASES = cast("list[JsonObject]", json.loads((Path(__file__).parent / "cases" / "bodies.json").read_bytes()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire() -> AsyncIterator[LoopbackServer]:
    """A server that keeps what it receives, for all cases."""
    async with LoopbackServer() as running:
        yield running


def document(case: JsonObject) -> JsonObject:
    """The case as a document of its version, with one operation that writes."""
    version = str(case["version"])
    operation: JsonObject = {"responses": {"200": {"description": "Done."}}}
    for key in ("requestBody", "parameters", "consumes"):
        if key in case:
            operation[key] = case[key]
    form: JsonObject = {"swagger": "2.0"} if version == "2.0" else {"openapi": version}
    more = {key: case[key] for key in ("components", "definitions") if key in case}
    return {**form, "info": {"title": "B", "version": "1"}, "paths": {"/x": {"post": operation}}, **more}


def arguments(case: JsonObject, plan: BodyPlan) -> JsonObject:
    """The body's value as the tool's arguments: its properties, or the whole under the one argument."""
    if case.get("absent"):
        return {}
    value = said(case["value"])
    if plan.argument is not None:
        return {plan.argument: value}
    given = as_object(value)
    return {argument: given[name] for argument, name in plan.properties if name in given}


def said(value: Json) -> Json:
    """A value without what a file does not say of itself."""
    if isinstance(value, list):
        return [said(item) for item in value]
    if isinstance(value, dict):
        file = "base64" in value
        return {key: said(item) for key, item in value.items() if not (file and item is None)}
    return value


def plan_of(registry: ToolRegistry, name: str) -> BodyPlan:
    """How the body of a tool is made."""
    found = registry.tool(name)
    assert isinstance(found, tuple)
    plan = found[1].plan.body
    assert plan is not None
    return plan


def plain_xml(text: str) -> str:
    """A document in canonical form (C14N 2.0)."""
    return ElementTree.canonicalize(text)


def part_of(message: Message) -> JsonObject:
    """One part of a multipart body in the words of the cases."""
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes)
    disposition = raw(message, "content-disposition")
    headers: JsonObject = {key.lower(): raw(message, key) for key in message}
    found: dict[str, str] = dict(re.findall(r'(\w+)="([^"]*)"', disposition))
    return {
        "name": found.get("name"),
        "filename": found.get("filename"),
        "content_type": message.get("content-type"),
        "headers": headers,
        "text": content.decode("utf-8", "replace"),
        "base64": base64.b64encode(content).decode(),
    }


def raw(message: Message, name: str) -> str:
    """A header of a part as it was sent, in UTF-8."""
    known = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return known.encode("utf-8", "surrogateescape").decode()


def parts_of(received: ReceivedRequest) -> list[JsonObject]:
    """The parts of a multipart body."""
    head = f"content-type: {received.header('content-type')}\r\n\r\n".encode()
    message = message_from_bytes(head + received.body)
    return [part_of(part) for part in message.walk() if part is not message]


def same_type(said: Json, got: str | None) -> bool:
    """Whether a media type is the one that is said; parameters that a case leaves out may be there."""
    if said is None or got is None:
        return said is got
    essence, _, parameters = str(said).partition(";")
    if got.partition(";")[0].strip().lower() != essence.strip().lower():
        return False
    return not parameters or parameters.replace(" ", "").lower() in got.replace(" ", "").lower()


def same_part(said: JsonObject, got: JsonObject) -> bool:
    """Whether a part is as a case says; a part without a media type is plain text (RFC 7578, 4.4)."""
    if said.get("name") != got["name"]:
        return False
    if "filename" in said and said["filename"] != got["filename"]:
        return False
    if "content_type" in said and not same_type(
        said["content_type"], str(got["content_type"] or "text/plain")
    ):
        return False
    if "json" in said and json.loads(str(got["text"])) != said["json"]:
        return False
    if "text" in said and said["text"] != got["text"]:
        return False
    if "base64" in said and said["base64"] != got["base64"]:
        return False
    headers = as_object(got["headers"])
    return all(headers.get(key.lower()) == value for key, value in as_object(said.get("headers")).items())


def fits(said: JsonObject, received: ReceivedRequest) -> bool:
    """Whether what arrived is what a case allows."""
    if "content_type" in said and not same_type(said["content_type"], received.header("content-type")):
        return False
    if "body" in said:
        return received.body.decode() == (said["body"] or "")
    if "body_base64" in said:
        return base64.b64encode(received.body).decode() == said["body_base64"]
    if "xml" in said:
        text = received.body.decode()
        held = str(said.get("body_contains", "")) in text
        return held and plain_xml(text) == plain_xml(str(said["xml"]))
    if "body_json" in said:
        return json.loads(received.body) == said["body_json"]
    if "parts" in said:
        parts, wanted = parts_of(received), [as_object(part) for part in as_array(said["parts"])]
        return len(parts) == len(wanted) and all(map(same_part, wanted, parts))
    return True


@pytest.mark.promise("O3", "O8")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(as_object(case)["id"]))
@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_is_written_as_the_specification_says(case: JsonObject, wire: LoopbackServer) -> None:
    """The body arrives as described, or is refused where nothing may be sent."""
    registry = ToolRegistry()
    registry.add_document(document(case), namespace="w", options=DocumentOptions(base_url=wire.url))
    (tool,) = registry.list()
    given = arguments(case, plan_of(registry, tool.name))
    executor = ToolExecutor(registry)
    before = len(wire.requests)
    result: ToolResult | None = None
    try:
        call = ToolCall(id="c", name=tool.name, arguments=json.dumps(given))
        result = await executor.execute(call, make_call())
    except InterlockError:
        pass
    finally:
        await executor.aclose()
    expected = [as_object(one) for one in as_array(case.get("expect_any", [case.get("expect")]))]
    if len(wire.requests) == before:
        said = result.text if result is not None else ""
        assert any(one.get("refused") for one in expected), f"refused: {said}"
        return
    received = wire.requests[-1]
    sent = [one for one in expected if not one.get("refused")]
    shown = (received.header("content-type"), received.body.decode("utf-8", "replace"))
    assert any(fits(one, received) for one in sent), f"{shown} is none of {sent}"
