"""Tools for developers: the document `specs/ai-dev-tools.yaml`, and a handler behind each operation."""

from interlock_tools.devtools._offering import DevTools, document_tools

__all__ = ["DevTools", "document_tools"]
