"""Every role at every endpoint, every tenant beside another, and every field that no endpoint knows.

The operations come from the interface's own description; what is expected stands in `roles.toml`, which is
written by hand.
"""

import json
import re
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import jsonschema
import pytest
import pytest_asyncio

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text, parse_json

from .harness.people import CANARY_B, Town, town
from .harness.processes import counting

TABLE = Path(__file__).parent / "roles.toml"
UNDESCRIBED = (
    *("GET /openapi.json", "GET /metrics", "GET /v1/models", "POST /v1/chat/completions"),
    *("POST /v1/responses", "POST /v1/messages", "POST /v1/embeddings"),
)
MAY = {
    "everybody": {"admin", "developer", "agent", "readonly", "powerless"},
    "models": {"admin", "developer", "agent", "readonly"},
    "read": {"admin", "developer", "readonly"},
    "own": {"admin", "developer"},
    "admin": {"admin"},
}
"""The roles that a group of `roles.toml` lets in."""

BODIES: dict[str, JsonObject] = {
    "POST /v1/chat/completions": {"model": "stub/small", "messages": [{"role": "user", "content": "hi"}]},
    "POST /v1/responses": {"model": "stub/small", "input": "hi"},
    "POST /v1/messages": {
        "model": "stub/small",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "POST /v1/embeddings": {"model": "stub/small", "input": "hi"},
}
HOSTILE: tuple[JsonObject, ...] = (
    *({"role": "admin"}, {"roles": ["admin"]}, {"is_admin": True}, {"id": "key_admin"}, {"user_id": "admin"}),
    *({"tenant": "b"}, {"org": "b"}, {"spent": 0}, {"created_by": "system"}, {"key": "ilk_chosen"}),
    *({"hash": "0" * 64}, {"permissions": {"allow": ["*"]}}, {"verified": True}, {"__proto__": {"a": 1}}),
    *({"command": "touch", "args": ["x"]}, {"transport": "stdio"}, {"api_base": "https://evil.example"}),
    *({"base_url": "https://evil.example"}, {"extra_headers": {"Host": "evil.example"}}),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town, None]:
    """One gateway for the module."""
    async with town(tmp_path_factory.mktemp("town") / "home") as made:
        yield made


def operations(described: JsonObject) -> dict[str, JsonObject]:
    """Every operation of a description, by `METHOD /path`."""
    return {
        f"{method.upper()} {path}": as_object(operation)
        for path, entry in as_object(described["paths"]).items()
        for method, operation in as_object(entry).items()
    }


def table() -> dict[str, str]:
    """The group of every operation."""
    groups = cast("dict[str, list[str]]", tomllib.loads(TABLE.read_text("utf-8")))
    found = {operation: group for group, listed in groups.items() for operation in listed}
    assert len(found) == sum(map(len, groups.values())), "an operation stands in two groups"
    return found


def target(path: str) -> str:
    """A path whose parameters name nothing that is there."""
    return re.sub(r"\{[^}]*\}", "nothing-of-that-name", path)


@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
async def test_every_role_at_every_endpoint(place: Town) -> None:
    """Each cell: who may not is told 403, who is nobody 401; who may gets as far as the endpoint itself."""
    groups = table()
    known = {*operations(await place.described()), *UNDESCRIBED}
    assert sorted(known - groups.keys()) == [], "operations without a row in roles.toml"
    assert sorted(groups.keys() - known) == [], "rows without an operation"
    before, cells, wrong = place.stored(), 0, list[str]()
    for operation, group in sorted(groups.items()):
        method, _, path = operation.partition(" ")
        body = json.dumps(BODIES.get(operation, {})).encode() if method in {"POST", "PUT", "PATCH"} else b""
        for role in ("none", "unknown", "revoked", "powerless", "readonly", "agent", "developer", "admin"):
            if role in MAY[group] and path.endswith("/events"):
                continue  # a stream that does not end
            answer = await place.ask(method, target(path), key=place.keys.get(role), body=body)
            cells += 1
            if role in {"none", "unknown", "revoked"}:
                right = answer.status == 401
            elif role in MAY[group]:
                right = answer.status not in {401, 403} and answer.status <= 501
            else:
                right = answer.status == 403
            if not right:
                wrong.append(f"{role}: {operation} answered {answer.status}: {answer.body[:200]!r}")
    assert wrong == []
    assert cells >= 8 * len(groups) - 8
    assert place.stored() == before


@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("who", ["a", "readonly", "agent", "powerless"])
async def test_nobody_sees_what_is_another_tenants(place: Town, who: str) -> None:
    """No identifier of tenant b in any answer, with whatever filter; by its id, it does not exist."""
    secrets = [CANARY_B.encode(), place.ids["b"].encode(), place.ids["b2"].encode(), place.keys["b"].encode()]
    ids = (place.ids["b"], f"{CANARY_B}-user", f"{CANARY_B}-team")
    for operation in sorted(operations(await place.described())):
        method, _, path = operation.partition(" ")
        if method != "GET" or path.endswith("/events"):
            continue
        targets = [re.sub(r"\{[^}]*\}", name, path) for name in ids] if "{" in path else [path]
        for asked in targets:
            for query in (
                "",
                f"?user={CANARY_B}-user",
                f"?team={CANARY_B}-team",
                "?user=*",
                "?team=",
                "?limit=500",
            ):
                answer = await place.ask("GET", f"{asked}{query}", key=place.keys[who])
                body = answer.body.replace(asked.encode(), b"").replace(query[6:].encode() or b"\0", b"")
                assert [secret for secret in secrets if secret in body] == [], (asked, query, answer.body)


@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_not_ones_own_is_answered_like_what_is_not_there(place: Town) -> None:
    """The same status and the same bytes, but for the id that was asked for."""
    for method in ("GET", "DELETE"):
        foreign = await place.ask(method, f"/api/keys/{place.ids['b']}", key=place.keys["a"])
        nothing = await place.ask(method, "/api/keys/key_0000", key=place.keys["a"])
        assert foreign.body.replace(place.ids["b"].encode(), b"key_0000") == nothing.body
        assert foreign.status == nothing.status
        assert foreign.status == 404
    own = await place.ask("GET", f"/api/keys/{place.ids['a']}", key=place.keys["a"])
    assert own.status == 200


@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_field_that_an_endpoint_does_not_know_is_refused(place: Town) -> None:
    """Every field of every schema, and those that attackers try; nothing is stored."""
    described = await place.described()
    schemas = as_object(as_object(described["components"])["schemas"])
    fields: set[str] = {
        name for schema in schemas.values() for name in as_object(as_object(schema).get("properties"))
    }
    before, tried = place.stored(), 0
    for operation, entry in sorted(operations(described).items()):
        method, _, path = operation.partition(" ")
        if method not in {"POST", "PUT", "PATCH", "DELETE"}:
            continue
        known = _fields(entry, schemas)
        every: JsonObject = dict.fromkeys(sorted(fields - known))
        for body in (every, *(body for body in HOSTILE if not body.keys() & known)):
            for who in ("admin", "a"):
                sent = json.dumps({"name": "x", **body} if "name" in known else body).encode()
                with counting() as started:
                    answer = await place.ask(method, target(path), key=place.keys[who], body=sent)
                tried += 1
                assert answer.status in ({400, 403} if who == "a" else {400}), (operation, body, answer.body)
                assert started.count == 0
                if known and answer.status == 400 and "errors" in as_object(parse_json(answer.body)):
                    errors = as_array(as_object(parse_json(answer.body))["errors"])
                    assert body.keys() <= {str(as_object(error)["field"]) for error in errors}
    assert tried > 200
    assert place.stored() == before


def _fields(operation: JsonObject, schemas: JsonObject) -> set[str]:
    """The fields of an operation's body."""
    content = as_object(as_object(operation.get("requestBody")).get("content"))
    schema = as_object(as_object(content.get("application/json")).get("schema"))
    name = (as_text(schema.get("$ref")) or "").rpartition("/")[2]
    return set(as_object(as_object(schemas.get(name)).get("properties")))


@pytest.mark.promise("G3")
@pytest.mark.asyncio(loop_scope="module")
async def test_answers_are_what_the_description_says(place: Town) -> None:
    """Every list and every single thing, held against its own schema, and errors against theirs."""
    described = await place.described()
    names = {"name": f"{CANARY_B}-user", "id": place.ids["b"], "user": f"{CANARY_B}-user"}
    for operation, entry in sorted(operations(described).items()):
        method, _, path = operation.partition(" ")
        if method != "GET" or path.endswith("/events"):
            continue
        own = names | ({"name": f"{CANARY_B}-team"} if path.startswith("/api/teams") else {})
        asked = path
        for parameter in re.findall(r"\{([^}]*)\}", path):
            asked = asked.replace("{" + parameter + "}", own.get(parameter, "1"))
        answer = await place.ask("GET", asked, key=place.keys["admin"])
        responses = as_object(entry["responses"])
        chosen = responses.get(str(answer.status)) or responses[f"{answer.status // 100}XX"]
        kind = dict(answer.headers)["content-type"].partition(";")[0]
        content = as_object(as_object(chosen)["content"])
        schema = as_object(content.get(kind) or content.get("application/json")).get("schema")
        if kind.endswith("json") and schema is not None:
            whole: JsonObject = {"components": described["components"], "allOf": [cast("Json", schema)]}
            jsonschema.validate(parse_json(answer.body), whole)
        if answer.status == 200 and "{" not in path and "items" in as_object(parse_json(answer.body)):
            assert as_array(as_object(parse_json(answer.body))["items"]) is not None


@pytest.mark.promise("A9")
@pytest.mark.asyncio(loop_scope="module")
async def test_no_key_is_wider_than_who_made_it(place: Town) -> None:
    """Each role and scope of a maker with each wish; the new key gets nowhere its maker does not."""
    roles = ("admin", "developer", "agent", "readonly", "powerless")
    scopes: tuple[list[str], ...] = (
        *([], ["manage:keys.own"], ["manage:*"], ["tool:*"], ["tool:github.*", "manage:keys.own"]),
        *(["model:stub/*", "manage:keys*"], ["effect:read", "manage:keys.own"]),
    )
    asked = ["GET /api/users", "GET /api/teams", "GET /api/keys", "GET /metrics"]
    chat = json.dumps(BODIES["POST /v1/chat/completions"]).encode()
    made = 0

    async def rights(text: str) -> set[str]:
        found: set[str] = set()
        for operation in asked:
            method, _, path = operation.partition(" ")
            if (await place.ask(method, path, key=text)).status == 200:
                found.add(operation)
        listed = await place.ask("GET", "/v1/models", key=text)
        assert listed.status == 200, listed.body
        models = as_object(parse_json(listed.body))
        found |= {f"model {as_object(entry)['id']}" for entry in as_array(models["data"])}
        answer = await place.ask("POST", "/v1/chat/completions", key=text, body=chat)
        return found | ({"chat"} if answer.status == 200 else set())

    for number, (role, own) in enumerate((role, own) for role in ("developer", "admin") for own in scopes):
        wish: JsonObject = {"name": f"m{number}", "role": role, "scopes": [*own], "user": "maker"}
        answer = await place.ask("POST", "/api/keys", key=place.keys["admin"], body=json.dumps(wish).encode())
        maker = str(as_object(parse_json(answer.body))["key"])
        held = await rights(maker)
        for wanted in (*roles, None):
            for narrowed in scopes:
                body = json.dumps({"name": "n", "role": wanted, "scopes": narrowed}).encode()
                answer = await place.ask("POST", "/api/keys", key=maker, body=body)
                if answer.status == 403:
                    continue
                assert answer.status == 201, answer.body
                made += 1
                got = await rights(str(as_object(parse_json(answer.body))["key"]))
                assert got <= held or (
                    not got & {"chat"} and got - held <= {f for f in got if f[:6] == "models"}
                )
    assert made > 20
