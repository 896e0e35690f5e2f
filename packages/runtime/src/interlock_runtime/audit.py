"""What faces need to search, export and check the audit log, beside `Runtime.trail`."""

from interlock_runtime._trail import check_proof, verifier_source
from interlock_security.audit.trail import AuditQuery, ExportFormat

__all__ = ["AuditQuery", "ExportFormat", "check_proof", "verifier_source"]
