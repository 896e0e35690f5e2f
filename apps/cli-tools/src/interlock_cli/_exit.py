"""How the command line ends: every failure as one clear message and a code."""

import sys
from enum import IntEnum

import click

from interlock_cli._globals import Globals
from interlock_cli._screen import status_line
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject


class ExitCode(IntEnum):
    """The codes of the contract."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    CONFIGURATION = 4
    VERIFICATION = 5


def report(error: Exception, options: Globals) -> int:
    """Say what went wrong on standard error, and give the code.

    With `--json` it stands on standard output too, unless the command has printed its document already.
    """
    if options.verbose and not isinstance(error, click.ClickException):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, InterlockError):
        return say(error.as_json(), _words(error), error.exit_code, options)
    if isinstance(error, click.ClickException):
        facts: JsonObject = {"code": "usage", "message": error.format_message()}
        return say(facts, _usage(error), ExitCode.USAGE, options)
    message = (
        f"{type(error).__name__}: {error}"
        if isinstance(error, OSError)
        else f"a fault of Interlock's own: {error!r}"
    )
    remedy = "Run the command again with --verbose for its trace."
    facts = {"code": "internal", "message": message, "remedy": remedy}
    return say(facts, f"{message}. {remedy}", ExitCode.FAILED, options)


def say(facts: JsonObject, words: str, code: int, options: Globals) -> int:
    """Print one failure, for a person and for a program, and give its code back."""
    if options.json:
        options.document.write({"error": facts})
    status_line.clear()
    sys.stderr.write(f"interlock: {words}\n")
    return int(code)


def _words(error: InterlockError) -> str:
    """The error for a person; who failed stands before it, unless the message names it."""
    words = str(error)
    return words if error.vendor is None or error.vendor in words else f"{error.vendor}: {words}"


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} Try '{error.ctx.command_path} --help'."
    return f"{message} Try 'interlock --help'."
