"""How many tools a run is shown, from the settings and from what the catalogue can tell."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from interlock_core import JsonObject, Permit, ToolCatalog
from interlock_pipeline import ToolOffering
from interlock_runtime.settings import PipelineSettings

_READER = "interlock.read_result"


@runtime_checkable
class DescribingCatalog(Protocol):
    """A catalogue that tells more of a tool than a model is shown at first."""

    def describe(self, name: str, pointer: str = "") -> JsonObject:
        """A part of a tool's schema."""
        ...


def offered(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns of a run that has tools, with the tool that reads on in shortened answers."""
    return (*patterns, _READER) if patterns else ()


def tool_offering(settings: PipelineSettings, catalog: ToolCatalog, permit: Permit) -> ToolOffering:
    """How many tools a run over this catalogue is shown; it finds only those that its caller may call."""
    return ToolOffering(
        max_tools=settings.max_tools,
        max_tokens=settings.max_tool_tokens,
        search=settings.tool_search,
        pinned=settings.pinned_tools,
        latent=(_READER,),
        permit=permit,
        describe=catalog.describe if isinstance(catalog, DescribingCatalog) else None,
    )
