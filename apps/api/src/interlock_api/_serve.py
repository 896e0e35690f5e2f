"""Runs the gateway: binds, makes the first key, serves, and stops without dropping a request."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from interlock_api._app import Gateway
from interlock_api._connection import WireLimits
from interlock_api._doorway import is_loopback
from interlock_api._log import LogFormatter, log_to_stderr
from interlock_api._server import HttpServer, Stop
from interlock_api._workers import AT_ONCE, Workers, most_connections, raise_file_limit, set_aside
from interlock_core.errors import ConfigurationError, InterlockError, OperatorError
from interlock_runtime import Access, Runtime, Settings, load_settings

_BACKLOG = 2048


class AddressInUseError(InterlockError):
    """Another program listens there."""

    code = "address_in_use"


def serve(
    settings: Settings,
    *,
    environment: Mapping[str, str],
    config: str | None = None,
    quiet: bool = False,
) -> None:
    """Serve the gateway until it is stopped: SIGTERM or SIGINT with grace, a second one at once.

    Args:
        settings: The settings, flags included.
        environment: The environment.
        config: The configuration file that a flag named; the settings say what stood in it.
        quiet: Say nothing about the start.

    Raises:
        AddressInUseError: The port is taken.
        ConfigurationError: The address reaches beyond this machine and there is no key yet, or several
            workers shall keep sessions.
        UnsupportedError: Several workers are wanted where processes cannot be forked.
        SystemExit: It was made to stop at once, or its workers fail.
    """
    del config
    if settings.server.mcp_sessions and settings.server.workers > 1:
        raise ConfigurationError(
            "Sessions of /mcp live in the memory of one worker, and there are several.",
            field="server.mcp_sessions",
            remedy="Leave mcp_sessions away, or set workers to 1.",
        )
    log = log_to_stderr()
    listener = bind(settings.server.host, settings.server.port)
    raise_file_limit()
    with listener:
        if settings.server.workers > 1:
            work = partial(_work, settings, listener, environment, log)
            workers = Workers(settings.server.workers, work)
            with asyncio.Runner() as runner:
                runner.run(_prepare(settings, listener, environment=environment, quiet=quiet))
            finished = workers.run()
        else:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                serving = _alone(settings, listener, log, environment=environment, quiet=quiet)
                finished = runner.run(serving)
    if not finished:
        raise SystemExit(1)


async def _alone(
    settings: Settings,
    listener: socket.socket,
    log: LogFormatter,
    *,
    environment: Mapping[str, str],
    quiet: bool,
) -> bool:
    """Serve in this process; whether it was not made to stop at once."""
    stop = Stop()
    stop.on_signals(signal.SIGTERM, signal.SIGINT)
    async with Runtime.open(settings, environment=environment, open_paths=False) as runtime:
        log.hide = runtime.redactor.text
        await _make_ready(runtime, listener, quiet=quiet)
        set_aside()
        return await _listen(runtime, listener, stop)


async def _prepare(
    settings: Settings, listener: socket.socket, *, environment: Mapping[str, str], quiet: bool
) -> None:
    """Do once what workers need done: the database, the first key."""
    async with Runtime.open(settings, environment=environment, open_paths=False) as runtime:
        await _make_ready(runtime, listener, quiet=quiet)


def _work(
    settings: Settings,
    listener: socket.socket,
    environment: Mapping[str, str],
    log: LogFormatter,
    parent: int,
) -> bool:
    """Serve as one of several processes; whether it was not made to stop at once.

    Args:
        settings: The settings.
        listener: The socket that all of them accept from.
        environment: The environment.
        log: Writes the log; told which secrets to hide.
        parent: A pipe that ends with the parent: no worker outlives it.
    """

    async def work() -> bool:
        stop = Stop()
        stop.on_signals(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(AT_ONCE, stop.at_once)
        loop.add_reader(parent, stop.asked.set)
        async with Runtime.open(settings, environment=environment, open_paths=False) as runtime:
            log.hide = runtime.redactor.text
            set_aside()
            return await _listen(runtime, listener, stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work())


async def _make_ready(runtime: Runtime, listener: socket.socket, *, quiet: bool) -> None:
    await _check_exposure(runtime, runtime.settings.server.host)
    created = await runtime.access.ensure_admin_key()
    if not quiet:
        _announce(listener, runtime.access, created=created)


@asynccontextmanager
async def running(runtime: Runtime, *, listener: socket.socket | None = None) -> AsyncGenerator[str, None]:
    """Serve a runtime in this event loop for the length of an `async with`; it is stopped with grace.

    No key is made and none is printed: `runtime.access` makes them.

    Args:
        runtime: What is served; opened with `open_paths=False` where strangers ask.
        listener: A bound and listening socket; a free port of loopback when None.

    Yields:
        The address, such as `http://127.0.0.1:41234`.
    """
    chosen = bind("127.0.0.1", 0) if listener is None else listener
    stop = Stop()
    address = _address(chosen)
    serving = asyncio.ensure_future(_listen(runtime, chosen, stop))
    try:
        yield address
    finally:
        stop()
        await serving


async def _listen(runtime: Runtime, listener: socket.socket, stop: Stop) -> bool:
    wanted = runtime.settings.server
    limits = WireLimits(
        connections=min(wanted.max_connections, most_connections()),
        head_s=wanted.head_timeout_s,
        body_s=wanted.body_timeout_s,
        idle_s=wanted.idle_timeout_s,
        write_s=wanted.write_timeout_s,
    )
    gateway = Gateway(runtime)
    server = HttpServer(gateway, render=gateway.render, limits=limits, grace_s=wanted.grace_s)
    retiring = asyncio.ensure_future(gateway.mcp.retire(stop.asked))
    tending = asyncio.ensure_future(runtime.tend())
    try:
        return await server.serve(listener, stop)
    finally:
        retiring.cancel()
        tending.cancel()
        await asyncio.gather(retiring, tending, return_exceptions=True)
        await gateway.standings.aclose()
        await gateway.mcp.aclose()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is to be had."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _check_exposure(runtime: Runtime, host: str) -> None:
    if is_loopback(host) or await runtime.access.has_keys():
        return
    raise ConfigurationError(
        f"{host} can be reached from other machines, and there is no API key yet.",
        field="--host",
        remedy="Make one first: interlock keys create --name NAME.",
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        AddressInUseError: The port is taken.
        ConfigurationError: The address is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _bad_address(host, exc) from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it: the first bytes of a stream must not wait for the next.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise AddressInUseError(
                f"Port {port} of {host} is in use.",
                field="--port",
                remedy="Stop the other program, or choose another port with --port.",
            ) from exc
        raise _bad_address(host, exc) from exc
    listener.setblocking(False)
    return listener


def _bad_address(host: str, error: OSError) -> OperatorError:
    return ConfigurationError(
        f"{host} cannot be listened on: {error.strerror or error}.",
        field="--host",
        remedy="Use 127.0.0.1, or an address of this machine.",
    )


def _announce(listener: socket.socket, access: Access, *, created: bool) -> None:
    """Say where the server is, and where its first key; the key itself only to a person at a terminal."""
    lines = [f"Interlock serves {_address(listener)}/v1 (stop with Ctrl-C)"]
    if created:
        lines.append(f"The admin key was made and written to {access.admin_key_path()}")
        text = access.admin_key() if sys.stderr.isatty() else None
        lines += [] if text is None else [f"  {text.reveal()}"]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main() -> None:
    """Run a gateway from the environment alone: what a process supervisor starts."""
    try:
        serve(load_settings(os.environ), environment=os.environ)
    except InterlockError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
