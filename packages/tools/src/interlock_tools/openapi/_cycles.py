"""Circles of definitions that hold for one and the same value are opened.

A definition may refer to itself through a property or an item. One that refers to itself for the very
same value (`Cat` is all of `Pet`, `Pet` is one of `Cat` …) says nothing, and a validator never ends on
it. The link that closes such a circle is replaced by what its target says without its own links.
"""

from collections.abc import Mapping

from interlock_core.jsontypes import Json, JsonObject

_IN_PLACE = ("allOf", "anyOf", "oneOf")
_LINKS = frozenset({*_IN_PLACE, "not", "if", "then", "else", "dependentSchemas", "$ref"})
_MOST_LINKS = 300


def without_circles(schemas: Mapping[str, Json], touching: Mapping[str, frozenset[str]]) -> dict[str, Json]:
    """The schemas that had to be changed.

    Args:
        schemas: Definitions by name.
        touching: For each name the definitions that it refers to for the same value.
    """
    graph = _entangled(touching)
    changed: dict[str, Json] = {}
    if sum(map(len, graph.values())) > _MOST_LINKS:
        return {source: _cut_all(schemas.get(source), targets, schemas) for source, targets in graph.items()}
    for start in sorted(graph):
        while (circle := _circle(graph, start)) is not None:
            source, target = _weakest(circle, {**schemas, **changed})
            schema = changed.get(source, schemas.get(source))
            changed[source] = _cut(schema, f"#/$defs/{target}", _plain(schemas.get(target)))
            graph[source].discard(target)
    return changed


def _cut_all(schema: Json, targets: set[str], schemas: Mapping[str, Json]) -> Json:
    """A schema of a tangle too thick to be opened link by link, without any of its links."""
    for target in sorted(targets):
        schema = _cut(schema, f"#/$defs/{target}", _plain(schemas.get(target)))
    return schema


def _entangled(touching: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """The links that may be part of a circle: not those that only lead into or out of one."""
    known = touching.keys()
    links = {name: {*(targets & known)} for name, targets in touching.items()}
    return _turned(_trimmed(_turned(_trimmed(links))))


def _trimmed(links: dict[str, set[str]]) -> dict[str, set[str]]:
    """The links without names that lead nowhere, until every name leads somewhere."""
    used_by = _turned(links)
    left = {name: set(targets) for name, targets in links.items()}
    loose = [name for name, targets in left.items() if not targets]
    while loose:
        name = loose.pop()
        del left[name]
        for user in used_by[name]:
            left[user].discard(name)
            if not left[user]:
                loose.append(user)
    return left


def _turned(links: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The links the other way round."""
    turned: dict[str, set[str]] = {name: set() for name in links}
    for name, targets in links.items():
        for target in targets:
            turned[target].add(name)
    return turned


def _circle(graph: Mapping[str, set[str]], start: str) -> list[str] | None:
    """The names along a circle through `start`, or None."""
    came_from: dict[str, str] = {}
    stack = [start]
    while stack:
        name = stack.pop()
        for following in sorted(graph.get(name, ())):
            if following == start:
                path = [name]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if following not in came_from:
                came_from[following] = name
                stack.append(following)
    return None


def _weakest(circle: list[str], schemas: Mapping[str, Json]) -> tuple[str, str]:
    """The link to cut: one in an `allOf` where there is one, because there inheritance is meant."""
    links = list(zip(circle, [*circle[1:], circle[0]], strict=True))
    for source, target in links:
        schema = schemas.get(source)
        if isinstance(schema, dict):
            parts = schema.get("allOf")
            reference = {"$ref": f"#/$defs/{target}"}
            if isinstance(parts, list) and reference in parts:
                return source, target
    return links[-1]


def _plain(schema: Json) -> JsonObject:
    if not isinstance(schema, dict):
        return {}
    return {key: value for key, value in schema.items() if key not in _LINKS}


def _cut(schema: Json, reference: str, instead: JsonObject) -> Json:
    """The schema with every link to `reference` for the same value replaced."""
    if not isinstance(schema, dict):
        return schema
    out: JsonObject = {}
    for key, value in schema.items():
        if key in _IN_PLACE and isinstance(value, list):
            out[key] = [_cut(item, reference, instead) for item in value]
        elif key in {"not", "if", "then", "else"}:
            out[key] = _cut(value, reference, instead)
        elif key == "dependentSchemas" and isinstance(value, dict):
            out[key] = {name: _cut(item, reference, instead) for name, item in value.items()}
        elif key != "$ref" or value != reference:
            out[key] = value
    if schema.get("$ref") != reference:
        return out
    return {**instead, **out} if not instead.keys() & out.keys() else {**out, "allOf": [instead]}
