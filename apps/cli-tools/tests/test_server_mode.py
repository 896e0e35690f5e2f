"""`--server`: the same commands through a gateway in a process of its own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from interlock_api.testing import GatewayProcess
from interlock_providers.testing import OpenAIChatServer

if TYPE_CHECKING:
    from .conftest import CommandLine


@pytest.fixture
def gateway(acme: "CommandLine", monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    """A gateway on the configuration of the command line."""
    config = acme.folder.joinpath("config.toml").read_text("utf-8")
    with GatewayProcess(acme.folder / "gateway", config=config) as process:
        monkeypatch.setenv("INTERLOCK_KEY", process.key)
        yield process


def test_a_question_goes_through_the_server(
    acme: "CommandLine", gateway: GatewayProcess, vendor: OpenAIChatServer
) -> None:
    """Streamed, whole or as JSON, the words are the model's, and the models are the server's."""
    address = gateway.address
    assert acme("ask", "Hello", "-m", "acme/small", "--server", address).out == "You said: Hello\n"
    whole = acme("--server", address, "ask", "Hello", "-m", "acme/small", "--no-stream")
    assert whole.out == "You said: Hello\n"
    told = acme("ask", "Hello", "-m", "acme/small", "--json", f"--server={address}").document
    assert told["text"] == "You said: Hello"
    assert "acme/small" in acme("models", "list", "--server", address).out
    assert acme("models", "list", "--server", address, "--json").document["models"]
    assert len(vendor.requests) >= 3


def test_what_only_a_local_run_can_do_is_refused(
    acme: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools, a missing key and an address that is none."""
    server = ("--server", "http://127.0.0.1:9")
    assert "without tools" in acme("ask", "Hello", "--tools", "github.*", *server).err
    monkeypatch.delenv("INTERLOCK_KEY", raising=False)
    assert acme("ask", "Hello", *server).code == 4
    monkeypatch.setenv("INTERLOCK_KEY", "ilk_none")
    assert "no address of a server" in acme("ask", "Hello", "--server", "nowhere").err
    assert acme("models", "list", *server).code == 1
