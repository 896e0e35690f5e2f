"""The list that an answer is about: where it stands, and answers whose lists were put together."""

from interlock_core.jsontypes import Json, JsonObject

_NAMES = (
    *("items", "data", "results", "value", "values", "records", "entries", "rows", "objects", "content"),
    *("list", "elements", "nodes", "edges", "hits", "resources", "members"),
)
_INSIDE = ("_embedded", "data", "result", "response", "results")


def items_of(value: Json) -> tuple[tuple[str, ...], list[Json]]:
    """The keys that lead to the list of an answer, and the list; no keys and an empty list when it has none.

    The whole answer when it is a list; else a field by a usual name, else the only list of objects, else the
    longest list.
    """
    if isinstance(value, list):
        return (), value
    if not isinstance(value, dict):
        return (), []
    found = _in(value)
    if found is not None:
        return (found[0],), found[1]
    for key in _INSIDE:
        inner = value.get(key)
        if isinstance(inner, dict):
            deeper = _in(inner)
            if deeper is not None:
                return (key, deeper[0]), deeper[1]
    return (), []


def with_items(value: Json, path: tuple[str, ...], items: list[Json]) -> Json:
    """The answer with another list in the place of its own."""
    if not path:
        return items if isinstance(value, list) else value
    if not isinstance(value, dict):
        return value
    return {**value, path[0]: with_items(value.get(path[0]), path[1:], items) if path[1:] else items}


def _in(value: JsonObject) -> tuple[str, list[Json]] | None:
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    for name in _NAMES:
        if name in lists:
            return name, lists[name]
    if not lists:
        return None
    of_objects = [key for key, item in lists.items() if item and all(isinstance(one, dict) for one in item)]
    key = of_objects[0] if len(of_objects) == 1 else max(lists, key=lambda name: len(lists[name]))
    return key, lists[key]
