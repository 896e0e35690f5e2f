"""The tools of documents as every vendor is sent them."""

from pathlib import Path

from interlock_providers.codecs import codec
from interlock_tools import load_file, openapi_to_tool_specs

from .census import Converted

DIALECTS = ("openai-chat", "openai-responses", "anthropic-messages", "mistral-chat", "cohere-chat")
"""What vendors speak; the local model is sent what OpenAI's chat is."""

LARGEST = 4 * 4_000
"""Most characters of one tool: 4,000 tokens of four characters."""


def converted(path: Path) -> Converted:
    """What becomes of a file."""
    conversion = openapi_to_tool_specs(load_file(path))
    return Converted(
        endpoints=[tool.endpoint or "" for tool in conversion],
        skipped=[(item.operation, item.reason) for item in conversion.skipped],
        tools={dialect: codec(dialect).render_tools(conversion.tools) for dialect in DIALECTS},
    )
