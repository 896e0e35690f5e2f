"""Runs commands where they can do no harm: on a copy of a folder, without network, within limits."""

from interlock_tools.sandbox._folder import CopiedFile, FolderCopy, FolderLimits, copy_folder
from interlock_tools.sandbox._namespaces import NamespaceSandbox, SandboxLimits, SandboxRun

__all__ = [
    "CopiedFile",
    "FolderCopy",
    "FolderLimits",
    "NamespaceSandbox",
    "SandboxLimits",
    "SandboxRun",
    "copy_folder",
]
