"""The loop between a model and its tools, and the job that turns a specification into issues.

The job is in `interlock_pipeline.spec_to_github`, what it reads in `interlock_pipeline.specification`.
"""

from interlock_pipeline._approval import (
    ApprovingExecutor,
    Nobody,
    any_change,
    destructive_only,
    destructive_or_tainted,
)
from interlock_pipeline._loop import ToolCallingPipeline
from interlock_pipeline._offer import META_TOOLS, ToolOffering

__all__ = [
    "META_TOOLS",
    "ApprovingExecutor",
    "Nobody",
    "ToolCallingPipeline",
    "ToolOffering",
    "any_change",
    "destructive_only",
    "destructive_or_tainted",
]
