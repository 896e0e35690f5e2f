"""What is looked for in logs, records, traces and exports, by the settings."""

from dataclasses import replace
from typing import TYPE_CHECKING

from interlock_security import Detection, PseudonymMaker

if TYPE_CHECKING:
    from interlock_runtime.settings import RedactionSettings


def detection(settings: "RedactionSettings") -> Detection:
    """What the settings name."""
    return Detection(
        shapes=settings.shapes,
        personal=settings.personal,
        regions=settings.phone_regions,
        patterns=settings.patterns,
        allowed=frozenset(settings.allow),
        scanners=settings.scanners,
        presidio_model=settings.presidio_model,
    )


def pseudonyms(settings: "RedactionSettings") -> PseudonymMaker | None:
    """What makes stand-ins toward models; None where they see what is not a known secret."""
    if settings.toward_models == "known":
        return None
    found = detection(settings)
    personal = found.personal if settings.toward_models == "personal" else ()
    return PseudonymMaker(replace(found, shapes=True, personal=personal))
