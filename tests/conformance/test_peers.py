"""The programs of others run here, on a machine that had none of them."""

import asyncio

from .peer import Peers, free_port


def test_a_program_runs_to_its_end(peers: Peers) -> None:
    """The linter of OpenAPI documents tells its version."""
    done = peers.run("spectral", "--version")
    assert (done.returncode, done.stdout.strip()[:2]) == (0, "6.")


async def test_a_server_is_up_inside_the_block_and_gone_after_it(peers: Peers) -> None:
    """The stateful GitHub answers, and its port is free again at the end."""
    port = free_port()
    started = peers.running("emulate", "start", "--service", "github", "--port", str(port), ready=str(port))
    async with started:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    refused = await asyncio.gather(asyncio.open_connection("127.0.0.1", port), return_exceptions=True)
    assert isinstance(refused[0], ConnectionRefusedError)
