"""Permissions, redaction, API keys and the audit log that proves its own integrity."""

from interlock_security._branch import BRANCH
from interlock_security._changes import ChangeLog
from interlock_security._secrets import EnvironmentSecrets
from interlock_security.audit import (
    KEY_FILE,
    WITNESS_FILE,
    AuditEntry,
    AuditGuard,
    AuditLimits,
    AuditLog,
    AuditRecord,
    FileWitness,
    VerifyReport,
    Witness,
)
from interlock_security.keys import AdminKey, ApiKey, ApiKeys, KeyRequest, NewKey, admin_key_text
from interlock_security.permissions import (
    Explanation,
    Grant,
    PermissionChecker,
    PermissionGuard,
    Role,
    RoleBook,
    RoleGrants,
    Rule,
)
from interlock_security.redaction import KnownSecretRedactor

__all__ = [
    "BRANCH",
    "KEY_FILE",
    "WITNESS_FILE",
    "AdminKey",
    "ApiKey",
    "ApiKeys",
    "AuditEntry",
    "AuditGuard",
    "AuditLimits",
    "AuditLog",
    "AuditRecord",
    "ChangeLog",
    "EnvironmentSecrets",
    "Explanation",
    "FileWitness",
    "Grant",
    "KeyRequest",
    "KnownSecretRedactor",
    "NewKey",
    "PermissionChecker",
    "PermissionGuard",
    "Role",
    "RoleBook",
    "RoleGrants",
    "Rule",
    "VerifyReport",
    "Witness",
    "admin_key_text",
]
