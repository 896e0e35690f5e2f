"""Every setting of Interlock: what the configuration file may say, with its defaults.

One class a table of `config.toml`. Each field's sentence stands in its `help`, from which the
configuration reference is made. Values go into the parts through their constructors; nothing else reads
the file or the environment.
"""

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

from interlock_core import JsonObject

HELP = "help"
"""Key of a field's sentence in its metadata."""

BOUNDS = "bounds"
"""Key of the least and the most that a number may be, in its metadata."""

_ANY: tuple[float, float] = (0, inf)

ProviderKind: TypeAlias = Literal["openai-compatible", "openai", "anthropic", "mistral", "cohere", "local"]
"""The kinds of provider that this version speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """`[server]`: the HTTP gateway."""

    host: str = field(default="127.0.0.1", metadata={HELP: "Address to listen on."})
    port: int = field(
        default=8420,
        metadata={
            HELP: "Port to listen on; 0 takes a free one.",
            BOUNDS: (0, 65535),
        },
    )
    workers: int = field(default=1, metadata={HELP: "Worker processes.", BOUNDS: (1, 256)})
    max_body_bytes: int = field(
        default=32 * 1024 * 1024,
        metadata={
            HELP: "Largest request body, in bytes.",
            BOUNDS: (1, inf),
        },
    )
    max_connections: int = field(
        default=10_000, metadata={HELP: "Most clients at a time, for each worker.", BOUNDS: (1, inf)}
    )
    head_timeout_s: float = field(
        default=10.0, metadata={HELP: "Seconds for the headers of a request.", BOUNDS: _ANY}
    )
    body_timeout_s: float = field(
        default=20.0,
        metadata={
            HELP: "Seconds in which at least 16 KiB of a body, or its end, must come.",
            BOUNDS: _ANY,
        },
    )
    idle_timeout_s: float = field(
        default=75.0,
        metadata={
            HELP: "Seconds that a connection stays open without a request.",
            BOUNDS: _ANY,
        },
    )
    write_timeout_s: float = field(
        default=60.0,
        metadata={
            HELP: "Seconds in which a client must read some of what waits for it.",
            BOUNDS: _ANY,
        },
    )
    grace_s: float = field(
        default=30.0,
        metadata={
            HELP: "Seconds that running requests are given when the server stops.",
            BOUNDS: _ANY,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`[store]`: the database."""

    url: str = field(
        default="",
        metadata={HELP: "`sqlite:///path` or `postgresql://…`; empty for `interlock.db` in the data folder."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """`[egress]`: which addresses may be reached beside those that this file names itself."""

    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Origins such as `http://10.0.0.5:8080` that are allowed exactly as written."},
    )
    allow_private: bool = field(
        default=False, metadata={HELP: "Allow every private and loopback address; for closed networks only."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """`[approvals]`: which calls of a model a person must approve. No answer means no."""

    require: Literal["destructive", "write", "never"] = field(
        default="destructive",
        metadata={
            HELP: (
                "Calls of a run that need a person: `destructive` ones and, once untrusted text came in, "
                "any change; every `write`; or `never`."
            )
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """`[pipeline]`: default bounds of a run; 0 means no bound."""

    max_turns: int = field(default=12, metadata={HELP: "Most answers of the model.", BOUNDS: _ANY})
    max_tool_calls: int = field(default=64, metadata={HELP: "Most tool calls.", BOUNDS: _ANY})
    max_tokens: int = field(default=0, metadata={HELP: "Most tokens in all.", BOUNDS: _ANY})
    max_cost_usd: float = field(
        default=0.0,
        metadata={
            HELP: "Most money in all, in dollars.",
            BOUNDS: _ANY,
        },
    )
    max_result_chars: int = field(
        default=24_000,
        metadata={
            HELP: "Most characters of a tool's answer that a model is shown.",
            BOUNDS: (200, inf),
        },
    )
    max_seconds: float = field(
        default=600.0,
        metadata={
            HELP: "Most wall time, in seconds.",
            BOUNDS: _ANY,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSettings:
    """`[skills]`: where skills are looked for."""

    folders: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Folders of skills, from this file's folder, before `skills` in the data folder."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """`[users.NAME]`: one user."""

    roles: tuple[str, ...] = field(default=(), metadata={HELP: "Roles that the user holds."})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """`[providers.NAME]`: one provider; its models are `NAME/model`."""

    kind: ProviderKind = field(metadata={HELP: "How it is spoken to."})
    base_url: str = field(
        default="", metadata={HELP: "Address of its API, such as `http://127.0.0.1:8000/v1`."}
    )
    api_key: str = field(
        default="", metadata={HELP: "`env:NAME`, `file:PATH` or the key itself.", "secret": "yes"}
    )
    models: tuple[str, ...] = field(
        default=(),
        metadata={
            HELP: "Its models; asked of it when empty. For `local`: GGUF files, from this file's folder."
        },
    )
    enabled: bool = field(default=True, metadata={HELP: "Whether it is used."})
    carrier: Literal["fast", "sdk"] = field(
        default="fast", metadata={HELP: "`fast` is our own client, `sdk` the vendor's official one."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """`[models."P/M"]`: facts of one model that replace what is known of it."""

    input_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million input tokens.", BOUNDS: _ANY}
    )
    output_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million output tokens.", BOUNDS: _ANY}
    )
    cache_read_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million cached tokens.", BOUNDS: _ANY}
    )
    cache_write_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million tokens written to the cache.", BOUNDS: _ANY}
    )
    context_tokens: int | None = field(
        default=None, metadata={HELP: "Most tokens of input and output.", BOUNDS: (1, inf)}
    )
    max_output_tokens: int | None = field(
        default=None, metadata={HELP: "Most output tokens.", BOUNDS: (1, inf)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """`[policies.NAME]`: weights and limits by which the router chooses; used as `auto/NAME`."""

    quality: float = field(
        default=1.0,
        metadata={
            HELP: "Weight of the expected quality.",
            BOUNDS: _ANY,
        },
    )
    price: float = field(
        default=0.3,
        metadata={
            HELP: "Weight of the expected price.",
            BOUNDS: _ANY,
        },
    )
    latency: float = field(
        default=0.1,
        metadata={
            HELP: "Weight of the expected latency.",
            BOUNDS: _ANY,
        },
    )
    prefer: tuple[str, ...] = field(default=(), metadata={HELP: "Models or patterns to prefer, best first."})
    exclude: tuple[str, ...] = field(default=(), metadata={HELP: "Models or patterns never chosen."})
    max_cost_usd: float | None = field(
        default=None, metadata={HELP: "Most dollars a request may cost.", BOUNDS: _ANY}
    )
    max_latency_s: float | None = field(
        default=None, metadata={HELP: "Most seconds an answer may take.", BOUNDS: _ANY}
    )
    local_first: bool = field(default=False, metadata={HELP: "Models that run here come first."})
    local_only: bool = field(default=False, metadata={HELP: "Only models that run here."})
    fallbacks: int = field(
        default=3,
        metadata={
            HELP: "How many further models are tried when one fails.",
            BOUNDS: _ANY,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """`[tools.NAME]`: one OpenAPI document; its tools are `NAME.operation`."""

    source: str = field(
        metadata={HELP: "File (from this file's folder) or address of the document, or `builtin:github`."}
    )
    base_url: str = field(default="", metadata={HELP: "Address of the API in place of the document's own."})
    credential: str = field(
        default="", metadata={HELP: "`env:NAME`, `file:PATH` or the credential itself.", "secret": "yes"}
    )
    allow: tuple[str, ...] = field(
        default=(), metadata={HELP: "Patterns of the operations to offer; all when empty."}
    )
    trusted: bool = field(
        default=False, metadata={HELP: "Results carry nobody else's text: they taint no run."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`[audit]`: the audit log. Calls that change something are always in it."""

    reads: bool = field(default=True, metadata={HELP: "Record calls of tools that only read."})
    witness: str = field(
        default="", metadata={HELP: "File of the witness; empty for `audit.witness` in the data folder."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """`[telemetry]`: records and metrics."""

    metrics: bool = field(default=True, metadata={HELP: "Keep statistics of every call."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration.

    Attributes:
        home: The data folder.
        file: The configuration file that was read, if there was one.
    """

    home: Path
    file: Path | None = None
    server: ServerSettings = field(default_factory=ServerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    egress: EgressSettings = field(default_factory=EgressSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    skills: SkillSettings = field(default_factory=SkillSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    users: dict[str, UserSettings] = field(default_factory=dict[str, UserSettings])
    providers: dict[str, ProviderSettings] = field(default_factory=dict[str, ProviderSettings])
    models: dict[str, ModelSettings] = field(default_factory=dict[str, ModelSettings])
    policies: dict[str, PolicySettings] = field(default_factory=dict[str, PolicySettings])
    tools: dict[str, ToolSettings] = field(default_factory=dict[str, ToolSettings])
    roles: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    @property
    def store_url(self) -> str:
        """Address of the database."""
        return self.store.url or f"sqlite:///{self.home / 'interlock.db'}"

    def path(self, text: str) -> Path:
        """A path that a setting names: relative ones begin at the configuration file's folder."""
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # `~somebody` who is not known here is the name of a file
            path = Path(text)
        return path if self.file is None else self.file.parent / path


TABLES: dict[str, type] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "egress": EgressSettings,
    "approvals": ApprovalSettings,
    "pipeline": PipelineSettings,
    "skills": SkillSettings,
    "audit": AuditSettings,
    "telemetry": TelemetrySettings,
}
"""The tables that stand once, by name."""

NAMED_TABLES: dict[str, type] = {
    "users": UserSettings,
    "providers": ProviderSettings,
    "models": ModelSettings,
    "policies": PolicySettings,
    "tools": ToolSettings,
}
"""The tables that stand once a name: `[providers.NAME]`."""

RAW_TABLES = ("aliases", "roles")
"""Tables whose form is not fixed keys: names to models, and the rules of roles."""

LATER_TABLES = (
    *("alerts", "cache", "experiments", "limits", "mcp"),
    *("quotas", "redaction", "retention", "teams", "vault"),
)
"""Tables that the configuration reserves and this version does not act on: refused, never ignored."""
