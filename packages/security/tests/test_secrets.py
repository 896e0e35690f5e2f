"""Secrets from the environment and from files."""

from pathlib import Path

import pytest

from interlock_core.errors import ConfigurationError
from interlock_core.secret import Secret
from interlock_security import EnvironmentSecrets, KnownSecretRedactor

ENVIRONMENT = {"OPENAI_API_KEY": "sk-environment", "EMPTY": ""}


async def test_names_references_and_variables_lead_to_a_secret(home: Path) -> None:
    """By configuration's name, by `env:`, by `file:`, by the variable's own name."""
    (home / "github.token").write_text("ghp-from-file\n")
    secrets = EnvironmentSecrets(
        ENVIRONMENT,
        named={
            "providers.a.api_key": "env:OPENAI_API_KEY",
            "tools.github.credential": "file:github.token",
            "providers.b.api_key": "literal-key",
        },
        folder=home,
    )
    found = {
        name: (await secrets.get(name)).reveal()
        for name in (
            "providers.a.api_key",
            "tools.github.credential",
            "providers.b.api_key",
            "OPENAI_API_KEY",
            "env:OPENAI_API_KEY",
            f"file:{home}/github.token",
        )
    }
    assert list(found.values()) == [
        "sk-environment",
        "ghp-from-file",
        "literal-key",
        "sk-environment",
        "sk-environment",
        "ghp-from-file",
    ]


async def test_every_secret_given_out_is_made_known_to_the_redactor(home: Path) -> None:
    """Whoever places it can be sure that it is hidden from then on."""
    redactor = KnownSecretRedactor()
    secrets = EnvironmentSecrets(ENVIRONMENT, learn=redactor.learn)
    assert isinstance(await secrets.get("OPENAI_API_KEY"), Secret)
    assert redactor.text("a sk-environment b") == "a [redacted:OPENAI_API_KEY] b"


@pytest.mark.parametrize(
    ("name", "field", "remedy"),
    [
        ("OPENAI_API_KEI", "OPENAI_API_KEI", "Did you mean OPENAI_API_KEY?"),
        ("env:NOTHING", "env:NOTHING", "Set the environment variable NOTHING"),
        ("EMPTY", "EMPTY", None),
        ("vault:github", "vault:github", "Write env:NAME or file:PATH"),
        ("file:/nowhere/at/all", "file:/nowhere/at/all", "holds its text"),
    ],
)
async def test_what_is_missing_is_named_with_what_to_do(name: str, field: str, remedy: str | None) -> None:
    """A vault is refused with what is possible now."""
    with pytest.raises(ConfigurationError) as caught:
        await EnvironmentSecrets(ENVIRONMENT).get(name)
    assert caught.value.field == field
    assert (remedy or "") in (caught.value.remedy or "")


@pytest.mark.promise("O11")
async def test_a_secret_passed_where_its_name_belongs_is_not_shown() -> None:
    """A key pasted into the wrong place ends in an error message, but not whole."""
    with pytest.raises(ConfigurationError) as caught:
        await EnvironmentSecrets(ENVIRONMENT).get("sk-pasted-by-mistake-1234")
    assert "pasted" not in f"{caught.value} {caught.value.as_json()}"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 70_000])
async def test_a_file_that_is_no_secret_is_refused(home: Path, content: bytes) -> None:
    """No text, or far too much of it; none of it in the error."""
    (home / "file").write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        await EnvironmentSecrets({}, folder=home).get("file:file")
    assert "xxx" not in str(caught.value)
