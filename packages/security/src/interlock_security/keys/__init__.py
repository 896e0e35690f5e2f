"""API keys: shown once, kept as a keyed hash, narrowed by role and scopes, revocable at once."""

from interlock_security.keys._keys import ADMIN_KEY_FILE, PEPPER_FILE, AdminKey, ApiKeys, admin_key_text
from interlock_security.keys._record import ApiKey, KeyRequest, NewKey

__all__ = [
    "ADMIN_KEY_FILE",
    "PEPPER_FILE",
    "AdminKey",
    "ApiKey",
    "ApiKeys",
    "KeyRequest",
    "NewKey",
    "admin_key_text",
]
