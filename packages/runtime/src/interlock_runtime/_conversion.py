"""Documents converted without being added: what becomes of them, and their tools as vendors take them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from interlock_core import Json, JsonObject, ToolSpec
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.nearest import suggestion
from interlock_runtime._mounting import overlay_problems

_WRITTEN = {
    "openai": "openai-chat",
    "anthropic": "anthropic-messages",
    "mistral": "mistral-chat",
    "cohere": "cohere-chat",
    "local": "openai-chat",
}
_LOCAL = "local"
DIALECTS = (*_WRITTEN, "all")
"""For whom `convert` can write tools."""


async def converted(
    sources: Sequence[str],
    *,
    dialect: str = "openai",
    strict: bool = False,
    overlays: Sequence[str] = (),
    cache: Path | None = None,
    summary: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> JsonObject:
    """What becomes of every operation of some documents, and their tools as vendors take them.

    With overlays, each document says under `problems` what was tolerated in them.
    With `strict`, each also says under `strict` what strict mode means for each tool; with `summary`, under
    `summary` how large its tools are, what they may do, and what was folded or tolerated.

    Raises:
        UnsupportedError: A vendor is named that this version does not write for.
    """
    if dialect not in DIALECTS:
        raise UnsupportedError(
            f"This version does not write tools for {dialect}.",
            field="--for",
            remedy=suggestion(dialect, DIALECTS),
        )
    from interlock_tools import convert_documents

    wanted = tuple(_WRITTEN) if dialect == "all" else (dialect,)
    report = await convert_documents(
        sources,
        overlays=overlays,
        cache=cache,
        progress=progress,
    )
    made = report.as_json({name: _writer(name, strict=strict) for name in wanted})
    if overlays:
        for document, told in zip(report.documents, as_array(made["documents"]), strict=True):
            as_object(told)["problems"] = overlay_problems(document.problems, overlays)
    if summary:
        for document, told in zip(report.documents, as_array(made["documents"]), strict=True):
            as_object(told)["summary"] = document.summary() if document.ok else None
    if strict:
        for document, told in zip(report.documents, as_array(made["documents"]), strict=True):
            as_object(told)["strict"] = {name: _classes(name, document.tools) for name in wanted}
    return made


def _writer(vendor: str, *, strict: bool) -> Callable[[Sequence[ToolSpec]], Json]:
    """Writes tools as they stand in a request to a vendor; the local model is always held to its schemas."""
    from interlock_providers.codecs import codec

    asked = True if strict and vendor != _LOCAL else None
    return lambda tools: codec(_WRITTEN[vendor]).render_tools(tools, strict=asked)


def _classes(vendor: str, tools: Sequence[ToolSpec]) -> Json:
    """What strict mode means for each tool at a vendor."""
    if vendor == _LOCAL:
        from interlock_providers.local import strictness as local_strictness

        return [one.as_json() for one in local_strictness(tools)]
    from interlock_providers.codecs import strictness

    return [one.as_json() for one in strictness(_WRITTEN[vendor], tools)]
