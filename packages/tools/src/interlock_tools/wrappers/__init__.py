"""Thin typed clients of two APIs over the tools made of their shipped documents: GitHub and SAM.gov.

Each call goes through a `ToolExecutor`, so it is checked, guarded, limited, repeated and recorded as any
other tool call; an answer that says no is raised as the error whose class says who must act.
"""

from interlock_tools.wrappers._github import GitHub
from interlock_tools.wrappers._github_records import (
    Branch,
    ChangedFile,
    Comment,
    Commit,
    GitHubFile,
    Issue,
    Label,
    Milestone,
    PullRequest,
    Repository,
    Review,
    Workflow,
    WorkflowRun,
)
from interlock_tools.wrappers._open import opened_github, opened_sam_gov
from interlock_tools.wrappers._sam_gov import SamGov
from interlock_tools.wrappers._sam_gov_records import Entity, Found, Opportunity, Organization

__all__ = [
    "Branch",
    "ChangedFile",
    "Comment",
    "Commit",
    "Entity",
    "Found",
    "GitHub",
    "GitHubFile",
    "Issue",
    "Label",
    "Milestone",
    "Opportunity",
    "Organization",
    "PullRequest",
    "Repository",
    "Review",
    "SamGov",
    "Workflow",
    "WorkflowRun",
    "opened_github",
    "opened_sam_gov",
]
