"""Scanners of other makers, which find more than our own shapes and kinds: extras, loaded when named."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TypeAlias

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_security.redaction._matcher import Span

SCANNERS = ("kingfisher", "presidio")
"""The scanners that can be named."""

Find: TypeAlias = Callable[[str], Iterable[Span]]

# What Presidio finds and we do not. Its recognisers of mail addresses and URLs load a list from the
# network, and dates are everywhere in a log.
_ENTITIES = ("PERSON", "LOCATION", "NRP", "CRYPTO", "MEDICAL_LICENSE", "US_SSN", "US_ITIN", "UK_NHS")
_SURE = 0.5


@cache
def scanner(name: str, *, model: str = "") -> Find:
    """A scanner, ready to use: rules and models are loaded here, once, and not at the first text.

    Args:
        name: One of `SCANNERS`.
        model: A model of spaCy's that is installed, for Presidio; without one it finds no names of people
            and places, but what has a form.

    Raises:
        ConfigurationError: There is no such scanner, or it or its model is not installed.
    """
    makers: Mapping[str, Callable[[], Find]] = {
        "kingfisher": _kingfisher,
        "presidio": lambda: _presidio(model),
    }
    if name not in makers:
        raise ConfigurationError(
            f"There is no scanner {name!r}.",
            field="redaction.scanners",
            remedy=suggestion(name, SCANNERS),
        )
    try:
        return makers[name]()
    except ImportError as exc:
        raise ConfigurationError(
            f"The scanner {name!r} is not installed: {exc}.",
            field="redaction.scanners",
            remedy=f"Install it with `pip install 'interlock-security[{name}]'`, or leave it out.",
        ) from exc


class _Finding(Protocol):
    """What is used of a finding of Kingfisher's."""

    rule_id: str
    secret: str
    visible: bool
    location: Mapping[str, int]


def _kingfisher() -> Find:
    """MongoDB's scanner with the rules that it brings; it never asks a vendor whether a key is valid.

    Its first start compiles the rules, some seconds, and keeps them in the user's cache folder
    (`KF_RULE_CACHE_DIR`).
    """
    sdk = import_module("kingfisher_sdk")
    found: Callable[[bytes], Sequence[_Finding]] = sdk.Scanner(sdk.Rules(confidence="medium")).scan

    def find(text: str) -> Iterator[Span]:
        data = text.encode(errors="replace")
        for finding in found(data):
            if not finding.visible:
                continue
            start, end = finding.location["start_offset"], finding.location["end_offset"]
            # The place is that of the whole match, with the name before the secret.
            within = data[start:end].find(secret := finding.secret.encode(errors="replace"))
            if secret and within >= 0:
                start, end = start + within, start + within + len(secret)
            name = finding.rule_id.rpartition(".")[2]
            yield Span(_characters(data, start), _characters(data, end), f"[redacted:{name}]")

    return find


def _characters(data: bytes, offset: int) -> int:
    return offset if data.isascii() else len(data[:offset].decode(errors="ignore"))


class _Result(Protocol):
    """What is used of a finding of Presidio's."""

    entity_type: str
    start: int
    end: int


class _Analyzes(Protocol):
    """What is used of Presidio's engine."""

    def analyze(
        self, text: str, language: str, *, entities: Sequence[str], score_threshold: float
    ) -> Sequence[_Result]: ...


def _presidio(model: str) -> Find:
    engine = _engine(model)

    def find(text: str) -> Iterator[Span]:
        for result in engine.analyze(text, "en", entities=_ENTITIES, score_threshold=_SURE):
            name = result.entity_type.lower().replace("_", "-")
            yield Span(result.start, result.end, f"[redacted:{name}]")

    return find


def _engine(model: str) -> _Analyzes:
    spacy: Any = import_module("spacy")
    analyzer: Any = import_module("presidio_analyzer")
    nlp: Any = import_module("presidio_analyzer.nlp_engine").SpacyNlpEngine()
    # An engine that is given its model does not try to download one.
    try:
        nlp.nlp = {"en": spacy.load(model) if model else spacy.blank("en")}
    except OSError as exc:
        raise ConfigurationError(
            f"The model {model!r} cannot be loaded.",
            field="redaction.presidio_model",
            remedy="Install a spaCy model for English and name it as `spacy.load` takes it.",
        ) from exc
    engine: _Analyzes = analyzer.AnalyzerEngine(nlp_engine=nlp, supported_languages=["en"])
    return engine
