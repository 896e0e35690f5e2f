"""The table of clients and vendors."""

import tomllib
from pathlib import Path

from .neutral import Body

TABLE: Body = tomllib.loads((Path(__file__).parent / "any_to_any.toml").read_text(encoding="utf-8"))
"""What must happen, from `any_to_any.toml`."""

VENDORS: list[str] = TABLE["vendors"]
"""The vendors, in the order of the columns."""

CLIENTS = ("chat", "responses", "messages")
"""The dialects of clients."""


def spoken(vendor: str, client: str) -> str:
    """The column whose words a vendor uses: one that speaks two dialects goes by its client's."""
    return "openai_responses" if (vendor, client) == ("openai", "responses") else vendor
