"""Signed notes and checkpoints."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import ConfigurationError, VerificationError
from interlock_security.audit.notes import Checkpoint, SigningKey, VerifierKey

# The example of the C2SP signed-note specification.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo"
    " Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
KEY = SigningKey("example.test/log", bytes(range(32)))
TEXT = Checkpoint("example.test/log", 12, b"r" * 32).text()


def test_the_example_of_the_specification_verifies() -> None:
    """Name, key id, key and signature as published."""
    key = VerifierKey.parse(EXAMPLE_KEY)
    assert (str(key), key.open(EXAMPLE_NOTE)) == (EXAMPLE_KEY, "This is an example message.\n")


def test_a_signed_checkpoint_reads_back() -> None:
    """What goes in comes out."""
    opened = KEY.verifier.open(KEY.sign(TEXT))
    assert Checkpoint.parse(opened) == Checkpoint("example.test/log", 12, b"r" * 32)


@pytest.mark.promise("A2")
@given(st.data())
def test_a_note_changed_anywhere_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Whatever character is replaced, removed or added: never another text."""
    note = KEY.sign(TEXT)
    at = data.draw(st.integers(min_value=0, max_value=len(note) - 1))
    char = data.draw(st.sampled_from("\n A9+/=\u2014\x00\u00e9"))
    length = data.draw(st.sampled_from([0, 1]))
    changed = note[:at] + char + note[at + length :]
    try:
        text = KEY.verifier.open(changed)
    except VerificationError:
        return
    assert text == TEXT


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        TEXT + "\n",
        EXAMPLE_NOTE,
        KEY.sign(TEXT).replace("\u2014", "-"),
        KEY.sign(TEXT) * 40,
        SigningKey("example.test/log", b"x" * 32).sign(TEXT),
        SigningKey("example.test/other", bytes(range(32))).sign(TEXT),
        f"{TEXT}\n\u2014 example.test/log {base64.b64encode(KEY.verifier.id + b'x' * 64).decode()}\n",
        f"{TEXT}\n\u2014 example.test/log {base64.b64encode(b'abc').decode()}\n",
        f"{TEXT}\n\u2014 example.test/log !!!\n",
        "x" * 70_000,
    ],
)
def test_what_this_key_did_not_sign_is_refused(note: str) -> None:
    """No note, no signature, another's signature, a signature of zeros."""
    with pytest.raises(VerificationError):
        KEY.verifier.open(note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        "\n1\n" + base64.b64encode(b"r" * 32).decode() + "\n",
        "origin\n01\n" + base64.b64encode(b"r" * 32).decode() + "\n",
        "origin\n-1\n" + base64.b64encode(b"r" * 32).decode() + "\n",
        "origin\n1\n" + base64.b64encode(b"r" * 31).decode() + "\n",
        "origin\n1\nnot base64\n",
        "origin\n1\n" + base64.b64encode(b"r" * 32).decode(),
        "origin\n" + "9" * 5_000 + "\n" + base64.b64encode(b"r" * 32).decode() + "\n",
        "origin\n\u0661\n" + base64.b64encode(b"r" * 32).decode() + "\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """Missing lines, other numbers, other roots."""
    with pytest.raises(VerificationError):
        Checkpoint.parse(text)


@pytest.mark.parametrize("text", ["", "\n", "no end", "an\n\nempty line\n"])
def test_a_text_that_would_read_differently_is_not_signed(text: str) -> None:
    """A note's text is whole lines."""
    with pytest.raises(ConfigurationError):
        KEY.sign(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        "+00000000+" + base64.b64encode(b"\x01" + b"k" * 32).decode(),
        "name+00000000+" + base64.b64encode(b"\x01" + b"k" * 32).decode(),
        "name+00000000+" + base64.b64encode(b"\x02" + b"k" * 32).decode(),
        "name+00000000+?",
    ],
)
def test_a_verifier_key_that_is_none_is_refused(text: str) -> None:
    """Another length, another algorithm, an id that does not fit."""
    with pytest.raises(ConfigurationError):
        VerifierKey.parse(text)


def test_a_verifier_key_needs_32_bytes() -> None:
    """Whoever builds one by hand is told."""
    with pytest.raises(ConfigurationError, match="32 bytes"):
        VerifierKey("name", b"short")


def test_a_keys_repr_shows_the_public_half_alone() -> None:
    """A key may be logged by accident."""
    seed = base64.b64encode(b"\x01" + bytes(range(32))).decode()
    assert str(KEY.verifier) in repr(KEY)
    assert seed not in repr(KEY)
