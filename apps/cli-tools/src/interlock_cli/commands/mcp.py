"""`interlock mcp`: the tools of this machine as an MCP server over standard input and output."""

import asyncio
import os
import sys

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._screen import Screen
from interlock_cli._session import server_of, settings_of
from interlock_core.errors import UnsupportedError

_STOPPED = 130
"""Exit code after Ctrl-C, as shells write it."""


@click.command(
    epilog=examples("interlock mcp", "interlock mcp --search", "interlock mcp --tools 'github.issues*'")
)
@click.option("--tools", "patterns", multiple=True, metavar="GLOB", help="Tools to offer; all unless given.")
@click.option("--search", is_flag=True, help="Offer find_tools and call_tool in place of every tool.")
@click.option("--plain-names", is_flag=True, help="Write names without dots, for clients that want none.")
@click.pass_obj
def mcp(options: Globals, patterns: tuple[str, ...], search: bool, plain_names: bool) -> None:
    """Serve the tools to one MCP client, which starts this command and speaks to it over its pipes.

    A model on the other side decides on every call, so each must be permitted to the role 'agent' and to
    you; what needs an approval is asked through the client.
    """
    if server_of(options) is not None:
        raise UnsupportedError(
            "A running server speaks MCP itself.",
            field="--server",
            remedy="Give the client its address with /mcp behind it, and a key.",
        )
    settings = settings_of(options)
    if sys.stdin.isatty():
        Screen(options).say("An MCP client starts this command and speaks to it; Ctrl-D ends it.")

    async def main() -> None:
        from interlock_cli._log import log_everything
        from interlock_runtime import Runtime
        from interlock_runtime.mcp import serve_stdio

        stopped = False
        async with Runtime.open(settings, environment=os.environ) as runtime:
            if options.verbose:
                log_everything(runtime.redactor.text)
            serving = asyncio.ensure_future(
                serve_stdio(runtime, patterns=patterns, search=search, plain=plain_names)
            )
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                stopped = True
        if stopped:
            # The thread that reads standard input cannot be cancelled, and would hold an orderly end up.
            sys.stderr.write("interlock: Stopped.\n")
            sys.stderr.flush()
            os._exit(_STOPPED)

    asyncio.run(main())
