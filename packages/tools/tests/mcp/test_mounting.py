"""A server on the official SDK, mounted over its pipes: its tools, its answers, its faults."""

import asyncio
import json
import os
import time
from dataclasses import replace

import pytest

from interlock_core import Effect, File, Image, Text
from interlock_core.call import CallKind
from interlock_core.errors import (
    ConfigurationError,
    PermissionDeniedError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from interlock_core.testing import make_call

from .conftest import LIMITS, Mount

pytestmark = pytest.mark.promise("O16")


async def test_a_server_is_not_started_before_its_tools_are_wanted(mount: Mount) -> None:
    """Its tools are asked for, then it runs, once."""
    mounted = mount()
    assert mounted.starts == 0
    first = [tool.spec.name for tool in await mounted.server.tools()]
    assert [tool.spec.name for tool in await mounted.server.tools()] == first
    assert mounted.starts == 1
    assert "strange.echo" in first
    assert mounted.server.state.offered == tuple(first)


async def test_the_word_of_an_untrusted_server_makes_no_tool_harmless(mount: Mount) -> None:
    """A hint that a tool reads is not believed; one that it destroys is."""
    specs = {tool.spec.name: tool.spec for tool in await mount().server.tools()}
    assert specs["strange.look"].effect is Effect.WRITE
    assert specs["strange.wipe"].effect is Effect.DESTRUCTIVE
    assert all(spec.untrusted for spec in specs.values())


async def test_a_server_that_the_operator_trusts_is_believed(mount: Mount) -> None:
    """Its hints are taken, and its answers taint nothing."""
    mounted = mount(trusted=True)
    specs = {tool.spec.name: tool.spec for tool in await mounted.server.tools()}
    assert specs["strange.look"].effect is Effect.READ
    assert specs["strange.wipe"].effect is Effect.DESTRUCTIVE
    assert specs["strange.echo"].effect is Effect.WRITE
    assert not (await mounted.call("echo", "hello")).untrusted


async def test_a_call_gives_texts_and_structure(mount: Mount) -> None:
    """Both are there, and the answer is marked as a stranger's."""
    result = await mount().call("echo", "héllo")
    assert (result.text, result.structured, result.is_error) == ("héllo", {"text": "héllo"}, False)
    assert result.untrusted


async def test_parts_of_every_kind_are_read(mount: Mount) -> None:
    """Images and files as such; a link is told, and not followed; what is broken is told."""
    result = await mount().call("parts")
    assert result.content == (
        Text("words"),
        Image(data=b"\x00\x01\x02", media_type="image/png"),
        Text("\n(A part of type image/png is broken, so it was left out.)"),
        File(data=b"\x00\x01\x02", media_type="audio/wav"),
        Text("A resource of the server: report (file:///etc/passwd)"),
        Text("inside"),
        File(data=b"\x00\x01\x02", media_type="application/octet-stream", name="a:c"),
    )


async def test_arguments_are_checked_before_anything_is_sent(mount: Mount) -> None:
    """The server never hears of a call that breaks its schema."""
    from interlock_core import ToolCall
    from interlock_tools import ToolExecutor, ToolRegistry

    mounted = mount()
    registry = ToolRegistry()
    for tool in await mounted.server.tools():
        registry.offer(tool)
    call = ToolCall(id="c", name="strange.echo", arguments='{"text": 3}')
    result = await ToolExecutor(registry).execute(call, make_call(kind=CallKind.TOOL))
    assert result.is_error
    assert result.error_code == "schema_invalid"
    assert not mounted.folder.joinpath("calls").exists()


async def test_a_tool_that_fails_and_a_server_that_refuses_are_results(mount: Mount) -> None:
    """A model reads both; nothing in them steers a terminal."""
    mounted = mount()
    failed = await mounted.call("fail")
    assert (failed.is_error, failed.text, failed.error_code) == (True, "the disk is full", "tool_failed")
    refused = await mounted.call("refuse")
    assert refused.is_error
    assert "bad argument" in refused.text
    assert "\x1b" not in refused.text


async def test_a_call_that_takes_too_long_is_given_up_and_the_server_told(mount: Mount) -> None:
    """The time-out is the mount's own."""
    mounted = mount()
    await mounted.server.tools()
    started = asyncio.create_task(mounted.connection.call("wait", {"text": ""}, seconds=0.5))
    with pytest.raises(UpstreamTimeoutError):
        await started
    assert (await mounted.call("cancelled")).text == "nobody waits"
    assert (await mounted.call("echo", "still here")).text == "still here"
    assert mounted.starts == 1


async def test_the_deadline_of_a_run_holds_for_a_mounted_tool(mount: Mount) -> None:
    """What is left of it, and nothing when it is over."""
    mounted = mount()
    await mounted.server.tools()
    call = make_call(kind=CallKind.TOOL)
    late = await mounted.call("echo", context=replace(call, deadline=time.monotonic() - 1))
    assert late.error_code == "upstream_timeout"
    soon = await mounted.call("wait", context=replace(call, deadline=time.monotonic() + 0.5))
    assert soon.error_code == "upstream_timeout"


async def test_a_cancelled_call_is_cancelled_at_the_server(mount: Mount) -> None:
    """It is told at once."""
    mounted = mount()
    call = asyncio.create_task(mounted.call("wait"))
    assert (await mounted.call("waiting")).text == "somebody waits"
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await mounted.call("cancelled")).text == "nobody waits"


