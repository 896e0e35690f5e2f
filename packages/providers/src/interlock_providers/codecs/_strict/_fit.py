"""Whether a vendor can hold a model to a tool's schema, at what price, and how arguments are then written."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from interlock_core import JsonObject, ToolSpec
from interlock_core.jsontypes import as_object, dump_json, parse_json
from interlock_providers.codecs import Strictness
from interlock_providers.codecs._strict._forms import Form
from interlock_providers.codecs._strict._narrow import Narrower
from interlock_providers.codecs._strict._parts import Findings, Node, NothingError, UnfitSchemaError
from interlock_providers.codecs._strict._rules import Rules
from interlock_providers.codecs._strict._size import Size, conforms, measure

_ENUMS = (250, 100, 40, 10, 0)
_TRIES = 16


class Grade(StrEnum):
    """What strict mode means for one tool at one vendor.

    `LOSSLESS`: every object of arguments that the tool's schema accepts can be written, and whatever the
    vendor lets through reads as arguments that may break nothing but the constraints listed as unenforced;
    those are checked before the call. `APPROXIMATE`: every object of arguments can be written as well, but
    at the places listed as lost not even the shape is enforced. `NONE`: the tool is sent without strictness.
    """

    LOSSLESS = "strict-lossless"
    APPROXIMATE = "strict-approximate"
    NONE = "not-strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A schema, fitted to a vendor's strict mode.

    Attributes:
        grade: What strict mode means for it.
        schema: What the vendor is shown.
        form: How arguments are written; None when they are written as they are.
        unenforced: Constraints that the vendor does not hold a model to, as `word at /place`.
        lost: Shapes that it does not hold a model to, in the same form.
        reason: Why it cannot be strict.
        size: How large the schema is as the vendor counts.
    """

    grade: Grade
    schema: JsonObject
    form: Form | None = None
    unenforced: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    reason: str = ""
    size: Size


def fit(schema: JsonObject, rules: Rules, *, optional: int | None = None) -> Fit:
    """A tool's schema as a vendor can enforce it; equal schemas share the work.

    Args:
        schema: The tool's parameters.
        rules: What the vendor takes.
        optional: How many properties may be optional, where that is less than the vendor's own bound.
    """
    try:
        text = dump_json(schema)
    except (TypeError, ValueError, RecursionError):
        return _unfit(schema, "its schema is no JSON")
    return _fit(text, rules, rules.limits.optional if optional is None else optional)


def strictness(rules: Rules, tools: Sequence[ToolSpec]) -> tuple[Strictness, ...]:
    """What strict mode means for each of some tools; see `codecs.strictness`."""
    made: list[Strictness] = []
    for tool in tools:
        found = fit(tool.parameters, rules)
        made.append(
            Strictness(
                name=tool.name,
                grade=found.grade.value,
                unenforced=found.unenforced,
                lost=found.lost,
                reason=found.reason,
            )
        )
    return tuple(made)


@lru_cache(maxsize=2_048)
def _fit(text: str, rules: Rules, optional: int | None) -> Fit:
    schema = as_object(parse_json(text))
    if conforms(schema, rules):
        size = measure(schema, rules.limits)
        if optional is None or size.optional <= optional:
            return Fit(grade=Grade.LOSSLESS, schema=schema, size=size)
    try:
        return _narrowed(schema, rules, optional)
    except NothingError:
        return _unfit(schema, "no arguments fit its schema")
    except UnfitSchemaError as exc:
        return _unfit(schema, str(exc))
    except RecursionError:
        return _unfit(schema, "its schema is nested too deeply")


def _narrowed(schema: JsonObject, rules: Rules, optional: int | None) -> Fit:
    deepest: int | None = None
    enums = list(_ENUMS)
    most_values: int | None = None
    over = ""
    for _ in range(_TRIES):
        narrower = Narrower(schema, rules, deepest=deepest, most_values=most_values, optional=optional)
        node = narrower.whole()
        size = measure(node.wire, rules.limits)
        over = size.over(rules.limits) or ""
        if not over:
            if not conforms(node.wire, rules):
                return _unfit(schema, "its schema cannot be said in the vendor's words")
            return _made(node, narrower.findings, size)
        if over in {"values", "longest_enum", "characters"} and enums:
            most_values = enums.pop(0)
        elif over in {"depth", "properties", "characters"} and (deepest or size.depth) > 1:
            first = rules.limits.depth if deepest is None and over == "depth" else None
            deepest = first or min(size.depth, deepest or size.depth) - 1
        else:
            break
    return _unfit(schema, f"it has more {_WORDS[over]} than the vendor takes")


_WORDS = {
    "depth": "depth",
    "values": "enumerated values",
    "longest_enum": "enumerated values",
    "properties": "properties",
    "characters": "characters in names",
    "optional": "optional properties",
    "unions": "places of more than one type",
}


def _made(node: Node, findings: Findings, size: Size) -> Fit:
    return Fit(
        grade=Grade.APPROXIMATE if findings.lost else Grade.LOSSLESS,
        schema=node.wire,
        form=None if node.form.same else node.form,
        unenforced=tuple(findings.unenforced),
        lost=tuple(findings.lost),
        size=size,
    )


def _unfit(schema: JsonObject, reason: str) -> Fit:
    return Fit(grade=Grade.NONE, schema=schema, reason=reason, size=Size())
