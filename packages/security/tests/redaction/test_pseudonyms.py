"""Stand-ins toward models, and the way back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.jsontypes import as_object, parse_json
from interlock_security.redaction import Detection, PseudonymMaker, Pseudonyms

MAKER = PseudonymMaker(Detection(patterns={"case": r'case "[^"\n]{1,20}"'}))
MAIL, CARD = "ada@example.org", "4111 1111 1111 1111"


def names(whole: str) -> Pseudonyms:
    """Stand-ins for one text."""
    return MAKER.begin(whole)


@pytest.mark.promise("A4")
def test_the_same_thing_has_the_same_stand_in_and_two_things_have_two() -> None:
    """So that a model can tell them apart."""
    text = f"{MAIL} wrote to bob@example.org; {MAIL} paid with {CARD}"
    hiding = names(text)
    hidden = hiding.text(text)
    assert hidden == "[email-1] wrote to [email-2]; [email-1] paid with [card-1]"
    assert hiding.restore(hidden) == text


@pytest.mark.promise("A4")
def test_what_a_request_says_itself_is_no_stand_in() -> None:
    """Words of the request in that form stay as they are, there and back."""
    text = f"[email-1] is a label; write to {MAIL}"
    hiding = names(text)
    hidden = hiding.text(text)
    assert hidden == "[email-1] is a label; write to [email-2]"
    assert hiding.restore(hidden) == text


@pytest.mark.promise("A4")
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_a_stream_is_led_back_however_it_is_cut(sizes: list[int]) -> None:
    """Nothing is lost, and nothing of a stand-in is shown."""
    text = f"{MAIL} [x] [email-9] and bob@example.org [ema"
    hiding = names(text)
    hidden = hiding.text(text)
    stream = hiding.stream()
    out: list[str] = []
    at = 0
    for size in [*sizes, len(hidden)]:
        out.append(stream.feed(hidden[at : at + size]))
        at += size
    assert "".join([*out, stream.flush()]) == text


@pytest.mark.promise("A4")
def test_json_text_stays_json_when_it_is_led_back() -> None:
    """Quotes of the hidden text are escaped, whole and in a stream."""
    text = 'open case "A/7"'
    hiding = names(text)
    arguments = json.dumps({"title": hiding.text(text)})
    assert "case" not in arguments.replace("[case-1]", "")
    stream = hiding.stream_of_json()
    for back in (hiding.restore_in_json(arguments), stream.feed(arguments) + stream.flush()):
        assert as_object(parse_json(back)) == {"title": text}


@pytest.mark.promise("A4")
def test_a_private_key_has_no_way_back() -> None:
    """It is hidden for good."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----"
    assert MAKER.touches(key)
    assert names(key).text(f"a {key} b") == "a [redacted:private-key] b"


def test_numbers_and_nested_values_are_looked_at() -> None:
    """As texts are."""
    hiding = names("")
    assert hiding.json({"to": [MAIL], "card": 4111111111111111, "n": 3, "ok": True}) == {
        "to": ["[email-1]"],
        "card": "[card-1]",
        "n": 3,
        "ok": True,
    }
