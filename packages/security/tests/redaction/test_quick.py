"""What is passed over quickly holds nothing: it is hidden as when all of it is looked at closely."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.secret import Secret
from interlock_security.redaction import Detection, KnownSecretRedactor
from interlock_security.redaction._encodings import forms

CASES = Path(__file__).parents[1] / "cases"
CANARY = "canary-of-this-test"
NAMES = ("", "body", "phone", "tax id", "token")
QUICK = KnownSecretRedactor(detection=Detection())
CLOSE = KnownSecretRedactor([Secret(CANARY, name="canary")], detection=Detection())


def table(name: str) -> list[str]:
    """The texts of a table, with the secrets in their places."""
    whole = cast("JsonObject", tomllib.loads((CASES / f"{name}.toml").read_text("utf-8")))
    texts: list[str] = []
    for case in map(as_object, as_array(whole["case"])):
        secret = case.get("secret", "")
        parts = cast("list[str]", secret) if isinstance(secret, list) else [str(secret)]
        texts.append(str(case["text"]).replace("<SECRET>", "".join(parts)))
    return texts


TEXTS = [
    text
    for name in ("redaction_secrets", "redaction_secrets_places", "redaction_innocent", "redaction_personal")
    for text in table(name)
]


def closely(value: Json) -> Json:
    """The value hidden beside a known secret, which leaves nothing to be passed over."""
    hidden, canary = as_array(CLOSE.json([value, CANARY]))
    assert canary == "[redacted:canary]"
    return hidden


def quickly(value: Json) -> Json:
    """The value hidden by a redactor that has seen many others, twice: the second time it knows it."""
    hidden = QUICK.json(value)
    assert QUICK.json(value) == hidden
    return hidden


@pytest.mark.promise("A4")
@pytest.mark.parametrize("name", NAMES[1:3])
def test_every_text_of_the_tables_is_hidden_as_when_looked_at_closely(name: str) -> None:
    """Whatever its field is called, alone and between lines without anything."""
    for text in TEXTS:
        for shown in (text, f"nothing here\n{text}\nnor here"):
            value: Json = {name: shown} if name else [shown]
            assert quickly(value) == closely(value)


PIECES = st.one_of(
    st.sampled_from(["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "2001:db8::1", "203.0.113.9"]),
    st.sampled_from(
        ["+49 (0)30 901820", "4111 1111 1111 1111", "078-05-1120", "AB 12 34 56 C", "a@example.org"]
    ),
    st.sampled_from(["RSSMRA85T10A562S", "HEGG560427MVZRRL04", "ABCPE1234F", "12345678Z", "X-1234567-L"]),
    st.sampled_from(["AKIA", "sk-", "ghp_", "eyJ", "Q~", "AccountKey=", "s.", "/", ":5432:", "://", "-u "]),
    st.sampled_from(
        ["token", "to\u212aen", "\u0130", "API-Key", "api_key", "pass", "=", ": ", '"', "'", "\\"]
    ),
    st.text("0123456789 .:-/()+\u00a0", max_size=12),
    st.text("abcdefABCDEF0123456789", max_size=40),
    st.sampled_from(["\n", " ", "tel", "SSN", "tax", "é", "\u017f", "[redacted]", "the", "x"]),
)


@pytest.mark.promise("A4")
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.lists(PIECES, max_size=10).map("".join))
def test_any_text_is_hidden_as_when_looked_at_closely(name: str, text: str) -> None:
    """Put together from what the finders look for, and cut anywhere."""
    value: Json = {name: [text, {"other": "nothing"}]}
    assert quickly(value) == closely(value)


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**20), 10**20) | st.floats(allow_nan=False), st.sampled_from(NAMES))
def test_any_number_is_hidden_as_when_looked_at_closely(number: float, name: str) -> None:
    """A number may be a phone's, or a card's."""
    value: Json = {name: number, "list": [number]}
    assert quickly(value) == closely(value)


@pytest.mark.promise("A4")
def test_letters_that_only_look_like_others_break_nothing() -> None:
    """The sign for Kelvin is a K to a pattern that takes either case."""
    for text in (
        "GB82 WEST 1234 5698 7654 3\u212a",
        "s\u212a12000000198742637541",
        "GB82\u0130EST12345698765432",
        "to\u212aen=abcdef",
    ):
        assert isinstance(QUICK.text(text), str)
        assert quickly({"note": text}) == closely({"note": text})


def test_what_was_clean_is_hidden_once_it_is_known_to_be_a_secret() -> None:
    """What is remembered of texts and names ends with the next secret that is learned."""
    redactor = KnownSecretRedactor(detection=Detection())
    value: Json = {"note": "blue-horse-42", "blue-horse-42": 1, "list": ["blue-horse-42"]}
    assert redactor.json(value) is value
    assert redactor.json(value) is value
    redactor.learn(Secret("blue-horse-42", name="horse"))
    hidden = "[redacted:horse]"
    assert redactor.json(value) == {"note": hidden, hidden: 1, "list": [hidden]}


def test_more_texts_than_are_remembered_are_still_looked_at() -> None:
    """Memory is bounded, and what was forgotten is found again."""
    redactor = KnownSecretRedactor(detection=Detection())
    for number in range(10_000):
        value: Json = {"name": f"item {number % 100} of {number}"}
        assert redactor.json(value) is value
    assert redactor.json({"name": "203.0.113.9"}) == {"name": "[redacted:ip]"}


KINDS = [
    line.split("\t")[3]
    for line in files("interlock_security.redaction")
    .joinpath("secret-kinds.tsv")
    .read_text("utf-8")
    .splitlines()
    if not line.startswith("#")
]


@settings(max_examples=300, deadline=None)
@given(st.one_of([st.from_regex(kind, fullmatch=True) for kind in KINDS]), st.sampled_from(["", "the key "]))
def test_whatever_has_the_shape_of_a_key_is_hidden_as_when_looked_at_closely(text: str, before: str) -> None:
    """Each shape is long enough to be looked at, with prose before it or without."""
    value: Json = {"note": f"{before}{text}"}
    assert quickly(value) == closely(value)


@pytest.mark.parametrize(
    "secret",
    [
        *("hunter", "blue-horse-42", "correct horse battery", "two  blanks", 'quo"ted,(list)', "      "),
        *("schlüssel zum hof", "a b c d e f", "line\none\ntwo", "back\\slash", "x" * 200, "%41%42%43"),
    ],
)
def test_a_known_secret_is_hidden_in_each_encoding_beside_others(secret: str) -> None:
    """Whether it is one long run or holds blanks, quotes and brackets, among prose and among ids."""
    others = [Secret(f"{number:040x}", name="other") for number in range(3)]
    redactor = KnownSecretRedactor([*others, Secret(secret, name="it")], detection=Detection())
    for form in forms(secret):
        for text in (
            form,
            f"the key is {form}",
            f"nothing\n{form}é\nhere",
            f"call_01m84asm1jxhpv6sk0jf {form}",
        ):
            hidden = redactor.json({"note": text})
            assert hidden == {"note": redactor.text(text)}
            assert form not in str(as_object(hidden)["note"])
