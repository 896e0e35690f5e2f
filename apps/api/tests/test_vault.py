"""The vault over HTTP: values go in and never come out."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json, parse_json

if TYPE_CHECKING:
    from .conftest import Gate

pytestmark = pytest.mark.promise("O15")

VALUE = "canary-91be-value"


async def ask(
    gate: "Gate", method: str, path: str = "", body: JsonObject | None = None
) -> tuple[int, Json, str]:
    """Status, document and text of an answer."""
    content = b"" if body is None else dump_json(body).encode()
    headers = {} if body is None else {"content_type": "application/json"}
    answer = await gate.ask(method, f"/api/vault{path}", body=content, **headers)
    text = bytes(answer.body).decode()
    return answer.status, parse_json(text) if text else None, text


async def test_secrets_are_kept_listed_and_removed(gate: "Gate") -> None:
    """No answer repeats a value, and none tells its length."""
    bound: JsonObject = {"value": VALUE, "for": ["tools.github"], "hosts": ["api.github.com"]}
    made = await ask(gate, "PUT", "/team/github", bound)
    again = await ask(gate, "PUT", "/team/github", {"value": f"{VALUE}-2"})
    listed = await ask(gate, "GET")
    rotated = await ask(gate, "POST", "/rotate-key")
    former = await ask(gate, "DELETE", "/team/github@1")
    removed = await ask(gate, "DELETE", "/team/github")
    absent = await ask(gate, "DELETE", "/team/github")
    assert (made[0], as_object(made[1])["version"]) == (200, 1)
    assert as_object(again[1])["scope"] == {"for": ["tools.github"], "hosts": ["api.github.com"]}
    assert as_array(as_object(listed[1])["items"]) == [again[1]]
    assert as_object(rotated[1])["rewrapped"] == 2
    assert [answer[0] for answer in (former, removed, absent)] == [204, 204, 404]
    answers = (made, again, listed, rotated, former, removed, absent)
    assert "canary" not in "".join(text for _, _, text in answers)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"value": 7},
        {"value": ""},
        {"value": VALUE, "uses": ["tools.x"]},
        {"value": VALUE, "name": "other"},
        {"value": VALUE, "by": "root"},
        {"value": VALUE, "hosts": ["https://x"]},
        {"value": VALUE, "for": "tools.x"},
    ],
)
async def test_a_wrong_body_is_refused_without_being_repeated(gate: "Gate", body: JsonObject) -> None:
    """Unknown fields too; and a way to read a value does not exist."""
    status, told, text = await ask(gate, "PUT", "/k", body)
    assert 400 <= status < 500
    assert as_object(told)["code"] == "invalid_request"
    assert "canary" not in text
    assert (await ask(gate, "GET", "/k"))[0] == 405
    assert json.loads((await ask(gate, "GET"))[2])["items"] == []
