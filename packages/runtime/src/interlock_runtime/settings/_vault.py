"""The table of the vault."""

from dataclasses import dataclass, field
from typing import Literal

from interlock_runtime.settings._field import HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """`[vault]`: where `vault:NAME` leads, and where the key is that seals the vault."""

    secrets: Literal["store", "hashicorp"] = field(
        default="store",
        metadata={
            HELP: (
                "Where `vault:NAME` leads: sealed in the store, or the key-value engine of a HashiCorp "
                "Vault, where it is `vault:PATH` or `vault:PATH#FIELD`."
            )
        },
    )
    key: str = field(
        default="file",
        metadata={
            HELP: (
                "Where the vault's key is: `file` (in the data folder), `keyring` (the system's key store), "
                "`env:NAME`, or a HashiCorp Vault: `transit:KEY` or `kv:PATH`."
            )
        },
    )
    former_key: str = field(
        default="",
        metadata={HELP: "Where the key was before, until `interlock vault rotate --key` has been run."},
    )
    address: str = field(default="", metadata={HELP: "Address of the HashiCorp Vault."})
    token: str = field(
        default="env:VAULT_TOKEN",
        metadata={HELP: "Token for the HashiCorp Vault: `env:NAME` or `file:PATH`.", "secret": "yes"},
    )
    namespace: str = field(default="", metadata={HELP: "Namespace of the HashiCorp Vault."})
    mount: str = field(default="secret", metadata={HELP: "Mount of its key-value engine, version 2."})
    transit: str = field(default="transit", metadata={HELP: "Mount of its transit engine."})
