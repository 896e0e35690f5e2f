"""Redaction of known secrets and of what stands under secret names."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.jsontypes import Json
from interlock_core.protocols import Audience
from interlock_core.secret import Secret
from interlock_security import KnownSecretRedactor

SECRET = 'sk-Ab/c+9 "ü?&=\\z-12'
OWN_KEY = "ilk_" + "Ab0-_" * 8 + "xyz"


def redactor(*secrets: str) -> KnownSecretRedactor:
    """A redactor that knows these."""
    return KnownSecretRedactor([Secret(text, name=f"s{number}") for number, text in enumerate(secrets)])


def encodings(secret: str, before: str, after: str) -> dict[str, str]:
    """A text that holds a secret, in each of the six encodings."""
    data = secret.encode()
    inside = before.encode() + data + after.encode()
    return {
        "plain": f"{before}{secret}{after}",
        "url": f"https://host/?k={quote(secret, safe='')}&x=1",
        "url-path": f"https://host/{quote(secret)}",
        "url-form": f"k={quote_plus(secret)}&x=1",
        "url-lower": "".join(f"%{byte:02x}" for byte in data),
        "base64": base64.b64encode(inside).decode(),
        "base64url": base64.urlsafe_b64encode(inside).decode(),
        "hex": inside.hex(),
        "hex-upper": inside.hex().upper(),
        "json": json.dumps({"field": f"{before}{secret}{after}"}),
        "json-unicode": json.dumps({"field": f"{before}{secret}{after}"}, ensure_ascii=False),
        "json-slash": json.dumps(f"{before}{secret}{after}").replace("/", "\\/"),
    }


@pytest.mark.promise("O11")
@pytest.mark.parametrize("toward", list(Audience))
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=10, max_size=40),
    before=st.text(st.characters(min_codepoint=97, max_codepoint=122), max_size=5),
    after=st.text(st.characters(min_codepoint=97, max_codepoint=122), max_size=5),
)
def test_a_known_secret_is_hidden_in_all_six_encodings(
    toward: Audience, secret: str, before: str, after: str
) -> None:
    """At every offset that it can have in base64, toward models and stores alike."""
    hide = redactor(secret)
    for name, text in encodings(secret, before, after).items():
        hidden = hide.text(text, toward=toward)
        assert "[redacted" in hidden, name
        assert hide.text(hidden, toward=Audience.MODEL) == hidden, name


@pytest.mark.promise("O11")
def test_what_stays_of_a_secret_in_base64_is_a_few_bits() -> None:
    """The characters at its edges that it shares with its neighbours, and no more."""
    for offset in range(3):
        text = base64.b64encode(b"x" * offset + SECRET.encode() + b"yyy").decode()
        hidden = redactor(SECRET).text(text)
        left = hidden.replace("[redacted:s0]", "")
        assert len(left) <= len(base64.b64encode(b"x" * offset + b"yyy")) + 4


PIECES = st.sampled_from(
    [
        *("abababab", "ababababcd", "cdcdcdef", "ab", "cd", "é\U0001f600", "\n", " ", '"', "\\"),
        *(SECRET, base64.b64encode(b"z" + SECRET.encode()).decode(), quote(SECRET), SECRET[:9], SECRET[5:]),
        *(
            "Authorization: Bearer x1y2z3a4b5",
            "password=foo",
            '"token": "a\\"b"',
            "key",
            "https://u:p@h/",
            OWN_KEY,
        ),
    ]
)


@pytest.mark.promise("O11")
@settings(max_examples=300)
@given(
    st.lists(PIECES, max_size=12),
    st.lists(st.integers(min_value=1, max_value=9), min_size=1),
    st.sampled_from(Audience),
)
def test_a_stream_gives_what_the_whole_text_gives(
    pieces: list[str], steps: list[int], toward: Audience
) -> None:
    """However it is cut: nothing more, nothing less."""
    hide = redactor(SECRET, "abababab", "ababababcd", "cdcdcdef")
    text = "".join(pieces)
    stream = hide.stream(toward=toward)
    shown: list[str] = []
    at = 0
    while at < len(text):
        step = steps[at % len(steps)]
        shown.append(stream.feed(text[at : at + step]))
        at += step
    shown.append(stream.flush())
    assert "".join(shown) == hide.text(text, toward=toward)


@pytest.mark.promise("O11")
@pytest.mark.parametrize("toward", list(Audience))
def test_a_secret_cut_at_any_position_is_found(toward: Audience) -> None:
    """Two pieces, cut everywhere; and one character at a time."""
    hide = redactor(SECRET, "another-secret")
    for name, text in encodings(SECRET, "xy", "z\nnext another-secret line").items():
        whole = hide.text(text, toward=toward)
        for cut in range(len(text) + 1):
            stream = hide.stream(toward=toward)
            assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.flush() == whole, (name, cut)
        stream = hide.stream(toward=toward)
        assert "".join(map(stream.feed, text)) + stream.flush() == whole, name


def test_a_stream_toward_a_model_holds_back_only_what_may_be_a_secret() -> None:
    """Ordinary text passes at once, so that the first token is not late."""
    stream = redactor(SECRET).stream(toward=Audience.MODEL)
    assert stream.feed("Hello wor") == "Hello wor"
    assert stream.feed("ld, sk-A") == "ld, "
    assert stream.feed("x") == "sk-Ax"
    assert stream.flush() == ""


def test_secrets_that_overlap_hide_each_other_whole() -> None:
    """What two share belongs to both."""
    hide = redactor("abcdefgh", "efghijkl", "abcdefghij")
    assert hide.text("-abcdefghijkl-") == "-[redacted:s2]-"
    assert hide.text("-abcdefghabcdefgh-") == "-[redacted:s0][redacted:s0]-"


def test_a_secret_learned_later_is_hidden_from_then_on() -> None:
    """Many of them, one by one, and a known one again changes nothing."""
    hide = redactor()
    for number in range(40):
        hide.learn(Secret(f"later-secret-{number:02}", name=f"n{number}"))
        assert hide.text(f"a later-secret-{number:02} b") == f"a [redacted:n{number}] b"
    hide.learn(Secret("later-secret-00", name="again"))
    assert hide.text("later-secret-00 later-secret-39") == "[redacted:n0] [redacted:n39]"


def test_a_secret_too_short_to_be_told_from_text_is_named() -> None:
    """So that `doctor` can say it."""
    hide = redactor("abc", "long-enough")
    assert hide.ignored == {"s0"}
    assert hide.text("abc", toward=Audience.MODEL) == "abc"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Bearer abc", "Authorization: [redacted]"),
        ("x\r\nCookie: a=b; c=d\r\ny", "x\r\nCookie: [redacted]\r\ny"),
        ("set-cookie: s=1", "set-cookie: [redacted]"),
        ("X-API-Key: k1", "X-API-Key: [redacted]"),
        ("curl -H 'X-Api-Key: k1' u", "curl -H 'X-Api-Key: [redacted]' u"),
        ('{"password": "a\\"b", "x": 1}', '{"password": "[redacted]", "x": 1}'),
        ("{'apiKey': 'k'}", "{'apiKey': '[redacted]'}"),
        (
            '{\\"client_secret\\": \\"a\\\\\\"b\\", \\"x\\": 1}',
            '{\\"client_secret\\": \\"[redacted]\\", \\"x\\": 1}',
        ),
        ("db_password=p;x&z=2", "db_password=[redacted]&z=2"),
        ("https://u:p@h/x?access_token=abc&y=1", "https://[redacted]@h/x?access_token=[redacted]&y=1"),
        ("Bearer abcdef123", "Bearer [redacted]"),
        (f"the key is {OWN_KEY}.", "the key is [redacted]."),
        ('"pin_token":12345', '"pin_token":[redacted]'),
        ("my_secret = 'x y'", "my_secret = '[redacted]'"),
    ],
)
def test_what_stands_under_a_secret_name_is_hidden_toward_stores(text: str, hidden: str) -> None:
    """Headers, JSON, JSON in JSON, forms, URLs; toward a model such text stays."""
    assert redactor().text(text) == hidden
    assert redactor().text(text, toward=Audience.MODEL) == text


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 100",
        "basic understanding of tokens",
        "the secretary came",
        "key: 5",
        '"token": {"a": 1}',
        "token",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Names that only resemble secret ones."""
    assert redactor().text(text) == text


