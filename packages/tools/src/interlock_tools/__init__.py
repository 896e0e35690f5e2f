"""OpenAPI documents become tools: loader, converter, registry and executor.

`openapi_to_tool_specs` turns one document into neutral `ToolSpec`s; `ToolRegistry` holds the tools of many
documents and of this process; `ToolExecutor` makes their calls.
"""

from interlock_tools._builtin import builtin_document
from interlock_tools._executor import ToolExecutor
from interlock_tools._handlers import Handler, RawHandler
from interlock_tools._registry import DocumentInfo, DocumentOptions, Reload, ToolRegistry
from interlock_tools._report import ConversionReport, DocumentReport, convert_documents
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.openapi import (
    Conversion,
    ConvertOptions,
    LoadedDocument,
    LoadLimits,
    OpenApiTool,
    Problem,
    Skipped,
    find_documents,
    load_document,
    load_file,
    load_object,
    load_text,
    openapi_to_tool_specs,
)

__all__ = [
    "Conversion",
    "ConversionReport",
    "ConvertOptions",
    "DocumentInfo",
    "DocumentOptions",
    "DocumentReport",
    "ExecutorLimits",
    "Handler",
    "LoadLimits",
    "LoadedDocument",
    "OpenApiTool",
    "Problem",
    "RawHandler",
    "Reload",
    "Skipped",
    "ToolExecutor",
    "ToolRegistry",
    "builtin_document",
    "convert_documents",
    "find_documents",
    "load_document",
    "load_file",
    "load_object",
    "load_text",
    "openapi_to_tool_specs",
]
