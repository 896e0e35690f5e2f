"""Help and completion."""

from typing import TYPE_CHECKING

import click
import pytest

from interlock_cli._app import interlock

if TYPE_CHECKING:
    from .conftest import CommandLine


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found = list[tuple[str, ...]]()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = (*path, name)
        found += _commands(command, own) if isinstance(command, click.Group) else [own]
    return found


COMMANDS = _commands(interlock)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(cli: "CommandLine", command: tuple[str, ...]) -> None:
    """Every option says what it is, and one example at least can be copied."""
    shown = cli(*command, "--help")
    assert shown.code == 0
    assert f"interlock {' '.join(command)}" in shown.out.partition("Examples:")[2]
    found: click.Command = interlock
    for name in command:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name) or found
    options = [option for option in found.params if isinstance(option, click.Option)]
    assert all(option.help for option in options)
    assert max(map(len, shown.out.splitlines())) <= 110


def test_the_help_names_every_command_and_global_option(cli: "CommandLine") -> None:
    """What is listed is what there is."""
    shown = cli("--help").out
    assert all(f"  {command[0]} " in shown for command in COMMANDS)
    for option in ("--config", "--json", "--quiet", "--verbose", "--no-input", "--server"):
        assert option in shown
    assert "_INTERLOCK_COMPLETE=bash_source" in shown


def test_a_shell_completes_commands_and_options(cli: "CommandLine") -> None:
    """The script is printed, and the names are those of the tree."""
    assert "interlock" in cli.apart(env={"_INTERLOCK_COMPLETE": "zsh_source"}).out
    asked = {"_INTERLOCK_COMPLETE": "bash_complete", "COMP_WORDS": "interlock a", "COMP_CWORD": "1"}
    assert cli.apart(env=asked).out.split() == ["plain,approvals", "plain,ask", "plain,audit"]
    asked |= {"COMP_WORDS": "interlock tools c"}
    assert "plain,call" in cli.apart(env=asked | {"COMP_CWORD": "2"}).out
