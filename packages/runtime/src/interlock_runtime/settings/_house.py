"""The tables of the house: server, store, outbound requests, runs, skills, records."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from interlock_runtime.settings._field import ANY, BOUNDS, HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """`[server]`: the HTTP gateway."""

    host: str = field(default="127.0.0.1", metadata={HELP: "Address to listen on."})
    environment: str = field(
        default="",
        metadata={HELP: "What this installation is, such as `production`, for rules that look at it."},
    )
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
        default=10.0, metadata={HELP: "Seconds for the headers of a request.", BOUNDS: ANY}
    )
    body_timeout_s: float = field(
        default=20.0,
        metadata={
            HELP: "Seconds in which at least 16 KiB of a body, or its end, must come.",
            BOUNDS: ANY,
        },
    )
    idle_timeout_s: float = field(
        default=75.0,
        metadata={
            HELP: "Seconds that a connection stays open without a request.",
            BOUNDS: ANY,
        },
    )
    write_timeout_s: float = field(
        default=60.0,
        metadata={
            HELP: "Seconds in which a client must read some of what waits for it.",
            BOUNDS: ANY,
        },
    )
    grace_s: float = field(
        default=30.0,
        metadata={
            HELP: "Seconds that running requests are given when the server stops.",
            BOUNDS: ANY,
        },
    )
    hosts: tuple[str, ...] = field(
        default=(),
        metadata={
            HELP: (
                "Names such as `gateway.example` by which requests may call this server, beside those of "
                "this machine; on an address beyond it, empty allows every name."
            )
        },
    )
    origins: tuple[str, ...] = field(
        default=(),
        metadata={
            HELP: (
                "Origins such as `app://desk` whose programs may use this server; it answers no web page "
                "that it did not send itself."
            )
        },
    )
    max_wrong_keys: int = field(
        default=20,
        metadata={
            HELP: "Wrong API keys that one network may present a minute before it is locked out.",
            BOUNDS: (1, inf),
        },
    )
    mcp_sessions: bool = field(
        default=False,
        metadata={HELP: "Keep sessions of `/mcp` in memory, for one worker; without, any worker answers."},
    )
    mcp_origins: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Origins of web pages, such as `https://desk.example`, that may use `/mcp`."},
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
                "any change; every `write`; or `never`. Rules of roles ask beside that."
            )
        },
    )
    wait_s: float = field(
        default=0.0,
        metadata={
            HELP: (
                "Seconds that a call waits for an answer from elsewhere when nobody is at hand; with 0 it is "
                "refused at once, and made when it comes again after the answer."
            ),
            BOUNDS: ANY,
        },
    )
    valid_s: float = field(
        default=3600.0,
        metadata={
            HELP: "Seconds after which a question, and a yes that was not used, expires.",
            BOUNDS: (1, inf),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """`[pipeline]`: default bounds of a run; 0 means no bound."""

    max_turns: int = field(default=12, metadata={HELP: "Most answers of the model.", BOUNDS: ANY})
    max_tool_calls: int = field(default=64, metadata={HELP: "Most tool calls.", BOUNDS: ANY})
    max_tokens: int = field(default=0, metadata={HELP: "Most tokens in all.", BOUNDS: ANY})
    max_cost_usd: float = field(
        default=0.0,
        metadata={
            HELP: "Most money in all, in dollars.",
            BOUNDS: ANY,
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
            BOUNDS: ANY,
        },
    )
    max_tools: int = field(
        default=50,
        metadata={
            HELP: "Most tools that a model is shown together; above it, it finds them by `find_tools`.",
            BOUNDS: (1, inf),
        },
    )
    max_tool_tokens: int = field(
        default=16_000,
        metadata={HELP: "Most tokens of the tools that are shown together, estimated.", BOUNDS: (1, inf)},
    )
    tool_search: Literal["auto", "always", "never"] = field(
        default="auto",
        metadata={HELP: "Whether a model finds tools itself: `auto` beyond those, `always` or `never`."},
    )
    pinned_tools: tuple[str, ...] = field(
        default=(), metadata={HELP: "Patterns of tools that are shown even where a model finds them itself."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSettings:
    """`[skills]`: where skills are looked for."""

    folders: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Folders of skills, from this file's folder, before `skills` in the data folder."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """`[telemetry]`: records and metrics, and OpenTelemetry, which is off until an address is named."""

    metrics: bool = field(default=True, metadata={HELP: "Keep statistics of every call."})
    otlp_endpoint: str = field(
        default="",
        metadata={
            HELP: (
                "Address of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`; nothing "
                "is sent when empty."
            )
        },
    )
    otlp_header: str = field(
        default="authorization", metadata={HELP: "Name of the header that carries `otlp_secret`."}
    )
    otlp_secret: str = field(
        default="",
        metadata={
            HELP: "Value of that header, such as `Bearer …`, also as `env:NAME`; none when empty.",
            "secret": "yes",
        },
    )
    service: str = field(default="interlock", metadata={HELP: "Name of this service in traces."})
    traces: bool = field(default=True, metadata={HELP: "Send a span of each call."})
    measurements: bool = field(default=True, metadata={HELP: "Send measurements."})
    one_run_in: int = field(
        default=1, metadata={HELP: "Send the spans of one run in so many.", BOUNDS: (1, inf)}
    )
