"""The tables of tools: documents and MCP servers."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from interlock_runtime.settings._field import BOUNDS, HELP

DEV_TOOLS = "builtin:dev"
"""The source of the tools for developers, which work on a folder instead of an address."""

OAUTH_KEYS = (
    *("client_id", "client_secret", "token_url", "issuer", "refresh_token"),
    *("scopes", "audience", "authentication", "scheme"),
)
"""What `oauth` of a document may say."""

OAUTH_AUTHENTICATION = ("basic", "post", "private_key_jwt", "none")
"""How a client may show who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """`[tools.NAME]`: one OpenAPI document; its tools are `NAME.operation`."""

    source: str = field(
        metadata={HELP: "File (from this file's folder) or address of the document, or `builtin:NAME`."}
    )
    folder: str = field(
        default="",
        metadata={HELP: "For `builtin:dev`: the working folder, from this file's folder."},
    )
    base_url: str = field(default="", metadata={HELP: "Address of the API in place of the document's own."})
    credential: str = field(
        default="",
        metadata={HELP: "`vault:NAME`, `env:NAME`, `file:PATH` or the credential itself.", "secret": "yes"},
    )
    credentials: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            HELP: (
                "Credentials by the document's security scheme, where it has several; `bearer`, `basic`, "
                "`header:NAME`, `query:NAME` and `cookie:NAME` place one that it does not describe."
            ),
            "secret": "yes",
        },
    )
    oauth: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            HELP: (
                "A client that fetches access tokens: `client_id`, `client_secret` (`vault:NAME`), "
                "`token_url` or `issuer`, and where needed `refresh_token`, `scopes`, `audience`, "
                "`authentication` (`basic`, `post`, `private_key_jwt`, `none`) and the document's `scheme` "
                "that it is for."
            ),
            "secret": "yes",
        },
    )
    variables: dict[str, str] = field(
        default_factory=dict[str, str], metadata={HELP: "Values of the variables of the document's servers."}
    )
    allow: tuple[str, ...] = field(
        default=(), metadata={HELP: "Patterns of the operations to offer; all when empty."}
    )
    deny: tuple[str, ...] = field(
        default=(), metadata={HELP: "Patterns of operations that are not offered, whatever `allow` says."}
    )
    trusted: bool = field(
        default=False, metadata={HELP: "Results carry nobody else's text: they taint no run."}
    )
    sha256: str = field(
        default="",
        metadata={HELP: "SHA-256 of the document's bytes, in hexadecimal; any other document is refused."},
    )
    overlays: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Files or addresses of OpenAPI Overlays, laid over the document in this order."},
    )
    headers: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata={HELP: "Headers of every request, such as `accept`; no credentials."},
    )
    max_pages: int = field(
        default=1, metadata={HELP: "Most pages of a list that one call gathers.", BOUNDS: (1, 1000)}
    )
    timeout_s: float = field(default=60.0, metadata={HELP: "Seconds for one request.", BOUNDS: (0.1, inf)})
    max_answer_bytes: int = field(
        default=16 * 1024 * 1024, metadata={HELP: "Longest answer that is read.", BOUNDS: (1, inf)}
    )
    cache: Literal["on", "off"] = field(
        default="on", metadata={HELP: "Whether answers are kept as HTTP's rules allow."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class McpSettings:
    """`[mcp.NAME]`: one MCP server, a program or an address; its tools are `NAME.tool`."""

    command: str = field(default="", metadata={HELP: "Program that is the server, spoken to over its pipes."})
    args: tuple[str, ...] = field(default=(), metadata={HELP: "Arguments of the program."})
    cwd: str = field(
        default="",
        metadata={HELP: "Working folder of the program, from this file's folder; that folder when empty."},
    )
    env: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            HELP: (
                "Variables of the program: values, `vault:NAME`, `env:NAME` or `file:PATH`. Of ours it gets "
                "only `HOME`, `LANG`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR` and `USER`."
            ),
            "secret": "yes",
        },
    )
    url: str = field(default="", metadata={HELP: "Address of a server that speaks streamable HTTP."})
    credential: str = field(
        default="",
        metadata={
            HELP: "For an address: `vault:NAME`, `env:NAME`, `file:PATH` or the token itself.",
            "secret": "yes",
        },
    )
    header: str = field(
        default="", metadata={HELP: "Header that holds the credential as it is; a bearer token when empty."}
    )
    allow: tuple[str, ...] = field(
        default=(), metadata={HELP: "Patterns of the tools to offer; all when empty."}
    )
    trusted: bool = field(
        default=False,
        metadata={HELP: "Believe what it says its tools do, and that its results carry nobody else's text."},
    )
    timeout_s: float = field(
        default=60.0, metadata={HELP: "Seconds for its start, and for each call.", BOUNDS: (0.1, 86_400)}
    )
