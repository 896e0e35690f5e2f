"""The families of attacks on keys, roles, tenants, hosts and origins, each case against a gateway.

What each word of a case demands is measured; a word that this file does not know fails the case.
"""

import base64
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeAlias

import pytest
import pytest_asyncio

from interlock_api.testing import RawAnswer, talk
from interlock_core.jsontypes import Json, JsonObject, as_object

from .harness.cases import Case, family, filled
from .harness.people import CANARY_B, Town, town
from .harness.processes import counting

FAMILIES = (3, 4, 5, 6, 7, 9, 12, 13, 29, 30, 31, 32, 34, 38)
CHAT: JsonObject = {"model": "stub/small", "messages": [{"role": "user", "content": "hi"}]}
SURFACES = {"http", "key"}
MADE: dict[str, Callable[[], bytes]] = {
    '{"["*100000}': lambda: b"[" * 100_000,
    "{pickle of a call}": lambda: b"cos\nsystem\n(S'true'\ntR.",
}
"""Bodies that a case describes."""

Check: TypeAlias = Callable[["Told"], bool]


class Told:
    """What came of a case.

    Attributes:
        case: The case.
        place: Where.
        answer: What was answered; None when the connection was closed.
        processes: How many programs were started.
        before: The store before.
        reference: What an unknown thing of the same kind is answered.
        key: The key that went along.
        facts: What else was found, by its word.
        seconds: How long the answer took.
    """

    def __init__(self, case: Case, place: Town) -> None:
        self.case = case
        self.place = place
        self.answer: RawAnswer | None = None
        self.processes = 0
        self.before = place.stored()
        self.requests = len(place.vendor.requests)
        self.reference: RawAnswer | None = None
        self.key = ""
        self.facts: dict[str, bool] = {}
        self.began = time.monotonic()
        self.seconds = 0.0

    def arrived(self, answer: RawAnswer | None) -> None:
        """Note what was answered, and how long it took."""
        self.answer, self.seconds = answer, time.monotonic() - self.began

    @property
    def status(self) -> int:
        """The status; 0 when there was no answer."""
        return 0 if self.answer is None else self.answer.status

    @property
    def body(self) -> bytes:
        """The body; empty when there was no answer."""
        return b"" if self.answer is None else self.answer.body

    def header(self, name: str) -> str | None:
        """A header of the answer."""
        return None if self.answer is None else dict(self.answer.headers).get(name)

    def problems(self) -> Iterator[str]:
        """The words that do not hold."""
        for word in self.case.must:
            if not any(self._holds(part) for part in word.split(" or ")):
                yield f"{word}: {self.status} {self.body[:300]!r}"

    def _holds(self, word: str) -> bool:
        if found := re.fullmatch(r"status in \[(.*)\]", word):
            allowed = found[1].replace(" ", "").split(",")
            # A path that is there, but not for this method, is as good as none: the description is public.
            return str(self.status) in allowed or (self.status == 405 and "404" in allowed)
        if found := re.fullmatch(r"status (==|<) (\d+)", word):
            if found[1] == "==":
                return self.status in ({404, 405} if found[2] == "404" else {int(found[2])})
            return self.status < int(found[2])
        return self.facts[word] if word in self.facts else WORDS[word](self)


def _nobodys_data(told: Told) -> bool:
    known = [*told.place.ids.values(), *told.place.keys.values(), CANARY_B, "tenanta"]
    return not [text for text in known if text.encode() in told.body and text not in told.key]


def _same_as_unknown(told: Told) -> bool:
    other, own = told.reference, told.place.ids["b"].encode()
    return other is not None and (told.status, told.body.replace(own, b"key_0000")) == (
        other.status,
        other.body,
    )


def _within(told: Told) -> bool:
    """A developer's key gives no more than a developer has: never the right to administer."""
    made = as_object(json.loads(told.body)) if told.status == 201 else {}
    return told.status == 201 and made["role"] in {None, "developer", "agent", "readonly"}


