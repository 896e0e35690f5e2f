"""Every way in: the gateway's dialects, whole and streamed, `/mcp`, and the command line in its own process.

A house is opened with one guard set so that it must refuse, or with none, so that each way is seen to work.
"""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client, MCPError
from mcp.client import Transport
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from interlock_api import running
from interlock_api.testing import talk
from interlock_core import Json, JsonObject, Principal
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_core.testing import LoopbackServer, json_answer
from interlock_providers.testing import OpenAIServer
from interlock_runtime import KeyRequest, Runtime
from interlock_runtime.configuration import load

from .egress import document

CANARY = "canary-0f9be2671d34"
TOOL = "api.one"
_FIXED = """
[providers.stub]
kind = "openai"
base_url = "{url}"
api_key = "sk-surfaces"
models = ["small"]

[providers.local]
kind = "local"
enabled = false

[models."stub/small"]
input_usd = 1
output_usd = 1

[tools.api]
source = "{folder}/api.json"
base_url = "{api}"
credential = "{canary}"

[roles.powerless]

[users."{user}"]
roles = ["{role}"]
"""
_SPENT = """
[[quotas]]
scope = "user"
name = "*"
day_usd = 0.000001

[[quotas]]
scope = "tool"
name = "api.*"
day_usd = 0.001
call_usd = 0.01
"""
_COUNTED = """
[[limits]]
scope = "global"
kind = "requests"
limit = 1
window = "7d"
"""
GUARDS = {"none": "", "permission": "", "quota": _SPENT, "limit": _COUNTED, "audit": ""}
"""What the configuration says where a guard shall refuse."""

_MESSAGES: list[Json] = [{"role": "user", "content": "hi"}]
_SERVER: JsonObject = {"type": "mcp", "server_label": "x", "server_url": "https://public.example/mcp"}
_RESPONSE: JsonObject = {"model": "stub/small", "input": "hi"}
BODIES: dict[str, JsonObject] = {
    "/v1/chat/completions": {"model": "stub/small", "messages": _MESSAGES},
    "/v1/responses": _RESPONSE,
    "/v1/responses?mcp": {**_RESPONSE, "max_output_tokens": 100, "tools": [_SERVER]},
    "/v1/messages": {"model": "stub/small", "max_tokens": 5, "messages": _MESSAGES},
    "/v1/embeddings": _RESPONSE,
}


@dataclass(slots=True)
class Said:
    """What came of one call.

    Attributes:
        status: HTTP status, or the exit code of a program.
        code: The code of its error; empty where it went well.
        text: All that was said.
    """

    status: int
    code: str
    text: str


