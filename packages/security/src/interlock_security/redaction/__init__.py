"""Redaction: known secrets in six encodings, secret names, shapes of keys, personal data."""

from interlock_security.redaction._detect import PERSONAL, Detection
from interlock_security.redaction._held import refuse_secrets
from interlock_security.redaction._pseudonyms import PseudonymMaker, Pseudonyms
from interlock_security.redaction._redactor import KnownSecretRedactor

__all__ = ["PERSONAL", "Detection", "KnownSecretRedactor", "PseudonymMaker", "Pseudonyms", "refuse_secrets"]
