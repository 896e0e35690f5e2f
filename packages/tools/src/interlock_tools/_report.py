"""What became of each of many documents: the report behind `tools convert`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core.errors import InterlockError, NotFoundError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.toolspec import ToolSpec
from interlock_tools.openapi._convert import ConvertOptions, openapi_to_tool_specs
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._load import LoadLimits, Source, find_documents, is_url, load_document
from interlock_tools.openapi._problem import Problem

if TYPE_CHECKING:
    from interlock_core.http import HttpClient

_log = logging.getLogger(__name__)


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
    progress: Callable[[DocumentReport], None] | None = None,
) -> ConversionReport:
    """Convert documents one by one; what is wrong with one never touches another.

    Args:
        sources: Files, folders (every OpenAPI document in them) and URLs.
        options: Wording and size of tools.
        client: Fetches URLs, under its own egress rules; public addresses only by default.
        limits: How much a document may be.
        progress: Told of each document when it is done.
    """
    reports: list[DocumentReport] = []
    for source in sources:
        bounds = _bounds(source, limits or LoadLimits())
        for one, failed in _expanded(source):
            report = failed or await _converted(one, options, client, bounds)
            reports.append(report)
            if progress is not None:
                progress(report)
    return ConversionReport(documents=tuple(reports))


def _bounds(source: Source, limits: LoadLimits) -> LoadLimits:
    """The limits; documents of a folder may point anywhere inside it."""
    whole = limits.within is None and not is_url(source) and Path(source).is_dir()
    return replace(limits, within=Path(source)) if whole else limits


def _expanded(source: Source) -> list[tuple[Source, DocumentReport | None]]:
    """A folder's documents, or the source itself."""
    if is_url(source) or not Path(source).is_dir():
        return [(source, None)]
    found = find_documents(source)
    if found:
        return [(str(path), None) for path in found]
    error = NotFoundError(
        f"There is no OpenAPI document in {source}.", field=str(source), remedy="Give another folder."
    )
    return [(source, DocumentReport(source=str(source), ok=False, error=str(error)))]


async def _converted(
    source: Source,
    options: ConvertOptions | None,
    client: "HttpClient | None",
    limits: LoadLimits | None,
) -> DocumentReport:
    try:
        loaded = await load_document(source, client=client, limits=limits)
        conversion = openapi_to_tool_specs(loaded, options=options)
    except InterlockError as error:
        return DocumentReport(source=str(source), ok=False, error=str(error))
    except Exception as exc:  # noqa: BLE001 - one document never stops the others
        _log.exception("%s could not be converted", source)
        said = f"{source} could not be converted: an unexpected {type(exc).__name__}."
        return DocumentReport(source=str(source), ok=False, error=said)
    return DocumentReport(
        source=str(source),
        ok=True,
        namespace=conversion.namespace,
        operations=conversion.operations,
        tools=conversion.tools,
        skipped=conversion.skipped,
        problems=conversion.problems,
        folded=conversion.folded,
    )
