"""Approvals that wait in the store, for whoever may answer them from another process or place."""

from interlock_security.approvals._desk import ApprovalDesk
from interlock_security.approvals._record import (
    ApprovalAnswer,
    ApprovalState,
    PendingApproval,
    request_digest,
)

__all__ = ["ApprovalAnswer", "ApprovalDesk", "ApprovalState", "PendingApproval", "request_digest"]
