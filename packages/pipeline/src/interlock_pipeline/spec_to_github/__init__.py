"""The specification-to-issues job: every requirement ends in an issue, or in a stated reason."""

from interlock_pipeline.spec_to_github._draft import IssueDraft
from interlock_pipeline.spec_to_github._job import SpecToGitHub
from interlock_pipeline.spec_to_github._request import JobRequest
from interlock_pipeline.spec_to_github._result import IssueRecord, IssueState, JobResult

__all__ = ["IssueDraft", "IssueRecord", "IssueState", "JobRequest", "JobResult", "SpecToGitHub"]
