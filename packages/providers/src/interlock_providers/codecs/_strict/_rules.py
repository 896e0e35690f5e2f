"""What a vendor takes of JSON Schema when it is to enforce it; each vendor's codec has its own row."""

from collections.abc import Mapping
from dataclasses import dataclass

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large one enforced schema may be; None where no bound is known.

    Attributes:
        properties: Properties of all its objects.
        depth: Objects and lists within each other, the root counted.
        characters: Characters of the names of properties and definitions and of all enumerated values.
        values: Enumerated values of all its enumerations.
        long_enum: An enumeration of texts with more values than this ...
        long_enum_characters: ... may have this many characters in all.
        optional: Optional properties, over all tools of one request.
        unions: Places that take more than one type, over all tools of one request.
        tools: Enforced tools in one request.
    """

    properties: int | None = None
    depth: int | None = None
    characters: int | None = None
    values: int | None = None
    long_enum: int | None = None
    long_enum_characters: int | None = None
    optional: int | None = None
    unions: int | None = None
    tools: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """What a vendor takes of JSON Schema in strict mode.

    Attributes:
        name: The dialect.
        all_required: Every property must be required; what is optional takes null.
        one_required: Every object must require at least one property.
        recursion: A schema may refer to itself.
        type_lists: `type` may be a list with null in it.
        keywords: Words that are enforced, by type.
        formats: Formats that are enforced.
        unheld_pattern: What a regular expression may not hold, as a regular expression; None when no
            `pattern` is enforced.
        plain_root: In any mode a schema may not choose at its root, and the codec leaves that to this.
        strange_name: What the name of an argument may not hold in any mode, as a regular expression; such a
            name may have 64 characters.
        few_items: `minItems` may be 0 or 1 only.
        total: The limits hold for all tools of a request together.
        limits: How large it may be.
    """

    name: str
    all_required: bool = False
    one_required: bool = False
    recursion: bool = False
    type_lists: bool = False
    keywords: Mapping[str, frozenset[str]]
    formats: frozenset[str] = _NONE
    unheld_pattern: str | None = None
    plain_root: bool = True
    strange_name: str | None = None
    few_items: bool = False
    total: bool = False
    limits: Limits = Limits()


NO_LOOKS = r"\(\?|\\[bBAzZGkKpPXRQEceh1-9]|[*+?}]\+|\{,|\[\^?\[|--|&&|~~|\|\|"
"""Look-around, references back, classes by name and possessive repetition: engines without backtracking
have none of them."""
