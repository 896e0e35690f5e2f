"""The audit log: a Merkle log with signed checkpoints and a witness, and the guard that fills it."""

from interlock_security.audit._guard import AuditGuard
from interlock_security.audit._keys import FileKeys, KeyRing, KeySource
from interlock_security.audit._log import KEY_FILE, WITNESS_FILE, AuditLog
from interlock_security.audit._record import AuditEntry, AuditRecord, RecordKind
from interlock_security.audit._report import Notice, NoticeKind, Problem, ProblemKind, VerifyReport
from interlock_security.audit._sanitise import AuditLimits
from interlock_security.audit._witness import FileWitness, Prove, Sighting, Witness
from interlock_security.audit._witness_http import HttpWitness
from interlock_security.audit._witness_store import StoreWitness

__all__ = [
    "KEY_FILE",
    "WITNESS_FILE",
    "AuditEntry",
    "AuditGuard",
    "AuditLimits",
    "AuditLog",
    "AuditRecord",
    "FileKeys",
    "FileWitness",
    "HttpWitness",
    "KeyRing",
    "KeySource",
    "Notice",
    "NoticeKind",
    "Problem",
    "ProblemKind",
    "Prove",
    "RecordKind",
    "Sighting",
    "StoreWitness",
    "VerifyReport",
    "Witness",
]
