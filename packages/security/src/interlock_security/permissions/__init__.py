"""Permissions: roles, rules, conditions, overrides, scopes, grants and the guard that holds them."""

from interlock_security.permissions._checker import PermissionChecker
from interlock_security.permissions._conditions import Conditions, Standing
from interlock_security.permissions._evaluator import Consideration, Ground, Ruling
from interlock_security.permissions._explanation import Explanation
from interlock_security.permissions._grants import Grant, RoleGrants
from interlock_security.permissions._guard import PermissionGuard, RefusalLog
from interlock_security.permissions._overrides import Override, RuleKind
from interlock_security.permissions._overrides_store import OverrideRequest, Overrides
from interlock_security.permissions._roles import BUILTIN_ROLES, Role, RoleBook
from interlock_security.permissions._rules import Rule
from interlock_security.permissions._scopes import checked_scopes

__all__ = [
    "BUILTIN_ROLES",
    "Conditions",
    "Consideration",
    "Explanation",
    "Grant",
    "Ground",
    "Override",
    "OverrideRequest",
    "Overrides",
    "PermissionChecker",
    "PermissionGuard",
    "RefusalLog",
    "Role",
    "RoleBook",
    "RoleGrants",
    "Rule",
    "RuleKind",
    "Ruling",
    "Standing",
    "checked_scopes",
]
