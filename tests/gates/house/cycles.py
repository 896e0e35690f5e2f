"""Circles in the import graph, lazy and type-only imports counted."""

from collections.abc import Mapping


def _reached(graph: Mapping[str, frozenset[str]], start: str) -> set[str]:
    """All that `start` imports, directly or not; itself only when it stands in a circle."""
    waiting, found = [start], set[str]()
    while waiting:
        new = graph.get(waiting.pop(), frozenset[str]()) - found
        found |= new
        waiting += new
    return found


def circles(graph: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Each set of modules that import each other, directly or not; sorted, each set once."""
    reached = {module: _reached(graph, module) for module in graph}
    rings = {
        frozenset(other for other in reached[module] if module in reached.get(other, ()))
        for module in graph
        if module in reached[module]
    }
    return sorted(sorted(ring) for ring in rings)
