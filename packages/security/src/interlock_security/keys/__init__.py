"""API keys: shown once, kept as a keyed hash, narrowed by role and scopes, revocable at once."""

from interlock_security.keys._guessing import LockedOutError
from interlock_security.keys._keys import (
    ADMIN_KEY_FILE,
    PEPPER_FILE,
    AdminKey,
    ApiKeys,
    KeyRules,
    Owners,
    admin_key_text,
)
from interlock_security.keys._record import ApiKey, KeyBudgets, KeyRequest, NewKey

__all__ = [
    "ADMIN_KEY_FILE",
    "PEPPER_FILE",
    "AdminKey",
    "ApiKey",
    "ApiKeys",
    "KeyBudgets",
    "KeyRequest",
    "KeyRules",
    "LockedOutError",
    "NewKey",
    "Owners",
    "admin_key_text",
]
