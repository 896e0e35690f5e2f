"""What comes out of the specification job."""

from interlock_pipeline.spec_to_github import IssueRecord, IssueState, JobResult

__all__ = ["IssueRecord", "IssueState", "JobResult"]
