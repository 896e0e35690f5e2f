"""Opens the runtime for one command, and runs what the command does with it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from interlock_cli._globals import Globals
from interlock_cli._screen import Screen
from interlock_core.errors import UnsupportedError

if TYPE_CHECKING:
    from interlock_runtime import Runtime, Settings


def settings_of(options: Globals, flags: Mapping[str, Mapping[str, object]] | None = None) -> "Settings":
    """The settings of this command: file, environment, then flags.

    Raises:
        ConfigurationError: They are wrong.
        UnsupportedError: A server is named for a command that works on this machine alone.
    """
    if options.server is not None:
        raise _here_alone()
    from interlock_runtime import load_settings
    from interlock_runtime.configuration import locate

    source = locate(os.environ, config=options.config)
    if source.untrusted is not None:
        Screen(options).say(f"{source.untrusted} is not read: 'interlock config trust' allows it.")
    return load_settings(os.environ, config=options.config, flags=flags)


def _here_alone() -> UnsupportedError:
    return UnsupportedError(
        "This command works on the data of this machine and not through a server.",
        field="--server",
        remedy="Leave --server and INTERLOCK_SERVER away; 'ask' and 'models list' know them.",
    )


def server_of(options: Globals) -> str | None:
    """Address of the running server that is to be used, by flag or `INTERLOCK_SERVER`."""
    return options.server or os.environ.get("INTERLOCK_SERVER") or None


def with_runtime(
    options: Globals,
    action: Callable[["Runtime", Screen], Awaitable[None]],
    *,
    flags: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Run an action with an open runtime.

    Args:
        options: The global options.
        action: What the command does.
        flags: Settings that the command's own flags set.

    Raises:
        UnsupportedError: A server is named, and this command does not speak to one.
    """
    if server_of(options) is not None:
        raise _here_alone()

    async def main() -> None:
        from interlock_cli._approver import Terminal
        from interlock_runtime import Runtime

        settings = settings_of(options, flags)
        approver = Terminal(ask=not options.no_input)
        async with Runtime.open(settings, environment=os.environ, approver=approver) as runtime:
            if options.verbose:
                from interlock_cli._log import log_everything

                log_everything(runtime.redactor.text)
            await action(runtime, Screen(options))

    asyncio.run(main())
