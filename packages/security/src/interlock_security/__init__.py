"""Permissions, redaction, API keys and the audit log that proves its own integrity."""

from importlib import import_module
from typing import TYPE_CHECKING

from interlock_security._branch import BRANCH
from interlock_security._changes import ChangeLog
from interlock_security._secrets import EnvironmentSecrets
from interlock_security.approvals import ApprovalAnswer, ApprovalDesk, ApprovalState, PendingApproval
from interlock_security.audit import (
    KEY_FILE,
    WITNESS_FILE,
    AuditEntry,
    AuditGuard,
    AuditLimits,
    AuditLog,
    AuditRecord,
    FileKeys,
    FileWitness,
    HttpWitness,
    KeyRing,
    KeySource,
    Sighting,
    StoreWitness,
    VerifyReport,
    Witness,
)
from interlock_security.keys import (
    AdminKey,
    ApiKey,
    ApiKeys,
    KeyBudgets,
    KeyRequest,
    KeyRules,
    LockedOutError,
    NewKey,
    admin_key_text,
)
from interlock_security.limits import LimitGuard, LimitKind, LimitRule, LimitScope, RateLimiter
from interlock_security.people import DeclaredTeam, DeclaredUser, People, Standing, Team, User
from interlock_security.permissions import (
    Explanation,
    Grant,
    Override,
    OverrideRequest,
    Overrides,
    PermissionChecker,
    PermissionGuard,
    Role,
    RoleBook,
    RoleGrants,
    Rule,
    RuleKind,
)
from interlock_security.redaction import PERSONAL, Detection, KnownSecretRedactor, PseudonymMaker, Pseudonyms

if TYPE_CHECKING:
    from interlock_security.alerts import (
        AlertDesk,
        AlertGuard,
        AlertKind,
        AlertRules,
        KeyWatch,
        StreamNotifier,
        WebhookNotifier,
    )
    from interlock_security.audit.trail import (
        AuditExport,
        AuditPage,
        AuditProofs,
        AuditQuery,
        AuditRetention,
        AuditSearch,
        ErasePlan,
        ExportFormat,
    )
    from interlock_security.quotas import Quota, QuotaGuard, QuotaMeter, Quotas

__all__ = [
    "BRANCH",
    "KEY_FILE",
    "PERSONAL",
    "WITNESS_FILE",
    "AdminKey",
    "AlertDesk",
    "AlertGuard",
    "AlertKind",
    "AlertRules",
    "ApiKey",
    "ApiKeys",
    "ApprovalAnswer",
    "ApprovalDesk",
    "ApprovalState",
    "AuditEntry",
    "AuditExport",
    "AuditGuard",
    "AuditLimits",
    "AuditLog",
    "AuditPage",
    "AuditProofs",
    "AuditQuery",
    "AuditRecord",
    "AuditRetention",
    "AuditSearch",
    "ChangeLog",
    "DeclaredTeam",
    "DeclaredUser",
    "Detection",
    "EnvironmentSecrets",
    "ErasePlan",
    "Explanation",
    "ExportFormat",
    "FileKeys",
    "FileWitness",
    "Grant",
    "HttpWitness",
    "KeyBudgets",
    "KeyRequest",
    "KeyRing",
    "KeyRules",
    "KeySource",
    "KeyWatch",
    "KnownSecretRedactor",
    "LimitGuard",
    "LimitKind",
    "LimitRule",
    "LimitScope",
    "LockedOutError",
    "NewKey",
    "Override",
    "OverrideRequest",
    "Overrides",
    "PendingApproval",
    "People",
    "PermissionChecker",
    "PermissionGuard",
    "PseudonymMaker",
    "Pseudonyms",
    "Quota",
    "QuotaGuard",
    "QuotaMeter",
    "Quotas",
    "RateLimiter",
    "Role",
    "RoleBook",
    "RoleGrants",
    "Rule",
    "RuleKind",
    "Sighting",
    "Standing",
    "StoreWitness",
    "StreamNotifier",
    "Team",
    "User",
    "VerifyReport",
    "WebhookNotifier",
    "Witness",
    "admin_key_text",
]

# What these stand on, cryptography among it, is loaded by whoever names one of them.
_LATER = ("alerts", "audit.trail", "quotas")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in __all__:
            for home in _LATER:
                module = import_module(f"{__name__}.{home}")
                if name in module.__all__:
                    value: object = getattr(module, name)
                    globals()[name] = value
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
