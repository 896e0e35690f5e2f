"""Results of this house as MCP carries them."""

import base64

from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from interlock_core.errors import InterlockError, RefusedError
from interlock_core.jsontypes import dump_json
from interlock_core.messages import File, Image, Text, ToolResult
from interlock_core.toolspec import ToolSpec
from interlock_tools.mcp._listing import structured

UNTRUSTED = "interlock/untrusted"
"""Key of a result's metadata: it carries text of strangers, which may hold orders that are not the user's."""

MOST_STRUCTURED = 256 * 1024
"""Most characters of a structured answer; a longer one is left out, and its text is cut as for any model."""


def told_result(result: ToolResult, spec: ToolSpec) -> CallToolResult:
    """A result as a client is told it."""
    content: list[ContentBlock] = [_block(part, number) for number, part in enumerate(result.content)]
    if not content:
        content = [TextContent(text="" if result.structured is None else dump_json(result.structured))]
    shape = None if result.is_error else structured(spec, result.structured, most_chars=MOST_STRUCTURED)
    meta = {UNTRUSTED: True} if result.untrusted else None
    if shape is None:
        return CallToolResult(content=content, is_error=result.is_error, _meta=meta)
    return CallToolResult(content=content, structured_content=shape, is_error=result.is_error, _meta=meta)


def told_error(error: InterlockError) -> CallToolResult:
    """An error as a result: a model reads it and can do something else."""
    prefix = "Refused: " if isinstance(error, RefusedError) else ""
    return CallToolResult(content=[TextContent(text=f"{prefix}{error}")], is_error=True)


def _block(part: Text | Image | File, number: int) -> ContentBlock:
    match part:
        case Text():
            return TextContent(text=part.text)
        case Image(data=bytes() as data):
            return ImageContent(data=_base64(data), mime_type=part.media_type or "application/octet-stream")
        case File(data=bytes() as data):
            uri = f"interlock:result/{number}"
            kind = part.media_type or "application/octet-stream"
            contents = BlobResourceContents(uri=uri, blob=_base64(data), mime_type=kind)
            return EmbeddedResource(resource=contents)
        case Image() | File():
            where = part.url or f"interlock:file/{part.file_id}"
            name = (part.name if isinstance(part, File) else None) or "image"
            return ResourceLink(name=name, uri=where, mime_type=part.media_type)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
