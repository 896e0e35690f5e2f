"""Scanners of other makers beside our own shapes."""

from pathlib import Path

import pytest

from interlock_core.errors import ConfigurationError
from interlock_security.redaction import Detection, KnownSecretRedactor, PseudonymMaker

SCANNED = Detection(shapes=False, personal=(), scanners=("kingfisher",))
TOKEN = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture(autouse=True, scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled rules are kept for these tests alone."""
    folder = tmp_path_factory.mktemp("rules")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KF_RULE_CACHE_DIR", str(folder))
        KnownSecretRedactor(detection=SCANNED)
    return folder


@pytest.mark.promise("A4")
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("é: ", " ü"), ("\N{GRINNING FACE} then ", "\nend"), ("\ud800 ", "")]
)
def test_what_a_scanner_finds_is_hidden_in_its_place(before: str, after: str) -> None:
    """Its places are those of bytes; a text has characters."""
    hidden = KnownSecretRedactor(detection=SCANNED).text(before + TOKEN + after)
    assert hidden == f"{before}[redacted:github-pat]{after}"


@pytest.mark.promise("A4")
def test_what_a_scanner_finds_has_a_stand_in_toward_models() -> None:
    """And a way back."""
    hiding = PseudonymMaker(SCANNED).begin("")
    hidden = hiding.text(f"use {TOKEN}")
    assert hidden == "use [github-pat-1]"
    assert hiding.restore(hidden) == f"use {TOKEN}"


def test_a_scanner_that_does_not_exist_names_those_that_do() -> None:
    """With the setting."""
    with pytest.raises(ConfigurationError, match="kingfishr") as error:
        KnownSecretRedactor(detection=Detection(scanners=("kingfishr",)))
    assert error.value.field == "redaction.scanners"
    assert "kingfisher" in str(error.value.remedy)
