"""A gateway in this process, with a vendor and an API behind it, and what a client sends to it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from interlock_api import running
from interlock_api.testing import RawAnswer, talk
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ProviderSettings, ToolSettings

from .cases import Case, canary_places, filled
from .egress import document
from .network import Network, network
from .processes import counting
from .seen import Seen

CANARY = "canary-b1f0427d90ce"


@dataclass(slots=True)
class House:
    """A gateway and what is around it.

    Attributes:
        folder: For what a case leaves.
        runtime: What is served.
        port: Where the gateway listens.
        key: Its admin key.
        vendor: The provider `stub`.
        api: The API behind the one tool.
        net: Everything else.
        answers: What the last case was answered.
    """

    folder: Path
    runtime: Runtime
    port: int
    key: str
    vendor: OpenAIChatServer
    api: LoopbackServer
    net: Network
    answers: list[RawAnswer] = field(default_factory=list[RawAnswer])

    def places(self) -> dict[str, str]:
        """What the placeholders of a case stand for."""
        return canary_places(CANARY) | {
            "key": self.key,
            "port": str(self.port),
            "marker": str(self.folder / "marker"),
        }

    async def request(self, case: Case) -> RawAnswer:
        """Send the one request of a case; the good key goes along unless the case says otherwise."""
        send = as_object(filled(case.send, self.places()))
        headers = {str(name): str(value) for name, value in as_object(send.get("headers", {})).items()}
        known = {name.lower() for name in headers}
        if not known & {"authorization", "cookie", "x-api-key"} and "without a key" not in case.given:
            headers["Authorization"] = f"Bearer {self.key}"
        if "host" not in known:
            headers["Host"] = f"127.0.0.1:{self.port}"
        body = json.dumps(send["body"]).encode() if "body" in send else b""
        headers |= {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(body)),
            "connection": "close",
        }
        lines = [f"{send['method']} {send['path']} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.answers = await talk(self.port, "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body)
        return self.answers[0]


@asynccontextmanager
async def house(folder: Path) -> AsyncGenerator[House, None]:
    """Open a gateway whose provider holds the canary."""
    async with (
        OpenAIChatServer(models=("small",), key=CANARY) as vendor,
        LoopbackServer(lambda _: json_answer({})) as api,
        network(folder) as net,
    ):
        (folder / "api.json").write_text(json.dumps(document(api.url)), "utf-8")
        net.own |= {_port(vendor.url), api.port}
        stub = ProviderSettings(
            kind="openai-compatible", base_url=vendor.url, api_key=CANARY, models=("small",)
        )
        tool = ToolSettings(source=str(folder / "api.json"), base_url=api.url, credential=CANARY)
        settings = Settings(home=folder / "home", providers={"stub": stub}, tools={"api": tool})
        async with Runtime.open(settings, environment={}, open_paths=False) as runtime:
            await runtime.access.ensure_admin_key()
            secret = runtime.access.admin_key()
            assert secret is not None
            async with running(runtime) as address:
                port = _port(address)
                net.own.add(port)
                yield House(folder, runtime, port, secret.reveal(), vendor, api, net)


async def sent(case: Case, stage: House) -> Seen:
    """Send the request of a case, and see what it reached."""
    stage.vendor.requests.clear()
    stage.vendor.forget()
    stage.vendor.then(Say("ok"))
    stage.api.requests.clear()
    stage.net.plain.requests.clear()
    stage.net.secure.requests.clear()
    stage.net.looked_up.clear()
    stage.net.inner = 0
    before = len(stage.net.dialled)
    rows = await _kept(stage)
    with counting() as started:
        answer = await stage.request(case)
    text = answer.body.decode("utf-8", "replace")
    told = f"{answer.headers} {text}"
    elsewhere = stage.net.sent() + " ".join(f"{entry.headers} {entry.body!r}" for entry in stage.api.requests)
    return Seen(
        canary=CANARY,
        refused=answer.status >= 400 and bool(text),
        figures={
            "status": answer.status,
            "executed": len(stage.api.requests),
            "processes": started.count,
            "connections to evil.example": len(stage.net.dialled) - before,
            "connections to not public": stage.net.inner,
            "upstream_requests": len(stage.vendor.requests),
        },
        texts={"response": told, "network": elsewhere},
        facts={
            "host == stub": _only_the_stub(stage, answer),
            "canary only to stub": CANARY not in elsewhere,
            "canary not sent": CANARY not in elsewhere,
            "marker absent": not (stage.folder / "marker").exists(),
            "store unchanged": rows == await _kept(stage),
        },
    )


def _only_the_stub(stage: House, answer: RawAnswer) -> bool:
    """Whether the vendor answered, or nobody was asked; each request under the vendor's own name."""
    hosts = [
        value for entry in stage.vendor.requests for name, value in entry.headers if name.lower() == "host"
    ]
    refused = 400 <= answer.status < 500 and not stage.vendor.requests
    return set(hosts) == {f"127.0.0.1:{_port(stage.vendor.url)}"} or refused


def _port(url: str) -> int:
    return int(url.removesuffix("/v1").rpartition(":")[2])


async def _kept(stage: House) -> list[object]:
    """The keys, users and grants that are stored."""
    access = stage.runtime.access
    return [await access.keys(), await access.people.users()]


async def started_program(case: Case, stage: House) -> Seen:
    """A request asks for a program: as a server of its tool list."""
    argv = as_array(filled(case.send["argv"], stage.places()))
    tool = {"type": "mcp", "server_label": "wanted", "command": argv[0], "args": argv[1:], "argv": argv}
    body = {"model": "stub/small", "messages": [{"role": "user", "content": "hi"}], "tools": [tool]}
    request = {"method": "POST", "path": "/v1/chat/completions", "body": body}
    seen = await sent(
        Case(case.id, case.surface, case.given, as_object(json.loads(json.dumps(request))), case.must), stage
    )
    seen.refused = seen.refused and not stage.vendor.requests
    return seen
