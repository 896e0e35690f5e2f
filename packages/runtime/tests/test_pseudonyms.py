"""Models that run elsewhere see stand-ins, and the client sees the real thing."""

from pathlib import Path

import pytest

from interlock_core import RunResult
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import Question, Runtime, Settings
from interlock_runtime.settings import ProviderSettings, RedactionSettings

MAIL = "ada@example.org"
KEY = "ghp_" + "A1b2C3d4E5f6" * 3


def settings(home: Path, vendor: OpenAIChatServer, toward: RedactionSettings) -> Settings:
    """One vendor."""
    acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url)
    return Settings(home=home, providers={"acme": acme}, redaction=toward)


@pytest.mark.promise("A4")
async def test_a_model_elsewhere_sees_stand_ins_and_the_answer_is_led_back(tmp_path: Path) -> None:
    """Streamed, cut anywhere, as a run streams it."""
    async with OpenAIChatServer(models=("small",)) as vendor:
        answer = "Wrote to [email-1] about [github-token-1]."
        vendor.then(Say(answer, pieces=tuple(answer)))
        toward = RedactionSettings(toward_models="personal")
        async with Runtime.open(settings(tmp_path, vendor, toward), environment={}) as runtime:
            question = Question(prompt=f"Write to {MAIL} about {KEY}", model="acme/small")
            items = [item async for item in runtime.ask_events(question)]
        sent = str(vendor.requests[-1].json())
    assert MAIL not in sent
    assert KEY not in sent
    result = items[-1]
    assert isinstance(result, RunResult)
    assert result.text == f"Wrote to {MAIL} about {KEY}."


@pytest.mark.promise("A4")
async def test_without_being_told_a_model_sees_what_its_user_wrote(tmp_path: Path) -> None:
    """Only known secrets are hidden from models by default."""
    async with OpenAIChatServer(models=("small",)) as vendor:
        vendor.then(Say("fine"))
        async with Runtime.open(settings(tmp_path, vendor, RedactionSettings()), environment={}) as runtime:
            await runtime.ask(f"Write to {MAIL}", model="acme/small")
        assert MAIL in str(vendor.requests[-1].json())
