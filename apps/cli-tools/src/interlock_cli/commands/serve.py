"""`interlock serve`: hands over to the HTTP face, which registers itself as a plug-in."""

import os

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import settings_of
from interlock_core.errors import MissingExtraError

_GROUP = "interlock.faces"


@click.command(epilog=examples("interlock serve", "interlock serve --port 9000 --workers 2"))
@click.option("--host", help="Address to listen on; 127.0.0.1 unless configured.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; 8420 unless configured.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes; 1 unless configured.")
@click.pass_obj
def serve(options: Globals, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the HTTP gateway until it is stopped."""
    from importlib.metadata import entry_points

    given = {"host": host, "port": port, "workers": workers}
    flags = {name: value for name, value in given.items() if value is not None}
    settings = settings_of(options, {"server": flags} if flags else None)
    found = entry_points(group=_GROUP, name="http")
    if not found:
        raise MissingExtraError(
            "The HTTP face is not installed.", remedy="Install it: pip install interlock-api."
        )
    next(iter(found)).load()(settings, environment=os.environ, config=options.config, quiet=options.quiet)
