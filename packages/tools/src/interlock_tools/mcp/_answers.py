"""What a mounted server answered, as a result that a model can read, within bounds."""

import base64
import binascii

from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, dump_json
from interlock_core.messages import File, Image, Text, ToolResult
from interlock_core.schema import validator
from interlock_core.toolspec import ToolSpec
from interlock_tools.mcp._options import MountLimits
from interlock_tools.mcp._words import fit_to_show

_CODE = "tool_failed"
_LINK = 300


def result_of(answer: CallToolResult, spec: ToolSpec, *, call_id: str, limits: MountLimits) -> ToolResult:
    """The result of one call.

    Texts stay as they are, up to the bound; images and files up to theirs; a link is told and not followed.
    A structured answer that breaks the server's own schema is kept, and said to do so.
    """
    parts = _Parts(limits)
    for block in answer.content:
        parts.take(block)
    structured, note = _structured(answer, spec, limits)
    if structured is not None and not parts.said:
        parts.say(dump_json(structured))
    if note:
        parts.note(note)
    if not parts.content:
        parts.say("The tool failed and says no more." if answer.is_error else "Done; the tool says no more.")
    return ToolResult(
        call_id=call_id,
        name=spec.name,
        content=tuple(parts.content),
        is_error=answer.is_error,
        structured=structured,
        error_code=_CODE if answer.is_error else None,
        untrusted=spec.untrusted,
    )


def _structured(answer: CallToolResult, spec: ToolSpec, limits: MountLimits) -> tuple[Json, str]:
    value: Json = answer.structured_content
    if value is None:
        return None, ""
    try:
        size = len(dump_json(value))
    except (ValueError, RecursionError):
        return None, "The structured answer is no JSON, so it was left out."
    if size > limits.structured_chars:
        return None, f"The structured answer has {size:,} characters, so it was left out."
    if spec.responses is not None and not answer.is_error:
        try:
            problems = validator(spec.responses).problems(value)
        except InvalidRequestError:  # pragma: no cover - a schema that cannot be used was left out before
            problems = ()
        if problems:
            return value, f"The structured answer breaks the server's own schema: {problems[0]}."
    return value, ""


class _Parts:
    """Takes the parts of an answer, up to the bounds."""

    def __init__(self, limits: MountLimits) -> None:
        self.content: list[Text | Image | File] = []
        self.said = False
        self._limits = limits
        self._room = limits.shown_chars
        self._files = 0

    def take(self, block: ContentBlock) -> None:
        """Take one part."""
        match block:
            case TextContent():
                self.say(block.text)
            case ImageContent():
                self._file(block.data, block.mime_type, image=True)
            case AudioContent():
                self._file(block.data, block.mime_type)
            case EmbeddedResource(resource=TextResourceContents() as inner):
                self.say(inner.text)
            case EmbeddedResource(resource=inner):
                self._file(
                    getattr(inner, "blob", ""), inner.mime_type or "application/octet-stream", name=inner.uri
                )
            case ResourceLink():
                words = f"{block.name} {block.description or ''}".strip()
                shown = fit_to_show(f"A resource of the server: {words} ({block.uri})", longest=_LINK).text
                self.say(shown)

    def say(self, text: str) -> None:
        """Take a text, as much as there is room for."""
        self.said = True
        if not text or self._room <= 0:
            return
        shown = text[: self._room]
        self._room -= len(shown)
        if len(shown) < len(text):
            shown += f"\n… {len(text) - len(shown):,} characters more were left out."
        self.content.append(Text(shown))

    def note(self, text: str) -> None:
        """Add a word of our own."""
        self.content.append(Text(f"\n({text})" if self.content else f"({text})"))

    def _file(self, data: str, media_type: str, *, image: bool = False, name: str | None = None) -> None:
        self._files += 1
        if self._files > self._limits.parts:
            if self._files == self._limits.parts + 1:
                self.note(
                    f"There are more than {self._limits.parts} images and files; the rest was left out."
                )
            return
        kind = fit_to_show(media_type, longest=100).text
        try:
            found = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            self.note(f"A part of type {kind} is broken, so it was left out.")
            return
        if len(found) > self._limits.part_bytes:
            self.note(f"A part of type {kind} has {len(found):,} bytes, so it was left out.")
        elif image:
            self.content.append(Image(data=found, media_type=kind))
        else:
            label = None if name is None else fit_to_show(name, longest=_LINK).text
            self.content.append(File(data=found, media_type=kind, name=label))
