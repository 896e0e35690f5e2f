"""OpenAPI documents become tools: loader, converter, registry and executor.

`openapi_to_tool_specs` turns one document into neutral `ToolSpec`s; `ToolRegistry` holds the tools of many
documents and of this process; `ToolExecutor` makes their calls.
"""

from interlock_tools._builtin import builtin_document, builtin_redirects
from interlock_tools._definition import ToolDefinition, difference
from interlock_tools._documents import DocumentInfo, DocumentOptions, Mounted, Reload
from interlock_tools._executor import ToolExecutor
from interlock_tools._handlers import Handler, RawHandler
from interlock_tools._registry import ToolRegistry
from interlock_tools._report import ConversionReport, DocumentReport, convert_documents
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.openapi import (
    Conversion,
    ConvertOptions,
    DocumentBundle,
    LoadedDocument,
    LoadLimits,
    OpenApiTool,
    Problem,
    Skipped,
    contract_of,
    find_documents,
    gather_document,
    load_bundle,
    load_document,
    load_file,
    load_object,
    load_text,
    openapi_to_tool_specs,
    regather_document,
)

__all__ = [
    "Conversion",
    "ConversionReport",
    "ConvertOptions",
    "DocumentBundle",
    "DocumentInfo",
    "DocumentOptions",
    "DocumentReport",
    "ExecutorLimits",
    "Handler",
    "LoadLimits",
    "LoadedDocument",
    "Mounted",
    "OpenApiTool",
    "Problem",
    "RawHandler",
    "Reload",
    "Skipped",
    "ToolDefinition",
    "ToolExecutor",
    "ToolRegistry",
    "builtin_document",
    "builtin_redirects",
    "contract_of",
    "convert_documents",
    "difference",
    "find_documents",
    "gather_document",
    "load_bundle",
    "load_document",
    "load_file",
    "load_object",
    "load_text",
    "openapi_to_tool_specs",
    "regather_document",
]
