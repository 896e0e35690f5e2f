"""What the operator writes about one MCP server, and the bounds of what is taken from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

INHERITED = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
"""Variables of ours that a program is handed; no other, because others hold secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """One MCP server: a program that is spoken to over its pipes, or an address. Exactly one is given.

    Attributes:
        command: The program and its arguments.
        cwd: Working folder of the program.
        env: Its variables, all of them.
        secret_env: Further variables, each with the name of the secret that it holds.
        url: Address of a server that speaks streamable HTTP; its origin is allowed as written.
        credential: Name of the secret that requests to the address carry.
        header: Header that holds the credential as it is; `Authorization: Bearer` when empty.
        allow: Patterns of the tools to offer, by the server's own name of them.
        trusted: What it says its tools do is believed, and its results carry nobody else's text.
        timeout_s: Seconds for its start, and for each call.
    """

    command: tuple[str, ...] = ()
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secret_env: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    credential: str | None = None
    header: str = ""
    allow: tuple[str, ...] = ("*",)
    trusted: bool = False
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MountLimits:
    """Bounds of what one server may send.

    Attributes:
        message_bytes: Longest message.
        unasked_bytes: Most bytes that come without a request of ours in between, and longest HTTP answer.
        noise_lines: Most lines of a program's output that are no message.
        tools: Most tools; further ones are left out.
        pages: Most pages of the list of tools.
        definition_chars: Longest definition of a tool, as JSON; a longer one is refused.
        shown_chars: Most characters of an answer that a model is shown.
        structured_chars: Longest structured answer, as JSON; a longer one is left out.
        parts: Most images and files of an answer.
        part_bytes: Longest image or file.
        words_bytes: Most bytes of a program's error output that are kept, and most that are logged at a time.
        leave_s: Seconds that a program is given to end by itself, and again after it was asked to.
    """

    message_bytes: int = 8 * 1024 * 1024
    unasked_bytes: int = 64 * 1024 * 1024
    noise_lines: int = 1_000
    tools: int = 1_000
    pages: int = 100
    definition_chars: int = 64 * 1024
    shown_chars: int = 24_000
    structured_chars: int = 1_000_000
    parts: int = 16
    part_bytes: int = 8 * 1024 * 1024
    words_bytes: int = 64 * 1024
    leave_s: float = 2.0
