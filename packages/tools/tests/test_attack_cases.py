"""Every attack on the building of requests ends as its case says, seen by a server that stands for the API.

The cases stand in `cases/attacks.json`; they were written apart from the code. The API is a server with a
certificate for `api.example.test` on loopback; a resolver knows its names and no other, and remembers who
was asked for. The document's own servers are used, with the port of that server behind the API's names.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.errors import InterlockError
from interlock_core.http import Egress
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry, load_text
from interlock_tools.openapi._plan import RequestPlan

from .certificates import authority
from .reading_attacks import broken

CASES = cast("list[JsonObject]", json.loads((Path(__file__).parent / "cases" / "attacks.json").read_bytes()))
API = "https://api.example.test"
OWN_NAMES = ("api.example.test", "acme.example.test")
STORED = "stored-and-secret"


@dataclass
class Names:
    """A resolver: the API's names lead to its server, those of the case where it says, no other anywhere.

    Attributes:
        given: Answers of the case, in turn; the last one stays.
        asked: Every name that was asked for, but for those of the API.
    """

    given: dict[str, list[list[str]]] = field(default_factory=dict[str, list[list[str]]])
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name."""
        if host in OWN_NAMES:
            return ["127.0.0.1"]
        self.asked.append(host)
        answers = self.given.get(host)
        if not answers:
            raise OSError(f"{host} is unknown")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoopbackServer]:
    """The API, which every client of this module trusts."""
    one = authority(tmp_path_factory.mktemp("authority"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(one.file))
        async with LoopbackServer(tls=one.serving(*OWN_NAMES)) as running:
            yield running


def with_port(value: Json, port: int) -> Json:
    """A value with the port of the API's server behind the API's names."""
    if isinstance(value, dict):
        return {key: with_port(item, port) for key, item in value.items()}
    if isinstance(value, list):
        return [with_port(item, port) for item in value]
    if value == "api.example.test":
        return f"{value}:{port}"
    if isinstance(value, str):
        for name in (
            API,
            "http://rebind.example.test",
            "https://{t}.example.test",
            "{scheme}://api.example.test",
        ):
            if value == name or value.startswith(f"{name}/"):
                return f"{name}:{port}{value[len(name) :]}"
    return value


def options(document: JsonObject, case: JsonObject, origin: str) -> DocumentOptions:
    """What the operator wrote: variables, and a credential where the document has a place for one."""
    schemes = as_object(as_object(document.get("components")).get("securitySchemes"))
    return DocumentOptions(
        variables={key: str(value) for key, value in as_object(case.get("server_variables")).items()},
        credentials=dict.fromkeys(schemes or (["bearer"] if "document_url" in case else []), "stored"),
        credential_origins=(origin,),
    )


def arguments(case: JsonObject, plan: RequestPlan) -> JsonObject:
    """The arguments of the case by the tool's names; what the tool does not have stays as it is."""
    names = {slot.parameter.name: slot.argument for slot in plan.slots}
    made = {names.get(name, name): value for name, value in as_object(case["arguments"]).items()}
    if "body" not in case:
        return made
    if plan.body is None or plan.body.argument is not None:
        return {**made, (plan.body.argument if plan.body and plan.body.argument else "body"): case["body"]}
    fields = {name: argument for argument, name in plan.body.properties}
    return {**made, **{fields.get(name, name): value for name, value in as_object(case["body"]).items()}}


def answering(case: JsonObject, port: int) -> Answer | None:
    """What the server says first, if the case says it."""
    if "answer" not in case:
        return None
    said = as_object(with_port(case["answer"], port))
    headers = as_object(said["headers"])
    return Answer(status=int(str(said["status"])), headers=tuple((k, str(v)) for k, v in headers.items()))


async def attacked(case: JsonObject, api: LoopbackServer, names: Names) -> tuple[ToolResult | str, bool]:
    """What became of the case: the result, or why there is none; and whether it ended in an error."""
    document = as_object(with_port(case["document"], api.port))
    origin = f"{API}:{api.port}"
    first = answering(case, api.port)
    own_target = "/v1/x"

    def serve(request: ReceivedRequest) -> Answer:
        return first if first is not None and request.target == own_target else json_answer({"ok": True})

    api.handler = serve
    api.requests.clear()
    egress = Egress(
        allowed_origins=[f"https://{name}:{api.port}" for name in OWN_NAMES],
        allow_private=rebinds(case),
        resolver=names,
    )
    registry = ToolRegistry()
    executor = ToolExecutor(registry, secrets=MemorySecrets({"stored": STORED}), egress=egress)
    try:
        loaded = load_text(json.dumps(document), address=str(case.get("document_url", "")))
        info = registry.add_document(loaded, namespace="n", options=options(document, case, origin))
        if info.skipped or not registry.list():
            return "; ".join([*(one.reason for one in info.skipped), *map(str, info.problems)]), True
        (tool,) = registry.list()
        found = registry.tool(tool.name)
        assert isinstance(found, tuple)
        call = ToolCall(id="c", name=tool.name, arguments=json.dumps(arguments(case, found[1].plan)))
        result = await executor.execute(call, make_call())
    except InterlockError as error:
        return f"{error}", True
    finally:
        await executor.aclose()
    return result, result.is_error


@pytest.mark.promise("O3", "O8")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(as_object(case)["id"]))
@pytest.mark.asyncio(loop_scope="module")
async def test_an_attack_ends_as_it_must(case: JsonObject, api: LoopbackServer) -> None:
    """Nothing leaves, or what leaves stays where the document put it."""
    names = Names({key: _answers(value, case) for key, value in as_object(case.get("resolver")).items()})
    outcome, failed = await attacked(case, api, names)
    said = outcome if isinstance(outcome, str) else outcome.text
    must = case["must"]
    assert set(names.asked) <= set(as_object(case.get("resolver"))), f"looked up {names.asked}"
    stay = as_object(must).get("stay") if must != "refuse" else None
    if failed and (stay is None or as_object(stay).get("or_refuse")):
        code = outcome.error_code if isinstance(outcome, ToolResult) else ""
        followed = "answer" in case
        assert followed or not api.requests, f"sent {api.requests[0].target} before it was refused: {said}"
        assert followed or code not in {"upstream", "upstream_connection", "upstream_timeout"}, said
        assert len(said) > 20
        assert STORED not in said
        if followed and case["id"] != "redirect-loop":
            assert len(api.requests) == 1
        return
    assert stay is not None, f"not refused: {[one.target for one in api.requests]}"
    assert not failed, said
    wrong = broken(as_object(stay), api.requests, document_port=api.port)
    assert not wrong, f"{wrong}; {api.requests[-1]}"


def _answers(value: Json, case: JsonObject) -> list[list[str]]:
    """The addresses of a case; where one is dialled, loopback stands for it, and a worse one for loopback."""
    stands = {"93.184.216.34": "127.0.0.1", "127.0.0.1": "169.254.169.254"} if rebinds(case) else {}
    turns = ([str(address) for address in as_array(turn)] for turn in as_array(value))
    return [[stands.get(address, address) for address in turn] for turn in turns]


def rebinds(case: JsonObject) -> bool:
    """Whether a name of the case leads elsewhere when it is asked for again."""
    return any(len(as_array(turns)) > 1 for turns in as_object(case.get("resolver")).values())
