"""What a `$ref` points to: in the same file or another, by JSON pointer, anchor or id."""

from dataclasses import dataclass
from urllib.parse import unquote

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.openapi._load import LoadedDocument, absolute, shown_address
from interlock_tools.openapi._problem import Place, escape

_LONGEST_CHAIN = 32


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
        self._known: dict[tuple[str, str], Target] = {}
        self._anchors: dict[str, dict[str, Target]] = {}
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
        key = (base, reference)
        known = self._known.get(key)
        if known is None:
            try:
                known = self._find(reference, base)
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

    def _find(self, reference: str, base: str) -> Target:
        address, _, fragment = reference.partition("#")
        home = absolute(address, base) if address else base
        if home not in self._document.files:
            return self._find_elsewhere(reference, home, fragment, base)
        return self._inside(reference, home, fragment)

    def _find_elsewhere(self, reference: str, home: str, fragment: str, base: str) -> Target:
        by_id = self._anchored(base).get(home)
        if by_id is not None:
            found = _walk(by_id.value, fragment) if fragment.startswith("/") or not fragment else None
            if found is not None:
                return Target(found[0], base, by_id.pointer + found[1])
        if not base:
            raise _dangling(
                reference, "the document has no address to start from", "Load it from a file or URL."
            )
        why = self._document.missing.get(home, "that file was not read: only relative paths are followed.")
        raise _dangling(
            reference, why.rstrip("."), "Put that file beside the document, or bundle both into one."
        )

    def _inside(self, reference: str, home: str, fragment: str) -> Target:
        root = self._document.files[home]
        if fragment and not fragment.startswith("/"):
            anchored = self._anchored(home).get("#" + fragment)
            if anchored is None:
                raise _dangling(reference, "there is no such anchor", "Define it, or use a JSON pointer.")
            return anchored
        found = _walk(root, fragment)
        if found is None:
            raise _dangling(reference, "there is nothing at that place", "Define it, or mend the reference.")
        return Target(found[0], home, found[1])

    def _anchored(self, base: str) -> dict[str, Target]:
        """Everything of a file that has an `$anchor` or `$id`, looked for once."""
        known = self._anchors.get(base)
        if known is None:
            known = dict[str, Target]()
            stack: list[tuple[Json, str]] = [(self._document.files.get(base), "")]
            while stack:
                value, pointer = stack.pop()
                if isinstance(value, dict):
                    _note_anchors(known, value, base, pointer)
                    stack.extend((item, f"{pointer}/{escape(key)}") for key, item in value.items())
                elif isinstance(value, list):
                    stack.extend((item, f"{pointer}/{i}") for i, item in enumerate(value))
            self._anchors[base] = known
        return known


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


def _note_anchors(known: dict[str, Target], value: JsonObject, base: str, pointer: str) -> None:
    for keyword in ("$anchor", "$dynamicAnchor"):
        name = value.get(keyword)
        if isinstance(name, str):
            known.setdefault("#" + name, Target(value, base, pointer))
    own = value.get("$id")
    if isinstance(own, str):
        known.setdefault(absolute(own, base), Target(value, base, pointer))


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
