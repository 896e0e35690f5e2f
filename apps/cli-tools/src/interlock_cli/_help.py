"""What stands at the end of a command's help."""

_EVERYWHERE = "Options that every command takes: see 'interlock --help'."


def examples(*lines: str) -> str:
    """Examples, one a line, and where the options are that every command takes."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{shown}\n\n{_EVERYWHERE}"
