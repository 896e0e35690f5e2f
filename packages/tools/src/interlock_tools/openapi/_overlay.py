"""OpenAPI Overlays 1.0 and 1.1: ordered changes laid over a document before it is read.

An overlay changes the document's first file. An action whose target selects nothing is told as a problem;
one that does not fit what it selects is an error. JSONPath queries follow RFC 9535; their steps, what they
select and what they copy are bounded, and their regular expressions run in linear time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools.openapi._bundle import DocumentBundle
from interlock_tools.openapi._problem import Place, Problem
from interlock_tools.openapi._source import LoadLimits, refused
from interlock_tools.openapi._text import parse

if TYPE_CHECKING:
    from interlock_tools.openapi._jsonpath import Found, JsonPaths

_LONGEST_SHOWN = 120


def overlaid(
    root: JsonObject, bundle: DocumentBundle, limits: LoadLimits
) -> tuple[JsonObject, tuple[Problem, ...]]:
    """The value of a document's first file with the overlays of its bundle laid over it.

    Returns:
        The changed value, and what was tolerated. The value that is given is not changed.

    Raises:
        InvalidRequestError: An overlay is none, or an action does not fit.
    """
    from interlock_tools.openapi._jsonpath import JsonPaths

    problems: list[Problem] = []
    try:
        laying = _Laying(JsonPaths(max_steps=limits.max_nodes), limits.max_nodes, problems)
        value = as_object(laying.copied(root))
        for name, data in bundle.overlays:
            overlay, noted = parse(data, source=name, limits=limits)
            problems += noted
            for place, action in _actions(overlay, name):
                laying.apply(value, action, place)
    except RecursionError as exc:
        raise refused(
            bundle.source, "is nested too deeply for an overlay.", "Flatten it, or lay nothing over it."
        ) from exc
    return value, tuple(problems)


def _actions(overlay: Json, name: str) -> list[tuple[Place, JsonObject]]:
    """The actions of an overlay, each with its place."""
    if not isinstance(overlay, dict) or "overlay" not in overlay:
        raise refused(name, "has no `overlay` key, so it is no overlay.", "Write `overlay: 1.0.0`.")
    version = str(overlay["overlay"])
    if not version.startswith("1."):
        raise refused(name, f"is an overlay of version {version[:20]}.", "Versions 1.0 and 1.1 are read.")
    place = Place(name, "").at("actions")
    listed = as_array(overlay.get("actions"))
    if not listed:
        raise place.fault("The overlay has no actions.", remedy="List at least one.")
    found: list[tuple[Place, JsonObject]] = []
    for index, action in enumerate(listed):
        if not isinstance(action, dict) or not isinstance(action.get("target"), str):
            raise place.at(index).fault("The action has no `target`.", remedy="Give it a JSONPath.")
        found.append((place.at(index), action))
    return found


@dataclass(slots=True)
class _Laying:
    """Applies actions to one document.

    Attributes:
        paths: Finds what a JSONPath selects.
        room: How many values may still be put into the document.
        problems: What was tolerated so far.
    """

    paths: "JsonPaths"
    room: int
    problems: list[Problem]

    def apply(self, root: JsonObject, action: JsonObject, place: Place) -> None:
        """Apply an action to the document.

        Raises:
            InvalidRequestError: The action does not fit.
        """
        target = str(action["target"])
        found = self.paths.select(root, target, place.at("target"))
        if not found:
            self._note(place, f"Nothing fits the target {target[:_LONGEST_SHOWN]!r}.")
            return
        if action.get("remove") is True:
            _remove(found, place)
            return
        change = self._change(root, action, place)
        if change is None:
            self._note(place, "The action neither updates nor removes nor copies.")
            return
        if len({_kind(each.value) for each in found}) > 1:
            raise place.at("target").fault(
                "The target selects values of several kinds.",
                remedy="Select objects alone, lists alone, or plain values alone.",
            )
        for each in found:
            each.put(self._merged(each.value, change.value, place))

    def _change(self, root: JsonObject, action: JsonObject, place: Place) -> "_Change | None":
        """What is to be merged in; None when the action says nothing."""
        if "update" in action:
            return _Change(action["update"])
        query = as_text(action.get("copy"))
        if query is None:
            return None
        found = self.paths.select(root, query, place.at("copy"))
        if len(found) != 1:
            raise place.at("copy").fault(
                f"The source of the copy selects {len(found)} values.", remedy="Select exactly one."
            )
        # A copy of its own: the target may lie inside what is copied.
        return _Change(self.copied(found[0].value))

    def _merged(self, old: Json, change: Json, place: Place) -> Json:
        """A value with a change merged into it: objects by property, lists one behind the other."""
        if isinstance(old, dict) and isinstance(change, dict):
            for key, value in change.items():
                old[key] = self._merged(old[key], value, place) if key in old else self.copied(value)
            return old
        if isinstance(old, list):
            old.extend([self.copied(item) for item in (change if isinstance(change, list) else [change])])
            return old
        if isinstance(old, dict) or isinstance(change, dict | list):
            raise place.fault(
                f"The action puts {_kind(change)} in place of {_kind(old)}.",
                remedy="Remove what is there by an action before.",
            )
        return change

    def copied(self, value: Json) -> Json:
        """A copy that shares nothing with its original.

        Raises:
            InvalidRequestError: The document becomes too large.
        """
        self.room -= 1
        if self.room < 0:
            raise InvalidRequestError(
                "The overlays make the document too large.", remedy="Copy less into it."
            )
        if isinstance(value, dict):
            return {key: self.copied(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.copied(item) for item in value]
        return value

    def _note(self, place: Place, message: str) -> None:
        self.problems.append(
            Problem(
                source=place.source,
                pointer=place.pointer,
                message=message,
                remedy="Mend the action, or remove it.",
            )
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """A value to merge in; it may be null."""

    value: Json


def _kind(value: Json) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a plain value"


def _remove(found: "Sequence[Found]", place: Place) -> None:
    """Take what was found out of the document."""
    if any(each.parent is None for each in found):
        raise place.at("target").fault("The whole document cannot be removed.", remedy="Select parts of it.")
    # The last of a list first, so that the places of the others stay what they were found at.
    for each in sorted(found, key=lambda each: each.rank, reverse=True):
        each.remove()
