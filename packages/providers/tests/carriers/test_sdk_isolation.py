"""What an SDK brings along stays out: its environment, its import, and its absence."""

import asyncio
import json
import logging
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from interlock_core import HttpRequest, Secret
from interlock_core.errors import MissingExtraError
from interlock_core.testing import LoopbackServer
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.rows import VENDORS

KEY = Secret("sk-own-0123456789", name="key of vendor")
MODULES = {"openai": "openai", "anthropic": "anthropic", "mistral": "mistralai.client", "cohere": "cohere"}
STACKS = ("httpx", "httpx2", "httpcore", "httpcore2", "pydantic", "ssl")
NOWHERE = "http://127.0.0.1:1"
CUSTOM = (
    "x-leak: 1\nauthorization: Bearer leak\nuser-agent: leak\nhost: leak\ncontent-length: 1\naccept: leak"
)
ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-leak",
    "OPENAI_ADMIN_KEY": "sk-leak",
    "OPENAI_BASE_URL": NOWHERE,
    "OPENAI_CUSTOM_HEADERS": CUSTOM,
    "OPENAI_LOG": "debug",
    "OPENAI_ORG_ID": "org-leak",
    "OPENAI_PROJECT_ID": "proj-leak",
    "ANTHROPIC_API_KEY": "sk-leak",
    "ANTHROPIC_AUTH_TOKEN": "leak",
    "ANTHROPIC_BASE_URL": NOWHERE,
    "ANTHROPIC_CONFIG_DIR": "/leak",
    "ANTHROPIC_CUSTOM_HEADERS": CUSTOM,
    "ANTHROPIC_LOG": "debug",
    "ANTHROPIC_PROFILE": "leak",
    "MISTRAL_API_KEY": "sk-leak",
    "MISTRAL_DEBUG": "1",
    "CO_API_KEY": "sk-leak",
    "CO_API_URL": NOWHERE,
    "COHERE_API_KEY": "sk-leak",
    "ALL_PROXY": NOWHERE,
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "all_proxy": NOWHERE,
    "http_proxy": NOWHERE,
    "https_proxy": NOWHERE,
    "SSL_CERT_FILE": "/leak",
    "TRACEPARENT": "00-leak-leak-01",
}
ASK = """
import asyncio, sys
from importlib import import_module
from interlock_core import HttpRequest, Secret
from interlock_providers.carriers import Credential

async def main(module, origin):
    key = Credential(secret=Secret("sk-own-0123456789", name="key"), origin=origin)
    carrier = import_module(module).open_carrier(origin, key)
    headers = (("accept", "a/b"), ("content-type", "application/json"))
    request = HttpRequest(method="POST", url=origin + "/v1/x", headers=headers, body=b'{"a":1}')
    print((await carrier.send(request)).status)
    await carrier.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


def open_sdk(kind: str, origin: str) -> Carrier:
    """The carrier over the SDK of a kind, with a key."""
    module = VENDORS[kind].sdk
    assert module is not None
    opened: Carrier = import_module(module).open_carrier(origin, Credential(secret=KEY, origin=origin))
    return opened


async def ask_in_a_process(kind: str, origin: str, variables: dict[str, str]) -> str:
    """What a fresh interpreter with these variables printed after one request, errors included."""
    module = VENDORS[kind].sdk
    assert module is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ASK, module, origin),
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.promise("P2")
@pytest.mark.parametrize("kind", sorted(MODULES))
async def test_the_environment_changes_nothing(kind: str, tmp_path: Path) -> None:
    """Keys, addresses, headers, profiles and proxies of the environment neither help nor hinder.

    The same request is sent from two fresh interpreters, since some variables are read on import; it
    arrives alike, and what the SDK logs does not hold the key.
    """
    async with LoopbackServer() as server:
        plain = {"HOME": str(tmp_path)}
        assert (await ask_in_a_process(kind, server.url, plain)).strip() == "200"
        told = await ask_in_a_process(kind, server.url, plain | ENVIRONMENT)
        first, second = server.requests
    assert "sk-own" not in told
    assert (second.target, second.headers, second.body) == (first.target, first.headers, first.body)
    assert "leak" not in str(second)
    assert second.header("authorization") == "Bearer sk-own-0123456789"
    assert second.header("accept") == "a/b"


@pytest.mark.parametrize("kind", sorted(MODULES))
async def test_an_sdk_that_is_missing_is_named_with_its_remedy(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the first request says what to install; opening and closing need no SDK."""
    for name in (MODULES[kind], *(name for name in sys.modules if name.startswith(f"{MODULES[kind]}."))):
        monkeypatch.setitem(sys.modules, name, None)
    carrier = open_sdk(kind, NOWHERE)
    with pytest.raises(MissingExtraError, match="SDK") as missing:
        await carrier.send(HttpRequest(method="GET", url=f"{NOWHERE}/v1/models"))
    assert f"pip install 'interlock-providers[{kind}]'" in (missing.value.remedy or "")
    await carrier.aclose()


def test_no_sdk_is_loaded_before_its_first_request() -> None:
    """Importing the package and opening every carrier loads neither an SDK nor its HTTP stack."""
    code = """
import json, sys, interlock_providers
early = sorted(sys.modules)
from importlib import import_module
from interlock_providers.rows import VENDORS
for row in VENDORS.values():
    if row.sdk is not None:
        import_module(row.sdk).open_carrier("https://api.example.com", None)
print(json.dumps([early, sorted(sys.modules)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    early, late = (set(names) for names in json.loads(done.stdout))
    sdks = {name.partition(".")[0] for name in MODULES.values()}
    assert not early & (sdks | set(STACKS))
    assert not late & (sdks | set(STACKS) - {"ssl"})


@pytest.mark.parametrize("kind", sorted(MODULES))
async def test_the_key_is_in_no_log(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level, neither SDK nor HTTP stack logs the key: it joins below what they log."""
    async with LoopbackServer() as server:
        carrier = open_sdk(kind, server.url)
        with caplog.at_level(logging.DEBUG):
            await carrier.send(HttpRequest(method="POST", url=f"{server.url}/v1/x", body=b"{}"))
        await carrier.aclose()
        assert "sk-own" in str(server.requests[0].headers)
    assert caplog.records
    assert "sk-own" not in caplog.text
