"""What cannot be kept because a known secret stands in it."""

import base64
from pathlib import Path

import pytest

from interlock_core import Principal, Secret
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json
from interlock_core.store import Store
from interlock_security import BRANCH, AuditLog, KnownSecretRedactor
from interlock_security.redaction import refuse_secrets

SECRET = "correct-horse-battery"
KNOWN = KnownSecretRedactor(
    [Secret(SECRET, name="vault.one"), Secret("ollama", name="providers.ollama.api_key")]
)
ADA = Principal(user="ada", roles=frozenset({"admin"}))


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"name": f"x {SECRET} y"}, "name"),
        ({"a": [{"reason": base64.b64encode(SECRET.encode()).decode()}]}, "reason"),
        ({SECRET: 1}, SECRET),
        (SECRET.encode().hex(), "source"),
    ],
)
def test_a_known_secret_is_refused_wherever_it_stands(value: Json, field: str) -> None:
    """In any encoding, in names of fields too; the error names both and repeats nothing."""
    with pytest.raises(InvalidRequestError, match=r"holds the secret vault\.one") as refused:
        refuse_secrets(value, KNOWN, field="source")
    assert refused.value.field == (field if field != SECRET else "source")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("value", [{"name": "ollama/llama3-70b"}, {"n": 5, "ok": None}, [1.5, True], "words"])
def test_words_that_are_secrets_somewhere_stay_words(value: Json) -> None:
    """What has fewer than twelve characters is looked for elsewhere alone."""
    try:
        refuse_secrets(value, KNOWN)
    except InvalidRequestError as error:
        raise AssertionError(f"{value} was refused") from error


@pytest.mark.promise("A7")
async def test_no_change_keeps_a_secret_and_what_has_one_can_be_taken_away(tmp_path: Path) -> None:
    """The change is not made, and not recorded; a user whose name was a secret before can be disabled."""
    store = await Store.open(f"sqlite:///{tmp_path / 'a.db'}", branches=[BRANCH])
    log = AuditLog(store, home=tmp_path, witness=None, redactor=KNOWN)
    made: list[str] = []
    with pytest.raises(InvalidRequestError):
        async with log.change("users.create", ADA, {"user": SECRET}):
            made.append("user")
    async with log.change("users.disable", ADA, {"user": SECRET}):
        made.append("disabled")
    assert made == ["disabled"]
    assert SECRET not in repr(await log.tail())
    await log.aclose()
    await store.aclose()
