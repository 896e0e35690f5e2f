"""Permissions: roles, rules, scopes, grants and the guard that holds them."""

from interlock_security.permissions._checker import Consideration, Explanation, PermissionChecker
from interlock_security.permissions._grants import Grant, RoleGrants
from interlock_security.permissions._guard import PermissionGuard, RefusalLog
from interlock_security.permissions._roles import BUILTIN_ROLES, Role, RoleBook
from interlock_security.permissions._rules import Rule
from interlock_security.permissions._scopes import checked_scopes

__all__ = [
    "BUILTIN_ROLES",
    "Consideration",
    "Explanation",
    "Grant",
    "PermissionChecker",
    "PermissionGuard",
    "RefusalLog",
    "Role",
    "RoleBook",
    "RoleGrants",
    "Rule",
    "checked_scopes",
]
