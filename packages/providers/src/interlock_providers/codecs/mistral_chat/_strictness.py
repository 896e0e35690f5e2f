"""What the vendor takes of JSON Schema in strict mode.

It publishes no list: its SDK closes every object and leaves the rest. So this keeps to what all others take.
"""

from interlock_providers.codecs._strict._rules import Rules

STRICT_RULES = Rules(name="mistral-chat", all_required=True, keywords={})
"""The row."""