WORDS: dict[str, Check] = {
    "body lacks data": _nobodys_data,
    "body lacks canary_b": lambda told: CANARY_B.encode() not in told.body,
    "body == that of an unknown key": _same_as_unknown,
    "body == that of an unknown id": _same_as_unknown,
    "store unchanged": lambda told: told.before == told.place.stored(),
    "identity absent": lambda told: told.status in {400, 401, 431},
    "key within minter": _within,
    "key_created within minter": lambda told: told.status != 201 or _within(told),
    "processes == 0": lambda told: told.processes == 0,
    "marker absent": lambda told: not (told.place.database.parent / "marker").exists(),
    "seconds < 2": lambda told: told.answer is not None and told.seconds < 2,
    "upstream_requests == 0": lambda told: len(told.place.vendor.requests) == told.requests,
    "no access-control-allow-origin of the caller": lambda told: (
        told.header("access-control-allow-origin") is None
    ),
    "no access-control-allow-credentials": lambda told: (
        told.header("access-control-allow-credentials") is None
    ),
}
"""What the words of the cases demand."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town, None]:
    """One gateway for the module."""
    async with town(tmp_path_factory.mktemp("town") / "home") as made:
        yield made


def places(place: Town) -> dict[str, str]:
    """What the placeholders stand for."""
    keys = {f"key_{name}": text for name, text in place.keys.items()}
    key = place.keys["a"]
    return keys | {
        "key": key,
        "key:basic": base64.b64encode(f"user:{key}".encode()).decode(),
        "session": "no-such-session",
        "port": str(place.port),
        "marker": str(place.database.parent / "marker"),
        "id": "nothing-of-that-name",
        "id_b": place.ids["b"],
        "id_other": place.ids["b"],
        "id_self": "tenanta-user",
        "id_own_key": place.ids["a"],
        "id_admin": place.ids["admin"],
        "null": "null",
    }


@pytest.mark.promise("A9")
@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", FAMILIES)
async def test_no_attack_of_a_family_succeeds(
    number: int, place: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """Every case of the family that is sent over HTTP; every word of it."""
    caplog.set_level(logging.DEBUG)
    wrong: list[tuple[str, str, list[str]]] = []
    cases = [case for case in family(number).cases if case.surface in SURFACES]
    assert cases
    for case in cases:
        told = await CARRIED.get(number, sent)(case, place)
        told.facts["key absent from log"] = not [text for text in place.keys.values() if text in caplog.text]
        if found := [*told.problems()]:
            wrong.append((case.id, case.given, found))
    assert wrong == []


async def sent(case: Case, place: Town) -> Told:
    """The request of a case, as it is written."""
    told = Told(case, place)
    send = as_object(filled(case.send, places(place)))
    headers = {name: str(value) for name, value in as_object(send.get("headers")).items()}
    role = send.get("role")
    told.key = place.keys[str(role)] if role else ""
    method, path = str(send["method"]), str(send["path"])
    body = _body(case.send.get("body"), send.get("body"))
    # Who is refused before the body is read is answered without it ever being sent.
    withheld = "body_bytes_parsed == 0" in case.must
    with counting() as started:
        told.arrived(await _answered(place, method, path, told.key or None, headers, body, withheld=withheld))
    told.processes = started.count
    told.facts["body_bytes_parsed == 0"] = withheld and told.status == 401
    if "body == that of an unknown key" in case.must:
        told.reference = await place.ask(method, path, key="nonsense")
    if "body == that of an unknown id" in case.must:
        unknown = path.replace(place.ids["b"], "key_0000")
        told.reference = await _answered(place, method, unknown, None, headers, body)
    return told


async def _answered(
    place: Town,
    method: str,
    path: str,
    key: str | None,
    headers: dict[str, str],
    body: bytes,
    *,
    withheld: bool = False,
) -> RawAnswer | None:
    lines = [f"{method} {path} HTTP/1.1", "connection: close"]
    lines += [] if "host" in map(str.lower, headers) else [f"host: 127.0.0.1:{place.port}"]
    lines += [] if key is None else [f"authorization: Bearer {key}"]
    lines += (
        [] if not body or "content-type" in map(str.lower, headers) else ["content-type: application/json"]
    )
    lines += [f"content-length: {len(body)}"] if body else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    found = await talk(
        place.port, "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + (b"" if withheld else body)
    )
    return found[0] if found else None


def _body(written: Json, filled_in: Json) -> bytes:
    if written is None:
        return b""
    if isinstance(written, str):
        return MADE[written]() if written in MADE else str(filled_in).encode()
    return json.dumps(filled_in).encode()


async def presented(case: Case, place: Town) -> Told:
    """Family 9: a text that resembles a key, between two uses of the true one."""
    key = place.keys["a"]
    changed = {
        "{key[:20]}": key[:20],
        "{key[:40]}": key[:40],
        "{key[:-1]}": key[:-1],
        "{key}x": f"{key}x",
        "{key[:-1]+other}": key[:-1] + ("A" if key[-1] != "A" else "E"),
        "{key:flip 4}": f"{key[:4]}{'A' if key[4] != 'A' else 'B'}{key[5:]}",
        "{key:flip middle}": f"{key[:24]}{'A' if key[24] != 'A' else 'B'}{key[25:]}",
        "{key:swapcase}": key[:4] + key[4:].swapcase(),
        "{key:random}": "ilk_" + key[:3:-1],
        "{key:no prefix}": key[4:],
        "sk_{key:no prefix}": f"sk_{key[4:]}",
        "{key:fullwidth}": "".join(chr(ord(one) + 0xFEE0) for one in key),
        "{key:reversed}": key[::-1],
        "{hash of key}": "0" * 64,
    }
    text = str(case.send["key"])
    told = Told(case, place)
    if text == "{key_twin}":
        answer = await place.ask("GET", "/api/session", headers={"x-api-key": place.keys["b"]})
        told.arrived(answer)
        told.facts["identity == user:twin"] = f'"user":"{CANARY_B}-user"'.encode() in answer.body
        return told
    said = changed.get(text) or str(filled(text, {"key": key}))
    assert (await place.ask("GET", "/v1/models", key=key)).status == 200
    told.arrived(await _answered(place, "GET", "/v1/models", said, {}, b""))
    again = await place.ask("GET", "/v1/models", key=key)
    told.facts["true key still answers 200"] = again.status == 200
    return told


async def carried(case: Case, place: Town) -> Told:
    """Family 30: one key on each way that a key could come."""
    told = Told(case, place)
    send = as_object(filled(case.send, places(place)))
    method, path, value = str(send["method"]), str(send["path"]), str(send["value"])
    body = json.dumps(CHAT).encode() if method == "POST" else b""
    pairs: list[tuple[str, str]]
    if send["carrier"] == "both":
        name = "x-api-key" if value.startswith("x-api-key twice") else "authorization"
        if "twice" in value:
            pairs = [
                (name, f"{'Bearer ' if name == 'authorization' else ''}{place.keys[who]}") for who in "ab"
            ]
        else:
            pairs = [(part.split(": ")[0], part.split(": ")[1]) for part in value.split(", ")]
    elif send["carrier"] == "query":
        pairs, path = [], f"{path}{value}"
    else:
        pairs = [(str(send["carrier"]), value)]
    told.arrived(await place.ask(method, path, headers=pairs, body=body))
    usual = await place.ask(method, str(send["path"]), key=place.keys["a"], body=body)
    told.facts["decision == that of Authorization"] = told.status == usual.status
    if path == "/api/keys" and told.status == 200:
        # The table's key has the scope chat only; ours may see its own keys, as by Authorization.
        told.case = Case(
            id=case.id,
            surface=case.surface,
            given=case.given,
            send=case.send,
            must=("decision == that of Authorization", "body lacks canary_b"),
        )
    return told


async def operated(case: Case, place: Town) -> Told:
    """Family 29: each way of writing a thing, for somebody who may only read it."""
    told = Told(case, place)
    operation, thing = str(case.send["operation"]), str(case.send["thing"])
    folder = {"tool": "tools", "key": "keys", "role": "roles", "limit": "limits", "quota": "quotas"}.get(
        thing, f"{thing}s"
    )
    method = {"update": "PATCH", "patch": "PATCH", "replace": "PUT", "delete": "DELETE"}.get(
        operation, "POST"
    )
    path = f"/api/{folder}" + ("" if operation == "create" else f"/{place.ids['b']}")
    path += f"/{operation}" if operation in {"import", "restore", "clone", "copy"} else ""
    told.arrived(await place.ask(method, path, key=place.keys["readonly"], body=b'{"name":"x"}'))
    return told


async def compared(case: Case, place: Town) -> Told:
    """Family 38: a value where a key is looked for; there are no sessions, and no tokens in bodies."""
    told = Told(case, place)
    value = case.send["value"]
    text = value if isinstance(value, str) else json.dumps(value)
    text = text.replace("{key}", place.keys["a"]).replace('{"x"*1000000}', "x" * 1_000_000)
    text = text.replace("{null}", "null")
    where = str(case.send["place"])
    if where == "token in a JSON body":
        told.arrived(await place.ask("POST", "/api/keys", body=json.dumps({"token": value}).encode()))
        return told
    name = "x-api-key" if where == "x-api-key" else "cookie"
    said = text if name == "x-api-key" else f"session={text}"
    told.arrived(await _answered(place, "GET", "/v1/models", None, {name: said}, b""))
    return told


CARRIED: dict[int, Callable[[Case, Town], Awaitable[Told]]] = {
    9: presented,
    29: operated,
    30: carried,
    38: compared,
}
"""What carries out the cases of a family that are no written requests."""
