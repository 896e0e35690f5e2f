"""Long answers made short for a model: every level keeps something, and what was cut is said."""

from interlock_core.jsontypes import Json, dump_json

_STEPS: tuple[tuple[int, int, int], ...] = (
    (50, 2_000, 12),
    (25, 1_000, 10),
    (15, 500, 8),
    (10, 300, 7),
    (6, 200, 6),
    (4, 120, 5),
    (2, 80, 4),
    (1, 60, 3),
)
_MOST_KEYS = 120


def shown_json(value: Json, *, limit: int) -> tuple[str, bool]:
    """JSON text of a value in about `limit` characters, and whether something was cut.

    Lists keep their first items, texts their beginning, deep levels a count; each cut says how much it took.
    """
    whole = dump_json(value)
    if len(whole) <= limit:
        return whole, False
    text = whole
    for items, characters, depth in _STEPS:
        text = dump_json(_cut(value, items, characters, depth))
        if len(text) <= limit:
            return text, True
    return shown_text(text, limit=limit)


def shown_text(text: str, *, limit: int) -> tuple[str, bool]:
    """The beginning of a text, and whether something was cut."""
    if len(text) <= limit:
        return text, False
    return f"{text[:limit]}… (+{len(text) - limit} characters)", True


def _cut(value: Json, items: int, characters: int, depth: int) -> Json:
    if isinstance(value, str):
        return shown_text(value, limit=characters)[0]
    if isinstance(value, list):
        if depth == 0 and value:
            return f"… {len(value)} items"
        kept = [_cut(item, items, characters, depth - 1) for item in value[:items]]
        return [*kept, f"… {len(value) - items} more of {len(value)}"] if len(value) > items else kept
    if isinstance(value, dict):
        if depth == 0 and value:
            return f"… {len(value)} fields"
        shown = {
            key: _cut(item, items, characters, depth - 1) for key, item in list(value.items())[:_MOST_KEYS]
        }
        if len(value) > _MOST_KEYS:
            shown["…"] = f"{len(value) - _MOST_KEYS} more fields"
        return shown
    return value