def test_json_is_hidden_in_keys_values_and_numbers() -> None:
    """The structure stays."""
    value: Json = {
        "headers": {"X-API-Key": "k", "Set-Cookie": ["a"], "Accept": "text"},
        "max_tokens": 5,
        "token": None,
        "secret": True,
        "nested": [{SECRET: f"a {SECRET}"}, 1.5],
        "code": 12345678,
        "other": 13572468,
    }
    assert redactor(SECRET, "12345678").json(value) == {
        "headers": {"X-API-Key": "[redacted]", "Set-Cookie": "[redacted]", "Accept": "text"},
        "max_tokens": 5,
        "token": None,
        "secret": True,
        "nested": [{"[redacted:s0]": "a [redacted:s0]"}, 1.5],
        "code": "[redacted]",
        "other": 13572468,
    }


def test_json_toward_a_model_keeps_fields_that_nobody_made_known() -> None:
    """Only known secrets are hidden from a model."""
    value: Json = {"password": "unknown", "x": SECRET}
    assert redactor(SECRET).json(value, toward=Audience.MODEL) == {
        "password": "unknown",
        "x": "[redacted:s0]",
    }


def test_json_in_which_nothing_is_hidden_comes_back_as_it_is() -> None:
    """One scan, no copy."""
    value: Json = {"a": [1, {"b": "text"}], "c": None}
    assert redactor(SECRET).json(value) is value


def test_json_nested_too_deep_is_cut() -> None:
    """Nobody can make the redactor recurse without end."""
    value: Json = "bottom"
    for _ in range(5_000):
        value = [value]
    hidden = redactor(SECRET).json(value)
    depth = 0
    while isinstance(hidden, list):
        hidden, depth = hidden[0], depth + 1
    assert (hidden, depth) == ("[deeper]", 64)


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "token=" * 20_000, "://:" * 30_000, '"secret":"\\' * 20_000, "\\" * 100_000 + '"']
)
def test_hostile_texts_take_no_time_to_speak_of(text: str) -> None:
    """Texts that make careless patterns backtrack; the test would not end."""
    assert len(redactor(SECRET).text(text)) <= 2 * len(text)


def test_a_secret_that_no_utf8_can_hold_is_hidden_all_the_same() -> None:
    """A lone surrogate came from somewhere."""
    assert redactor("secret\ud800text").text("a secret\ud800text b") == "a [redacted:s0] b"
