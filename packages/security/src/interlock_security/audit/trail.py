"""What is done with a log beside writing it: search, export, proofs, retention."""

from interlock_security.audit._erase import AuditRetention, ErasePlan
from interlock_security.audit._export import AuditExport, ExportFormat
from interlock_security.audit._prove import AuditProofs
from interlock_security.audit._search import AuditPage, AuditQuery, AuditSearch

__all__ = [
    "AuditExport",
    "AuditPage",
    "AuditProofs",
    "AuditQuery",
    "AuditRetention",
    "AuditSearch",
    "ErasePlan",
    "ExportFormat",
]
