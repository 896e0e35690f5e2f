"""Finding the few tools that fit among thousands: an index over words that documents join and leave."""

from interlock_tools.retrieval._finder import FoundTool, ToolFilter, ToolFinder
from interlock_tools.retrieval._index import Match, SearchIndex
from interlock_tools.retrieval._meaning import Embed, Meanings
from interlock_tools.retrieval._segment import Card, Want

__all__ = [
    "Card",
    "Embed",
    "FoundTool",
    "Match",
    "Meanings",
    "SearchIndex",
    "ToolFilter",
    "ToolFinder",
    "Want",
]
