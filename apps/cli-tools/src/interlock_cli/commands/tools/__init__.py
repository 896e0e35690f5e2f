"""`interlock tools`."""

import click

from interlock_cli.commands.tools._call import call
from interlock_cli.commands.tools._catalog import list_, search, show
from interlock_cli.commands.tools._convert import convert
from interlock_cli.commands.tools._documents import add, reload, remove
from interlock_cli.commands.tools._servers import approve


@click.group()
def tools() -> None:
    """Turn OpenAPI documents into tools; list and call them."""


for _command in (add, approve, call, convert, list_, reload, remove, search, show):
    tools.add_command(_command)
