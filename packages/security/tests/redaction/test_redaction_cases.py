"""Unknown secrets and personal data by tables that were written before the code that they judge."""

import tomllib
from pathlib import Path
from typing import cast

import pytest

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_security.redaction import Detection, KnownSecretRedactor

CASES = Path(__file__).parents[1] / "cases"


def table(name: str) -> dict[str, JsonObject]:
    """The cases of a table by their id."""
    whole = cast("JsonObject", tomllib.loads((CASES / f"{name}.toml").read_text("utf-8")))
    return {str(case["id"]): case for case in map(as_object, as_array(whole["case"]))}


SECRETS = table("redaction_secrets") | table("redaction_secrets_places")
INNOCENT = table("redaction_innocent")
PERSONAL = table("redaction_personal")
REDACTOR = KnownSecretRedactor(detection=Detection())


def joined(parts: object) -> str:
    """A text that the table keeps in parts, so that no scanner takes it for a leak."""
    return "".join(cast("list[str]", parts)) if isinstance(parts, list) else str(parts)


def streamed(text: str, size: int) -> str:
    """What comes out of a stream that is fed in pieces."""
    stream = REDACTOR.stream()
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*pieces, stream.flush()])


@pytest.mark.promise("A4")
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_nobody_made_known_vanishes(name: str) -> None:
    """Whole, and in a stream cut anywhere; what stands around it stays."""
    case = SECRETS[name]
    secret = joined(case["secret"])
    text = str(case["text"]).replace("<SECRET>", secret)
    gone = [joined(parts) for parts in as_array(case["vanish"])] if "vanish" in case else [secret]
    hidden = REDACTOR.text(text)
    for part in gone:
        assert part not in hidden
    for part in as_array(case.get("keep", [])):
        assert str(part) in hidden
    for size in (1, 7, 64):
        assert streamed(text, size) == hidden


@pytest.mark.promise("A4")
@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_no_secret_stays(name: str) -> None:
    """Byte for byte."""
    text = str(INNOCENT[name]["text"])
    assert REDACTOR.text(text) == text


@pytest.mark.promise("A4")
@pytest.mark.parametrize("name", PERSONAL)
def test_personal_data_vanishes_and_look_alikes_stay(name: str) -> None:
    """By check digits, numbering plans and what an address is for."""
    case = PERSONAL[name]
    text = str(case["text"])
    hidden = REDACTOR.text(text)
    if case.get("stays"):
        assert hidden == text
    for part in as_array(case.get("vanish", [])):
        assert str(part) not in hidden
    assert streamed(text, 5) == hidden
