"""Redaction: known secrets in six encodings, and what stands under secret names."""

from interlock_security.redaction._redactor import KnownSecretRedactor

__all__ = ["KnownSecretRedactor"]
