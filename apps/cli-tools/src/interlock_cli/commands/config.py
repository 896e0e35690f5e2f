"""`interlock config`."""

import os
from pathlib import Path

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._screen import Screen
from interlock_cli._session import settings_of
from interlock_core.errors import NotFoundError
from interlock_core.jsontypes import dump_json
from interlock_runtime.configuration import LOCAL_NAME, config_of, locate, settings_json
from interlock_runtime.configuration import trust as trust_file


@click.group()
def config() -> None:
    """Show and check the configuration."""


@config.command("path", epilog=examples("interlock config path"))
@click.pass_obj
def path(options: Globals) -> None:
    """Say which file is read, and where the data is."""
    source = locate(os.environ, config=options.config)
    screen = Screen(options)
    file = None if source.file is None else str(source.file)
    if screen.as_json:
        screen.json(
            {
                "file": file,
                "why": source.why,
                "create": None if file else str(config_of(os.environ)),
                "home": str(source.home),
            }
        )
    told = (
        f"{file} ({source.why})" if file else f"none (defaults); to have one, create {config_of(os.environ)}"
    )
    screen.result(f"configuration  {told}\ndata           {source.home}")
    if source.untrusted is not None:
        screen.warn(f"{source.untrusted} is not read: 'interlock config trust' allows it.")


@config.command(
    "check", epilog=examples("interlock config check", "interlock --config other.toml config check")
)
@click.pass_obj
def check(options: Globals) -> None:
    """Read the configuration and say what is wrong with it."""
    settings = settings_of(options)
    screen = Screen(options)
    if screen.as_json:
        screen.json({"ok": True, "file": None if settings.file is None else str(settings.file)})
    screen.result(f"{settings.file or 'defaults'}: valid")


@config.command("show", epilog=examples("interlock config show", "interlock config show --json"))
@click.pass_obj
def show(options: Globals) -> None:
    """Show every setting; secrets are hidden."""
    found = settings_json(settings_of(options))
    screen = Screen(options)
    if screen.as_json:
        screen.json(found)
    screen.result(dump_json(found, indent=2))


@config.command("trust", epilog=examples("interlock config trust"))
@click.pass_obj
def trust(options: Globals) -> None:
    """Allow the interlock.toml of this folder, as it is now."""
    source = locate(os.environ, config=options.config)
    file = Path.cwd() / LOCAL_NAME
    if not file.is_file():
        raise NotFoundError(
            f"There is no {LOCAL_NAME} in this folder.", remedy="Write one, or go to its folder."
        )
    digest = trust_file(source.home, file)
    screen = Screen(options)
    if screen.as_json:
        screen.json({"file": str(file), "sha256": digest})
    screen.result(f"{file} is trusted while its content stays {digest[:12]}…")
