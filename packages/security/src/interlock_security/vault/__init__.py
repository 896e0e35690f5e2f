"""Secrets, sealed in the store or in HashiCorp Vault."""

from interlock_security.vault._entry import VaultEntry
from interlock_security.vault._hashicorp import (
    Hashicorp,
    HashicorpAddress,
    HashicorpSecrets,
    KeyValueHolder,
    TransitHolder,
)
from interlock_security.vault._holders import (
    EnvironmentHolder,
    FileHolder,
    HeldKey,
    KeyHolder,
    KeyringHolder,
)
from interlock_security.vault._process import forbid_core_dumps
from interlock_security.vault._ring import KeyRotation
from interlock_security.vault._scope import SecretScope
from interlock_security.vault._vault import Vault

__all__ = [
    "EnvironmentHolder",
    "FileHolder",
    "Hashicorp",
    "HashicorpAddress",
    "HashicorpSecrets",
    "HeldKey",
    "KeyHolder",
    "KeyRotation",
    "KeyValueHolder",
    "KeyringHolder",
    "SecretScope",
    "TransitHolder",
    "Vault",
    "VaultEntry",
    "forbid_core_dumps",
]
