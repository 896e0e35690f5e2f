"""Every setting of Interlock: what the configuration file may say, with its defaults.

One class a table of `config.toml`. Each field's sentence stands in its `help`, from which the
configuration reference is made. Values go into the parts through their constructors; nothing else reads
the file or the environment.
"""

from dataclasses import dataclass, field
from pathlib import Path

from interlock_core import JsonObject
from interlock_runtime.settings._field import BOUNDS, HELP
from interlock_runtime.settings._house import (
    ApprovalSettings,
    EgressSettings,
    PipelineSettings,
    ServerSettings,
    SkillSettings,
    StoreSettings,
    TelemetrySettings,
)
from interlock_runtime.settings._limits import CacheSettings, LimitSettings
from interlock_runtime.settings._models import (
    ModelSettings,
    PolicySettings,
    ProviderKind,
    ProviderSettings,
    TaskSettings,
)
from interlock_runtime.settings._people import AuditSettings, TeamSettings, UserSettings
from interlock_runtime.settings._quotas import QuotaSettings
from interlock_runtime.settings._redaction import RedactionSettings
from interlock_runtime.settings._tools import (
    DEV_TOOLS,
    OAUTH_AUTHENTICATION,
    OAUTH_KEYS,
    McpSettings,
    ToolSettings,
)
from interlock_runtime.settings._trail import AlertSettings, RetentionSettings
from interlock_runtime.settings._vault import VaultSettings

__all__ = [
    "BOUNDS",
    "DEV_TOOLS",
    "HELP",
    "LATER_TABLES",
    "LISTED_TABLES",
    "NAMED_TABLES",
    "OAUTH_AUTHENTICATION",
    "OAUTH_KEYS",
    "RAW_TABLES",
    "TABLES",
    "AlertSettings",
    "ApprovalSettings",
    "AuditSettings",
    "CacheSettings",
    "EgressSettings",
    "LimitSettings",
    "McpSettings",
    "ModelSettings",
    "PipelineSettings",
    "PolicySettings",
    "ProviderKind",
    "ProviderSettings",
    "QuotaSettings",
    "RedactionSettings",
    "RetentionSettings",
    "ServerSettings",
    "Settings",
    "SkillSettings",
    "StoreSettings",
    "TaskSettings",
    "TeamSettings",
    "TelemetrySettings",
    "ToolSettings",
    "UserSettings",
    "VaultSettings",
]


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
    cache: CacheSettings = field(default_factory=CacheSettings)
    egress: EgressSettings = field(default_factory=EgressSettings)
    vault: VaultSettings = field(default_factory=VaultSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    skills: SkillSettings = field(default_factory=SkillSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    users: dict[str, UserSettings] = field(default_factory=dict[str, UserSettings])
    teams: dict[str, TeamSettings] = field(default_factory=dict[str, TeamSettings])
    providers: dict[str, ProviderSettings] = field(default_factory=dict[str, ProviderSettings])
    models: dict[str, ModelSettings] = field(default_factory=dict[str, ModelSettings])
    policies: dict[str, PolicySettings] = field(default_factory=dict[str, PolicySettings])
    tasks: dict[str, TaskSettings] = field(default_factory=dict[str, TaskSettings])
    tools: dict[str, ToolSettings] = field(default_factory=dict[str, ToolSettings])
    mcp: dict[str, McpSettings] = field(default_factory=dict[str, McpSettings])
    roles: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    limits: tuple[LimitSettings, ...] = ()
    quotas: tuple[QuotaSettings, ...] = ()

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
    "cache": CacheSettings,
    "egress": EgressSettings,
    "vault": VaultSettings,
    "approvals": ApprovalSettings,
    "pipeline": PipelineSettings,
    "skills": SkillSettings,
    "audit": AuditSettings,
    "telemetry": TelemetrySettings,
    "redaction": RedactionSettings,
    "retention": RetentionSettings,
    "alerts": AlertSettings,
}
"""The tables that stand once, by name."""

NAMED_TABLES: dict[str, type] = {
    "users": UserSettings,
    "teams": TeamSettings,
    "providers": ProviderSettings,
    "models": ModelSettings,
    "policies": PolicySettings,
    "tasks": TaskSettings,
    "tools": ToolSettings,
    "mcp": McpSettings,
}
"""The tables that stand once a name: `[providers.NAME]`."""

LISTED_TABLES: dict[str, type[object]] = {"limits": LimitSettings, "quotas": QuotaSettings}
"""The tables that stand any number of times: `[[limits]]`."""

RAW_TABLES = ("aliases", "roles")
"""Tables whose form is not fixed keys: names to models, and the rules of roles."""

LATER_TABLES = ("experiments",)
"""Tables that the configuration reserves and this version does not act on: refused, never ignored."""
