"""What the vendor takes of JSON Schema in strict mode.

From "Structured outputs" (parameter types support) and "Parameter types for tool use", as they stood in 2026.
"""

from interlock_providers.codecs._strict._rules import NO_LOOKS, Limits, Rules

STRICT_RULES = Rules(
    name="cohere-chat",
    one_required=True,
    recursion=True,
    keywords={"string": frozenset({"pattern", "format"})},
    formats=frozenset({"date-time", "uuid", "date", "time"}),
    unheld_pattern=NO_LOOKS + r"|[\^$]",
    total=True,
    limits=Limits(properties=200),
)
"""The row."""
