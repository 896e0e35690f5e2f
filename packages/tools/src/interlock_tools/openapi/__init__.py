"""OpenAPI documents: read, understood, and turned into tools."""

from interlock_tools.openapi._arguments import Wording
from interlock_tools.openapi._convert import (
    AnyDocument,
    Conversion,
    ConvertOptions,
    OpenApiTool,
    openapi_to_tool_specs,
)
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._load import (
    LoadedDocument,
    LoadLimits,
    Source,
    find_documents,
    load_document,
    load_file,
    load_object,
    load_text,
)
from interlock_tools.openapi._problem import Problem

__all__ = [
    "AnyDocument",
    "Conversion",
    "ConvertOptions",
    "LoadLimits",
    "LoadedDocument",
    "OpenApiTool",
    "Problem",
    "Skipped",
    "Source",
    "Wording",
    "find_documents",
    "load_document",
    "load_file",
    "load_object",
    "load_text",
    "openapi_to_tool_specs",
]
