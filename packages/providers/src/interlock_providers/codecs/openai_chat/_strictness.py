"""What the vendor takes of JSON Schema in strict mode, in both of its dialects.

From "Structured model outputs" (supported schemas), as it stood in 2026: 5,000 properties, ten levels,
120,000 characters, 1,000 values. Models before it took 100, five, 15,000 and 500.
"""

from interlock_providers.codecs._strict._rules import NO_LOOKS, Limits, Rules

_RANGES = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})

STRICT_RULES = Rules(
    name="openai",
    all_required=True,
    recursion=True,
    type_lists=True,
    keywords={
        "string": frozenset({"pattern", "format"}),
        "number": _RANGES,
        "integer": _RANGES,
        "array": frozenset({"minItems", "maxItems"}),
    },
    formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}),
    unheld_pattern=NO_LOOKS,
    limits=Limits(
        properties=5_000,
        depth=10,
        characters=120_000,
        values=1_000,
        long_enum=250,
        long_enum_characters=15_000,
    ),
)
"""The row."""
