"""Where the command starts; `--version` answers before anything else is loaded."""

import sys


def main() -> None:
    """Run the command line with the arguments of this process, and exit with its code."""
    arguments = sys.argv[1:]
    if "--version" in arguments and all(argument.startswith("-") for argument in arguments):
        from interlock_cli import __version__

        sys.stdout.write(f"interlock {__version__}\n")
        raise SystemExit(0)
    from interlock_cli._app import run

    raise SystemExit(run(arguments))


if __name__ == "__main__":
    main()
