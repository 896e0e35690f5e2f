"""What a schema and a name tell of the worth of a field: what a reader misses least goes first."""

from collections.abc import Mapping
from enum import IntEnum

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object

_ESSENTIAL = frozenset(
    {
        *("id", "name", "title", "number", "state", "status", "login", "key", "slug", "type", "message"),
        *("description", "summary", "body", "text", "email", "path", "count", "total", "error", "code"),
        *("user", "owner", "author", "assignee", "assignees", "milestone"),
        *("date", "amount", "price", "label", "labels", "username", "version", "sha", "conclusion"),
    }
)
_IDENTITY = frozenset(
    {"name", "login", "title", "number", "state", "status", "key", "slug", "email", "username", "sha", "ref"}
)
_NOISE = frozenset(
    {
        *("node_id", "gravatar_id", "etag", "_links", "links", "hreflang", "object", "livemode", "kind"),
        *("avatar_url", "avatar", "avatars", "self", "href", "_id", "__typename", "selflink", "avatarurls"),
        *("node", "performed_via_github_app", "expand", "reactions", "urls", "permissions"),
    }
)
_PAGES_FOR_PEOPLE = frozenset({"html_url", "web_url", "weburl", "permalink", "homepage", "uilink", "htmlurl"})
_MOST_BRANCHES = 64
_NOTHING: JsonObject = {}


class Worth(IntEnum):
    """What a field is worth to a reader."""

    NOISE = 0
    PLAIN = 1
    DESCRIBED = 2
    ESSENTIAL = 3
    IDENTITY = 4


class Knowledge:
    """Schemas of an answer, walked beside its values.

    Args:
        schema: The schema of the whole answer; None when the document has none.
    """

    def __init__(self, schema: JsonObject | None) -> None:
        self._root = schema or {}
        self._fields: dict[int, Mapping[str, tuple[JsonObject, bool]]] = {}
        self.start = self._root

    def items(self, schema: JsonObject) -> JsonObject:
        """Schema of the elements of a list."""
        for one in self._branches(schema):
            inner = one.get("items")
            if isinstance(inner, dict):
                return inner
        return _NOTHING

    def field(self, schema: JsonObject, name: str) -> JsonObject:
        """Schema of a field."""
        known = self._known(schema).get(name)
        return known[0] if known is not None else _NOTHING

    def worth(self, schema: JsonObject, name: str, value: Json) -> Worth:
        """What a field with this value is worth."""
        known = self._known(schema)
        found = known.get(name)
        described = found is not None and bool(self._said(found[0]))
        lower = name.lower()
        if lower in _NOISE or value is None or value in ("", [], {}):
            return Worth.NOISE
        if _is_address(lower, value):
            for_people = lower in _PAGES_FOR_PEOPLE or (described and "{" not in str(value))
            return Worth.DESCRIBED if for_people else Worth.NOISE
        if lower in _IDENTITY and not isinstance(value, dict | list):
            return Worth.IDENTITY
        if lower in _ESSENTIAL:
            return Worth.ESSENTIAL
        nested = isinstance(value, dict | list)
        if found is None:
            return Worth.NOISE if known else Worth.PLAIN if nested else Worth.DESCRIBED
        if found[1] and not nested:
            return Worth.ESSENTIAL
        return Worth.DESCRIBED if described or found[1] else Worth.PLAIN

    def _said(self, schema: JsonObject) -> bool:
        return any(word in schema for word in ("description", "enum"))

    def _known(self, schema: JsonObject) -> Mapping[str, tuple[JsonObject, bool]]:
        """Fields of an object, each with its schema and whether it must be there."""
        found = self._fields.get(id(schema))
        if found is None:
            fields: dict[str, tuple[JsonObject, bool]] = {}
            for one in self._branches(schema):
                required = {name for name in as_array(one.get("required")) if isinstance(name, str)}
                for name, inner in as_object(one.get("properties")).items():
                    fields.setdefault(name, (as_object(inner), name in required))
            self._fields[id(schema)] = found = fields
        return found

    def _branches(self, schema: JsonObject) -> list[JsonObject]:
        """A schema with what it refers to and is put together from, each once."""
        found: list[JsonObject] = []
        seen: set[int] = set()
        waiting = [schema]
        while waiting and len(found) < _MOST_BRANCHES:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            found.append(one)
            reference = one.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                waiting.append(self._target(reference))
            for word in ("allOf", "anyOf", "oneOf"):
                waiting += [as_object(inner) for inner in as_array(one.get(word))]
        return found

    def _target(self, reference: str) -> JsonObject:
        target: Json = self._root
        for part in reference[2:].split("/"):
            target = as_object(target).get(part.replace("~1", "/").replace("~0", "~"))
        return as_object(target)


def _is_address(name: str, value: Json) -> bool:
    """Whether a field is an address for programs."""
    if not isinstance(value, str) or not value.startswith(("http://", "https://", "git://", "ssh://", "/")):
        return False
    return name.endswith(("url", "uri", "href", "link")) or "{" in value