@dataclass(slots=True)
class Ways:
    """A house with its ways in.

    Attributes:
        folder: Where its data and configuration are.
        runtime: What the gateway serves.
        port: Where.
        key: That of the caller.
        vendor: The provider `stub`.
        api: The API behind the tool.
    """

    folder: Path
    runtime: Runtime
    port: int
    key: str
    vendor: OpenAIServer
    api: LoopbackServer

    def upstream(self) -> int:
        """How many requests reached the vendor or the API."""
        return len(self.vendor.requests) + len(self.api.requests)

    async def post(self, path: str, body: JsonObject) -> Said:
        """One request over HTTP; an error that a stream tells is one."""
        return await self.ask("POST", path, json.dumps(body).encode())

    async def ask(self, method: str, path: str, sent: bytes = b"", **headers: str) -> Said:
        """One request over HTTP; an underscore in a header's name stands for a hyphen."""
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", "connection: close"]
        given = {
            "authorization": f"Bearer {self.key}",
            "content_type": "application/json",
            "accept": "application/json, text/event-stream",
            "content_length": str(len(sent)),
        } | headers
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
        (answer,) = await talk(self.port, "\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
        text = answer.body.decode("utf-8", "replace")
        return Said(answer.status, _error_of(answer.status, text), text)

    async def command(self, *words: str, stdin: bytes = b"") -> Said:
        """The command line on the same data, to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "interlock_cli", "--json", *words),
            env=self.environment(),
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        text = out.decode() or "{}"
        error = as_object(as_object(parse_json(text)).get("error"))
        return Said(process.returncode or 0, as_text(error.get("code")) or "", f"{text}{err.decode()}")

    def environment(self) -> dict[str, str]:
        """The variables of a program on the same data."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        return kept | _environment(self.folder)

    async def stdio(self, tool: str) -> Said:
        """The official client, which starts `interlock mcp` and calls a tool."""
        path = os.pathsep.join(entry for entry in sys.path if entry)
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "interlock_cli", "mcp"],
            env=_environment(self.folder) | {"PYTHONPATH": path},
            cwd=str(self.folder),
        )
        with (self.folder / "words").open("w") as words:
            return await _called(stdio_client(parameters, errlog=words), tool, {})

    async def mcp(self, tool: str, arguments: JsonObject | None = None, *, key: str = "") -> Said:
        """The official client at `/mcp`."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"http://127.0.0.1:{self.port}/mcp", http_client=http)
            return await _called(transport, tool, arguments or {})

    async def through(self, path: str) -> Said:
        """Use one way in, as a table names it."""
        if path == "/mcp":
            return await self.mcp(TOOL)
        if path == "interlock mcp":
            return await self.stdio(TOOL)
        if path == "interlock tools call":
            return await self.command("tools", "call", TOOL)
        if path == "interlock ask":
            return await self.command("ask", "-m", "stub/small", "hi")
        if path.endswith("?stream"):
            path = path.removesuffix("?stream")
            return await self.post(path, {**BODIES[path], "stream": True})
        body = BODIES.get(path, {"model": "stub/small", "input": "hi"})
        return await self.post(path.removesuffix("?mcp"), body)


async def _called(transport: Transport, tool: str, arguments: JsonObject) -> Said:
    """Call a tool as the official client does."""
    async with Client(transport, cache=None) as client:
        try:
            result = await client.call_tool(tool, dict(arguments))
        except MCPError as error:
            return Said(1, "error", str(error))
    return Said(int(result.is_error), "error" if result.is_error else "", str(result))


def _error_of(status: int, text: str) -> str:
    """The code of an error, by any dialect; `error` where it has none."""
    if (
        status < 400
        and '"isError":true' not in text.replace(" ", "")
        and '"error":{' not in text.replace(" ", "")
    ):
        return ""
    try:
        told = as_object(parse_json(text))
    except ValueError:
        return "error"
    error = as_object(told.get("error"))
    found = (
        error.get("code") or as_object(error.get("data")).get("code") or error.get("type") or told.get("code")
    )
    return as_text(found) or "error"


def _environment(folder: Path) -> dict[str, str]:
    return {
        "INTERLOCK_HOME": str(folder / "home"),
        "INTERLOCK_CONFIG": str(folder / "config.toml"),
        "XDG_CONFIG_HOME": str(folder / "none"),
    }


def _laid(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, "utf-8")


def _close_the_log(database: Path) -> None:
    """From here on no record of the audit log can be written, by any process."""
    with closing(sqlite3.connect(database)) as raw:
        raw.execute(
            "CREATE TRIGGER closed BEFORE INSERT ON audit_records BEGIN SELECT RAISE(ABORT, 'closed'); END"
        )
        raw.commit()


@asynccontextmanager
async def ways(
    folder: Path, guard: str = "none", *, more: str = "", role: str = ""
) -> AsyncGenerator[Ways, None]:
    """Open a house.

    Args:
        folder: Made for it.
        guard: Which of `GUARDS` is set so that it must refuse.
        more: Further text of the configuration; `{api}` stands for the address of the API.
        role: The role of whoever calls; by the guard when empty.
    """
    from interlock_runtime._access import local_user

    held = role or ("powerless" if guard == "permission" else "admin")
    async with (
        OpenAIServer(models=("small",), key="sk-surfaces") as vendor,
        LoopbackServer(lambda _: json_answer({})) as api,
    ):
        _laid(folder / "api.json", json.dumps(document(api.url)))
        text = _FIXED.format(
            url=vendor.url, api=api.url, folder=folder, canary=CANARY, user=local_user(), role=held
        )
        (folder / "config.toml").write_text(text + GUARDS[guard] + more.replace("{api}", api.url), "utf-8")
        environment = _environment(folder)
        async with Runtime.open(load(environment), environment=environment, open_paths=False) as runtime:
            wish = KeyRequest(name="caller", user="caller", role=held)
            boss = Principal(user="system", roles=frozenset({"admin"}))
            made = await runtime.access.create_key(wish, by=boss)
            async with running(runtime) as address:
                port = int(address.rpartition(":")[2])
                if guard == "audit":
                    _close_the_log(folder / "home" / "interlock.db")
                yield Ways(folder, runtime, port, str(made["key"]), vendor, api)