async def test_a_server_that_ends_is_told_and_started_anew(mount: Mount) -> None:
    """Its status and its last words stand in the error; the next call finds a new one."""
    mounted = mount()
    died = await mounted.call("die")
    assert died.error_code == "upstream_connection"
    assert "status 7" in died.text
    assert "out of cheese" in died.text
    assert (await mounted.call("echo", "again")).text == "again"
    assert mounted.starts == 2


async def test_a_server_that_fails_again_and_again_is_left_alone_for_longer_and_longer(mount: Mount) -> None:
    """The first new start comes at once, the second only after a while."""
    mounted = mount("exit")
    for _ in range(2):
        with pytest.raises(UpstreamConnectionError, match="no licence found"):
            await mounted.server.tools()
    with pytest.raises(UpstreamConnectionError, match="failed just now") as raised:
        await mounted.server.tools()
    assert raised.value.retry_after is not None
    assert "no licence found" in mounted.server.state.error or "failed just now" in mounted.server.state.error


async def test_a_program_that_is_not_there_is_told(mount: Mount) -> None:
    """With the key of the configuration that names it."""
    mounted = mount(command=("/nowhere/server",))
    with pytest.raises(ConfigurationError) as raised:
        await mounted.server.tools()
    assert raised.value.field == "mcp.strange.command"


async def test_a_server_that_says_nothing_is_given_up(mount: Mount) -> None:
    """After the time that the operator allows."""
    mounted = mount("silent", timeout_s=0.5)
    with pytest.raises(UpstreamTimeoutError, match="not ready within"):
        await mounted.server.tools()
    assert mounted.server.state.error


async def test_closing_ends_the_program_and_all_that_it_started(mount: Mount) -> None:
    """The whole process group goes."""
    mounted = mount()
    child = int((await mounted.call("child")).text)
    handle = os.pidfd_open(child)
    await mounted.server.aclose()
    assert await _gone(handle)
    await mounted.server.aclose()


async def test_a_server_is_handed_what_the_operator_writes_and_nothing_else(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own secrets stay with us."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-3")
    mounted = mount(secrets={"token": "sk-for-the-server"}, secret_env={"SERVER_TOKEN": "token"})
    given = json.loads((await mounted.call("environment")).text)
    assert given["SERVER_TOKEN"] == "sk-for-the-server"
    assert "canary" not in json.dumps(given)
    assert set(given) <= {"PYTHONPATH", "SERVER_TOKEN", "LC_CTYPE", "PWD", "SHLVL", "_", "LC_ALL", "LANG"}


async def test_what_a_server_asks_of_its_client_is_refused(mount: Mount) -> None:
    """No sampling, no elicitation, no roots."""
    asked = json.loads((await mount().call("ask")).text)
    assert set(asked) == {"roots/list", "sampling/createMessage", "elicitation/create"}
    assert all(answer.startswith("refused") for answer in asked.values())


async def test_only_what_the_patterns_allow_is_there(mount: Mount) -> None:
    """By the server's own names."""
    mounted = mount(allow=("e*", "look"))
    names = [tool.spec.name for tool in await mounted.server.tools()]
    assert names == ["strange.echo", "strange.environment", "strange.look"]


@pytest.mark.parametrize("mode", ["plain", "old"])
async def test_a_call_of_a_tool_that_changed_is_refused(mount: Mount, mode: str) -> None:
    """The model was shown what is no longer so; in both forms of the protocol."""
    mounted = mount(mode)
    tools = {tool.spec.name: tool for tool in await mounted.server.tools()}
    mounted.says({"name": "echo", "description": "Something else.", "inputSchema": {"type": "object"}})
    await mounted.call("change")
    async with asyncio.timeout(30):
        await mounted.changed.wait()
    with pytest.raises(PermissionDeniedError, match="something else"):
        await tools["strange.echo"].run({"text": "x"}, make_call(kind=CallKind.TOOL))
    assert "echo x" not in mounted.folder.joinpath("calls").read_text()


async def test_limits_of_words_are_those_of_the_mount(mount: Mount) -> None:
    """What a model is shown is cut, the structured answer is kept as long as it is not monstrous."""
    mounted = mount(limits=replace(LIMITS, shown_chars=100, structured_chars=2_000))
    result = await mounted.call("bomb", "1000")
    assert len(result.text) < 300
    assert "900 characters more" in result.text
    assert result.structured == {"text": "y" * 1000}
    huge = await mounted.call("bomb", "3000")
    assert huge.structured is None
    assert "left out" in huge.text


async def _gone(process: int) -> bool:
    """Whether a process that is not our child ends."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process, ended.set)
    try:
        async with asyncio.timeout(30):
            await ended.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)
    return ended.is_set()
