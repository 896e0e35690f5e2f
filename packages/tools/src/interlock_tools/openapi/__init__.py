"""OpenAPI documents: read, understood, and turned into tools."""

from interlock_tools.openapi._arguments import Wording
from interlock_tools.openapi._bundle import DocumentBundle
from interlock_tools.openapi._contract import contract_of
from interlock_tools.openapi._convert import (
    AnyDocument,
    Conversion,
    ConvertOptions,
    OpenApiTool,
    openapi_to_tool_specs,
)
from interlock_tools.openapi._gather import find_documents, gather_document, regather_document
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._load import (
    LoadedDocument,
    load_bundle,
    load_document,
    load_file,
    load_object,
    load_text,
)
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._source import LoadLimits, Source

__all__ = [
    "AnyDocument",
    "Conversion",
    "ConvertOptions",
    "DocumentBundle",
    "LoadLimits",
    "LoadedDocument",
    "OpenApiTool",
    "Problem",
    "Skipped",
    "Source",
    "Wording",
    "contract_of",
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
