"""What became of each of many documents: the report behind `tools convert`."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools.openapi._cache import DocumentCache
from interlock_tools.openapi._convert import ConvertOptions, Progress
from interlock_tools.openapi._gather import Gathered, gather_all, read_overlay
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._kept import Converted, converted_bundle
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._source import LoadLimits, Source

if TYPE_CHECKING:
    from interlock_core.http import HttpClient

_log = logging.getLogger(__name__)
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReport:
    """What became of one document.

    Attributes:
        source: The argument as given.
        ok: It could be read as an OpenAPI document.
        error: Why not.
        namespace: What stands before the dot of its tools' names.
        operations: How many operations it has.
        tools: Its tools.
        skipped: Operations that could not become a tool, each with a reason.
        problems: What was tolerated.
        folded: How many tools show a model less than their whole schema.
    """

    source: str
    ok: bool
    error: str | None = None
    namespace: str = ""
    operations: int = 0
    tools: tuple[ToolSpec, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    problems: tuple[Problem, ...] = ()
    folded: int = 0

    def summary(self) -> JsonObject:
        """What a person wants to know of the whole: sizes, effects, what was folded, skipped and tolerated.

        Tokens are counted as four characters each, of names, descriptions and schemas.
        """
        sizes = {tool.name: _tokens(tool) for tool in self.tools}
        largest = max(sizes, key=lambda name: sizes[name], default="")
        effects = Counter(tool.effect.value for tool in self.tools)
        faults = Counter(problem.message for problem in self.problems)
        return {
            "namespace": self.namespace,
            "tokens": sum(sizes.values()),
            "largest": {"name": largest, "tokens": sizes.get(largest, 0)},
            "effects": {effect.value: effects[effect.value] for effect in Effect},
            "folded": self.folded,
            "problems": [{"message": said, "count": count} for said, count in faults.most_common()],
        }

    def as_json(self, forms: Mapping[str, Callable[[Sequence[ToolSpec]], Json]] | None = None) -> JsonObject:
        """The document's part of the report.

        Args:
            forms: For each kind of vendor what makes its form of the tools.
        """
        tools: JsonObject = {kind: form(self.tools) for kind, form in (forms or {}).items()}
        return {
            "source": self.source,
            "ok": self.ok,
            "error": self.error,
            "operations": self.operations,
            "converted": len(self.tools),
            "skipped": [{"operation": item.operation, "reason": item.reason} for item in self.skipped],
            "tools": tools,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionReport:
    """What became of several documents, in the order given.

    Attributes:
        documents: One for each.
    """

    documents: tuple[DocumentReport, ...]

    @property
    def ok(self) -> bool:
        """Whether every document could be read."""
        return all(document.ok for document in self.documents)

    def as_json(self, forms: Mapping[str, Callable[[Sequence[ToolSpec]], Json]] | None = None) -> JsonObject:
        """The whole report; `forms` as in `DocumentReport.as_json`."""
        return {"documents": [document.as_json(forms) for document in self.documents]}


async def convert_documents(
    sources: Sequence[Source],
    *,
    options: ConvertOptions | None = None,
    client: "HttpClient | None" = None,
    limits: LoadLimits | None = None,
    overlays: Sequence[Source] = (),
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Convert documents one by one; what is wrong with one never touches another.

    Args:
        sources: Files, URLs, and folders and archives (every OpenAPI document in them).
        options: Wording and size of tools.
        client: Fetches URLs, under its own egress rules; public addresses only by default.
        limits: How much a document may be.
        overlays: Files or URLs of overlays, laid over every document in this order.
        cache: Folder in which conversions are kept; None for nowhere.
        progress: Told how far the conversion of each document is.

    Raises:
        NotFoundError: There is no such overlay.
        InvalidRequestError: An overlay cannot be read.
        EgressRefusedError: The URL of an overlay may not be reached.
        UpstreamError: The URL of an overlay did not answer as it should.
    """
    import asyncio  # not at import: to convert is the only need of it

    bounds = limits or LoadLimits()
    laid = [await read_overlay(overlay, client, bounds) for overlay in overlays]
    kept = DocumentCache(cache) if cache is not None else None
    reports: list[DocumentReport] = []
    for source in sources:
        async for gathered in gather_all(source, client=client, limits=bounds):
            convert = partial(converted_bundle, limits=bounds, cache=kept, progress=progress)
            reports.append(_converted(gathered, tuple(laid), options or ConvertOptions(), convert))
            await asyncio.sleep(0)  # a stop is heard between two documents, for nothing else here waits
    return ConversionReport(documents=tuple(reports))


def _converted(
    gathered: Gathered,
    overlays: tuple[tuple[str, bytes], ...],
    options: ConvertOptions,
    convert: Callable[..., Converted],
) -> DocumentReport:
    source = gathered.source
    if gathered.bundle is None:
        return DocumentReport(source=source, ok=False, error=str(gathered.error))
    try:
        bundle = replace(gathered.bundle, overlays=overlays)
        found = convert(bundle, namespace=None, options=options)
        tools = tuple(entry.spec for entry in found.tools.values())
    except InterlockError as error:
        return DocumentReport(source=source, ok=False, error=str(error))
    except Exception as exc:  # noqa: BLE001 - one document never stops the others
        _log.exception("%s could not be converted", source)
        said = f"{source} could not be converted: an unexpected {type(exc).__name__}."
        return DocumentReport(source=source, ok=False, error=said)
    return DocumentReport(
        source=source,
        ok=True,
        namespace=found.namespace,
        operations=found.operations,
        tools=tools,
        skipped=found.skipped,
        problems=found.problems,
        folded=found.folded,
    )


def _tokens(tool: ToolSpec) -> int:
    shown: JsonObject = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return len(dump_json(shown)) // _CHARACTERS_PER_TOKEN
