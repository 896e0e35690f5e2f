"""What the vendor takes of JSON Schema in strict mode.

From "Structured outputs" (JSON Schema limitations) and the limits of the API on strict tools, as they stood
in 2026. Its API takes lists of types as well as alternatives; its own SDK writes alternatives alone.
"""

from interlock_providers.codecs._strict._rules import Limits, Rules

STRICT_RULES = Rules(
    name="anthropic-messages",
    keywords={"string": frozenset({"format"}), "array": frozenset({"minItems"})},
    formats=frozenset(
        {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
    ),
    plain_root=False,
    strange_name=r"[^a-zA-Z0-9_.-]",
    few_items=True,
    limits=Limits(optional=24, unions=16, tools=20),
)
"""The row."""
