"""The tree of commands. A command's module is imported only when that command runs."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, cast

import click

from interlock_cli import __version__
from interlock_cli._exit import ExitCode, report, say
from interlock_cli._globals import Globals, extract
from interlock_core.nearest import suggestion

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMPLETION = "_INTERLOCK_COMPLETE"

_COMMANDS: dict[str, tuple[str, str]] = {
    "approvals": ("approvals:approvals", "List, give and refuse approvals that wait."),
    "ask": ("ask:ask", "Ask a model one thing, with tools if you like."),
    "audit": ("audit:audit", "Read and verify the audit log."),
    "can": ("can:can", "Say whether a user may call a tool, and why."),
    "config": ("config:config", "Show and check the configuration."),
    "demo": ("demo:demo", "Run the main job on embedded defaults, without a key."),
    "doctor": ("doctor:doctor", "Look for what is wrong and say what to do."),
    "keys": ("keys:keys", "Create, list and revoke API keys."),
    "limits": ("limits:limits", "List, set and clear rate limits."),
    "mcp": ("mcp:mcp", "Serve the tools to a client of the Model Context Protocol."),
    "models": ("models:models", "List models and fetch the local one."),
    "providers": ("providers:providers", "List and check providers."),
    "quota": ("quota:quota", "Set quotas of money, show what is used, raise one for a while."),
    "roles": ("roles:roles", "List roles; grant, revoke and override them."),
    "route": ("route:route", "Explain which model the router would choose."),
    "serve": ("serve:serve", "Serve the HTTP gateway."),
    "skills": ("skills:skills", "List, show and validate skills."),
    "spec-to-github": ("spec_to_github:spec_to_github", "Turn a specification into GitHub issues."),
    "stats": ("stats:stats", "Show what models and tools did and cost."),
    "teams": ("teams:teams", "Create teams; add and remove their members."),
    "tools": ("tools:tools", "Turn OpenAPI documents into tools; list and call them."),
    "vault": ("vault:vault", "Keep secrets sealed; set, list, rotate and remove them."),
    "users": ("users:users", "List, create and disable users."),
}

_EPILOG = """\b
Everywhere, before or after the command:
  --config FILE   use this configuration file
  --json          print JSON on standard output
  --quiet         print results and errors only
  --verbose       print more, and the trace of a failure
  --no-input      ask nothing; what needs an answer is refused
  --server URL    'ask' and 'models list' through a running server (or INTERLOCK_SERVER);
                  its key is in INTERLOCK_KEY

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 configuration, 5 verification failed.

\b
Completion of names in your shell:
  bash   eval "$(_INTERLOCK_COMPLETE=bash_source interlock)"
  zsh    eval "$(_INTERLOCK_COMPLETE=zsh_source interlock)"
  fish   _INTERLOCK_COMPLETE=fish_source interlock | source

\b
First steps:
  interlock demo
  interlock ask 'Why is the sky blue?'"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        command = getattr(import_module(f"interlock_cli.commands.{module}"), name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; an unknown one is answered with the nearest."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command {args[0]!r}. {suggestion(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Names that a shell may complete, without importing any command."""
        from click.shell_completion import CompletionItem

        names = [name for name in sorted(_COMMANDS) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=_COMMANDS[name][1]) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in sorted(_COMMANDS)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.version_option(version=__version__, prog_name="interlock", message="%(prog)s %(version)s")
def interlock() -> None:
    """Every model and every API through one safe, observable door."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line and give back its exit code.

    Args:
        arguments: What stands behind the command's name.
    """
    found = Globals(json="--json" in arguments)
    try:
        found, rest = extract(arguments)
        _speak_utf8(found)
        _invoke(rest, found)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        return say(
            {"code": "usage", "message": "No command is named."},
            error.format_message(),
            ExitCode.USAGE,
            found,
        )
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return say({"code": "stopped", "message": "Stopped."}, "Stopped.", ExitCode.FAILED, found)
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:  # noqa: BLE001 - the border of the program: every failure becomes words and a code
        return report(error, found)
    return ExitCode.DONE


def _invoke(rest: list[str], found: Globals) -> None:
    """Run one command. Click's own `main` serves the shell's questions alone: it hides a closed pipe."""
    if _COMPLETION in os.environ:
        interlock.main(args=rest, prog_name="interlock", complete_var=_COMPLETION, obj=found)
    with interlock.make_context("interlock", rest, obj=found) as context:
        interlock.invoke(context)


def _speak_utf8(found: Globals) -> None:
    """JSON is UTF-8 wherever it is printed; for a person a letter that the terminal lacks is written out."""
    if not isinstance(sys.stdout, TextIOWrapper):
        return
    out = cast("TextIOWrapper", sys.stdout)
    if found.json:
        out.reconfigure(encoding="utf-8")
    else:
        out.reconfigure(errors="backslashreplace")


def _closed_pipe() -> int:
    """The reader of our output left: that is no failure of ours, and nothing more can be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.DONE
