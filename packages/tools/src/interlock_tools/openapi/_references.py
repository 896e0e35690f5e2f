"""What a `$ref` points to: in the same file or another, by JSON pointer, anchor or id."""

from dataclasses import dataclass
from urllib.parse import unquote

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.openapi._load import LoadedDocument
from interlock_tools.openapi._problem import Place, escape
from interlock_tools.openapi._source import absolute, shown_address

_LONGEST_CHAIN = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference points to.

    Attributes:
        value: The value there.
        base: Address of the file that it stands in.
        pointer: JSON pointer inside that file.
    """

    value: Json
    base: str
    pointer: str


class References:
    """Resolves the references of one document. Equal references give the same object.

    Args:
        document: The document with every file that it is spread over.
    """

    def __init__(self, document: LoadedDocument) -> None:
        self._document = document
        self._known: dict[tuple[str, str, str], Target] = {}
        self._known_resources: dict[str, _Resources] = {}
        self._identity = {address: identity for identity, address in document.identities.items()}
        self._parents: dict[str, dict[int, tuple[int, str | int] | None]] = {}

    def place(self, base: str, pointer: str) -> Place:
        """A place for messages: files are named as the user knows them."""
        name = self._document.source if base == self._document.uri else shown_address(base)
        return Place(name, pointer)

    def target(self, holder: JsonObject, base: str) -> Target:
        """What the reference of an object (`$ref`, else `$dynamicRef`) points to, one step.

        Raises:
            InvalidRequestError: It points to nothing; the error names where the reference stands.
        """
        reference = str(holder.get("$ref", holder.get("$dynamicRef")))
        scope = self._scope(holder, base)
        key = (base, scope, reference)
        known = self._known.get(key)
        if known is None:
            try:
                known = self._find(reference, base, scope)
            except InvalidRequestError as exc:
                place = self.located(holder, base) or self.place(base, "")
                raise place.at("$ref").fault(exc.message, remedy=exc.remedy or "") from exc
            self._known[key] = known
        return known

    def follow(self, value: Json, base: str, pointer: str) -> Target:
        """A value with every reference at its top followed to the end.

        Raises:
            InvalidRequestError: A reference points to nothing, or in a circle.
        """
        at = Target(value, base, pointer)
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(at.value, dict) or not isinstance(at.value.get("$ref"), str):
                return at
            at = self.target(at.value, at.base)
        raise self.place(base, pointer).fault(
            "The reference leads in a circle.", remedy="Let it point to a definition."
        )

    def located(self, node: Json, base: str) -> Place | None:
        """Where this very object stands in its file; None when it is not of that file."""
        parents = self._parents.get(base)
        if parents is None:
            parents = _parents_of(self._document.files.get(base))
            self._parents[base] = parents
        if id(node) not in parents:
            return None
        keys: list[str | int] = []
        at = id(node)
        while (step := parents[at]) is not None:
            at, key = step
            keys.append(key)
        return self.place(base, "").at(*reversed(keys))

    def _find(self, reference: str, base: str, scope: str) -> Target:
        address, _, fragment = reference.partition("#")
        if not address:
            # Inside a schema with an `$id` a reference means that schema; many authors mean the document.
            within = self._in_resource(scope, fragment) if scope else None
            return within or self._inside(reference, base, fragment)
        for start in dict.fromkeys((scope, self._identity.get(base, ""), base)):
            home = absolute(address, start) if start or start == base else ""
            file = self._document.identities.get(home, home)
            if file in self._document.files and (home or not base):
                return self._inside(reference, file, fragment)
            found = self._in_resource(home, fragment) if home else None
            if found is not None:
                return found
        raise self._elsewhere(reference, absolute(address, base), base)

    def _elsewhere(self, reference: str, home: str, base: str) -> InvalidRequestError:
        """Why there is nothing behind a reference to another file."""
        if not base:
            return _dangling(
                reference, "the document has no address to start from", "Load it from a file or URL."
            )
        why = self._document.missing.get(home, "that file was not read: only relative paths are followed.")
        return _dangling(
            reference, why.rstrip("."), "Put that file beside the document, or bundle both into one."
        )

    def _inside(self, reference: str, home: str, fragment: str) -> Target:
        root = self._document.files[home]
        if fragment and not fragment.startswith("/"):
            anchored = self._resources(home).anchor("", fragment)
            if anchored is None:
                raise _dangling(reference, "there is no such anchor", "Define it, or use a JSON pointer.")
            return anchored
        found = _walk(root, fragment)
        if found is None:
            raise _dangling(reference, "there is nothing at that place", "Define it, or mend the reference.")
        if found[0] is self._document.root:
            raise _dangling(reference, "it leads to the whole document", "Let it lead to a part of it.")
        return Target(found[0], home, found[1])

    def _in_resource(self, uri: str, fragment: str) -> Target | None:
        """What lies in the schema whose `$id` is this; None when there is none, or nothing."""
        for file in self._document.files:
            if not self._has_ids(file):
                continue
            resources = self._resources(file)
            whole = resources.by_uri.get(uri)
            if whole is None:
                continue
            if fragment and not fragment.startswith("/"):
                return resources.anchor(uri, fragment)
            found = _walk(whole.value, fragment)
            return Target(found[0], file, whole.pointer + found[1]) if found is not None else None
        return None

    def _scope(self, holder: JsonObject, base: str) -> str:
        """The `$id` of the schema around an object; empty when there is none."""
        return self._resources(base).scopes.get(id(holder), "") if self._has_ids(base) else ""

    def _has_ids(self, file: str) -> bool:
        return file in self._document.with_ids

    def _resources(self, file: str) -> "_Resources":
        """Everything of a file that has an `$anchor` or `$id`, looked for once."""
        known = self._known_resources.get(file)
        if known is None:
            known = self._known_resources[file] = _Resources()
            known.read(self._document.files.get(file), file, self._identity.get(file, file))
        return known


class _Resources:
    """Schemas of one file that say what they are called.

    Attributes:
        by_uri: Each schema with an `$id`, by it.
        scopes: The `$id` around each object that holds a reference, by the object's identity.
    """

    __slots__ = ("_anchors", "by_uri", "scopes")

    def __init__(self) -> None:
        self.by_uri: dict[str, Target] = {}
        self.scopes: dict[int, str] = {}
        self._anchors: dict[tuple[str, str], Target] = {}

    def anchor(self, scope: str, name: str) -> Target | None:
        """The schema of this anchor, in the schema of that `$id` first, then anywhere in the file."""
        found = self._anchors.get((scope, name))
        if found is not None:
            return found
        return next((target for (_, known), target in self._anchors.items() if known == name), None)

    def read(self, root: Json, file: str, identity: str) -> None:
        """Take in a file."""
        stack: list[tuple[Json, str, str]] = [(root, "", "")]
        while stack:
            value, pointer, scope = stack.pop()
            if isinstance(value, dict):
                scope = self._note(value, file, pointer, (scope, identity))
                stack.extend((item, f"{pointer}/{escape(key)}", scope) for key, item in value.items())
            elif isinstance(value, list):
                stack.extend((item, f"{pointer}/{i}", scope) for i, item in enumerate(value))

    def _note(self, value: JsonObject, file: str, pointer: str, bases: tuple[str, str]) -> str:
        """Take in one object; the `$id` that holds inside it."""
        scope, identity = bases
        own = value.get("$id")
        if isinstance(own, str):
            scope = absolute(own, scope or identity) or scope
            self.by_uri.setdefault(scope, Target(value, file, pointer))
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = value.get(keyword)
            if isinstance(name, str):
                self._anchors.setdefault((scope, name), Target(value, file, pointer))
        if scope and ("$ref" in value or "$dynamicRef" in value):
            self.scopes[id(value)] = scope
        return scope


def _parents_of(root: Json) -> dict[int, tuple[int, str | int] | None]:
    """For each object and list of a file, by identity, the one around it and its key there."""
    parents: dict[int, tuple[int, str | int] | None] = {id(root): None}
    stack: list[Json] = [root]
    while stack:
        value = stack.pop()
        inner: list[tuple[str | int, Json]] = []
        if isinstance(value, dict):
            inner = [*value.items()]
        elif isinstance(value, list):
            inner = [*enumerate(value)]
        for key, item in inner:
            if isinstance(item, dict | list) and id(item) not in parents:
                parents[id(item)] = (id(value), key)
                stack.append(item)
    return parents


def _walk(root: Json, fragment: str) -> tuple[Json, str] | None:
    """The value at a JSON pointer and the pointer in its plain form; None when nothing is there."""
    if fragment in {"", "/"}:
        return root, ""
    value = root
    pointer = ""
    for raw in fragment.removeprefix("/").split("/"):
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            if token not in value:
                token = unquote(raw).replace("~1", "/").replace("~0", "~")
            if token not in value:
                return None
            value = value[token]
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
        pointer = f"{pointer}/{escape(token)}"
    return value, pointer


def _dangling(reference: str, why: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"The reference {reference[:200]!r} points to nothing: {why}.", remedy=remedy)
