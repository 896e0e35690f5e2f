"""Wrong arguments in words that a model can act on: the place, what is wrong there, what would be right.

A message has at most 400 characters, and repeats at most 80 of a value.
"""

from collections.abc import Iterator, Sequence

from interlock_core.errors import SchemaError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json

_LONGEST = 400
_LONGEST_NOTE = 160
_MOST_BRANCHES = 6
_DEEPEST = 12
_WIDEST = 200
_UNKNOWN = "has properties that the schema does not know: "
_JOINED = ("allOf", "anyOf", "oneOf")


def wrong_arguments(name: str, schema: JsonObject, problems: tuple[str, ...]) -> SchemaError:
    """The error of a call whose arguments break their schema.

    Args:
        name: Of the tool.
        schema: The whole schema of its arguments.
        problems: Each place where they break it, as `pointer: what is wrong`.
    """
    notes = list(dict.fromkeys(note for problem in problems for note in _notes(schema, problem)))
    remedy = " ".join(notes)[:_LONGEST_NOTE] or "Correct that and call again."
    said = [problem.removeprefix("(root): ") for problem in problems]
    head = f"The arguments of {name} are not valid: "
    room = _LONGEST - len(head) - len(remedy) - len(" and 20 more problems. ")
    shown: list[str] = []
    for one in said:
        text = one if len(one) <= room or shown else f"{one[: room - 1]}…"
        if len(text) > room:
            break
        shown.append(text)
        room -= len(text) + 2
    more = len(said) - len(shown)
    rest = f" and {more} more problem{'s' if more > 1 else ''}" if more else ""
    return SchemaError(
        f"{head}{'; '.join(shown)}{rest}.",
        problems=problems,
        field=problems[0].partition(": ")[0],
        remedy=remedy,
    )


def _notes(schema: JsonObject, problem: str) -> Iterator[str]:
    """What would be right at the place of a problem, where the problem itself does not say it."""
    pointer, _, said = problem.partition(": ")
    if said.startswith(_UNKNOWN):
        known = list(dict.fromkeys(name for one in _at(schema, pointer) for name in _properties(schema, one)))
        for name in said.removeprefix(_UNKNOWN).split(", ")[:3]:
            yield _meant(name, known)
    elif said == _UNKNOWN.removesuffix(": "):
        yield "Send an empty object there."
    elif said.startswith(("fits none of", "fits more than one of")):
        ways = [way for one in _at(schema, pointer) for way in _ways(schema, one)]
        if ways:
            yield f"It may be {' or '.join(dict.fromkeys(ways[:_MOST_BRANCHES]))}."


def _meant(name: str, known: Sequence[str]) -> str:
    import difflib

    if not known:
        return f"Leave {name} out: nothing is known there."
    lower = {_plain(one): one for one in known}
    # A wrong guess leads astray, so only what differs in a letter or two is one; the rest is a list.
    close = difflib.get_close_matches(_plain(name), lower, n=1, cutoff=0.7)
    if close:
        return f"Did you mean {lower[close[0]]}?"
    listed = ", ".join(known)
    return f"Known there: {listed if len(listed) <= 120 else f'{listed[:119]}…'}."


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _at(root: JsonObject, pointer: str) -> list[JsonObject]:
    """The schemas that hold at a place of the value."""
    found = [root]
    steps = pointer.split("/")[1:] if pointer.startswith("/") else []
    for step in steps[:_DEEPEST]:
        name = step.replace("~1", "/").replace("~0", "~")
        below = [inner for one in found for part in _parts(root, one) for inner in _below(part, name)]
        found = list({id(one): one for one in below}.values())[:_WIDEST]
    return found


def _parts(root: JsonObject, schema: JsonObject) -> Iterator[JsonObject]:
    """A schema behind its references, and all that it is joined of, each once."""
    left, seen = [schema], set[int]()
    while left and len(seen) < _WIDEST:
        one = _behind(root, left.pop(0))
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [as_object(branch) for key in _JOINED for branch in as_array(one.get(key))]


def _behind(root: JsonObject, schema: JsonObject) -> JsonObject:
    for _ in range(_DEEPEST):
        target = as_text(schema.get("$ref"))
        if target is None:
            break
        found: Json = root
        for step in target.removeprefix("#/").split("/"):
            found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
        schema = as_object(found)
    return schema


def _below(schema: JsonObject, name: str) -> Iterator[JsonObject]:
    known = as_object(schema.get("properties"))
    if name in known:
        yield as_object(known[name])
    elif name.isdigit() and "items" in schema:
        yield as_object(schema["items"])
    elif isinstance(schema.get("additionalProperties"), dict):
        yield as_object(schema["additionalProperties"])


def _properties(root: JsonObject, schema: JsonObject) -> Iterator[str]:
    for part in _parts(root, schema):
        yield from as_object(part.get("properties"))


def _ways(root: JsonObject, schema: JsonObject) -> Iterator[str]:
    """Each alternative in a word: the members that it needs, its values, else its type."""
    for part in _parts(root, schema):
        for key in ("oneOf", "anyOf"):
            for branch in as_array(part.get(key)):
                yield _way(_behind(root, as_object(branch)))


def _way(schema: JsonObject) -> str:
    if "const" in schema:
        return dump_json(schema["const"])[:40]
    if "enum" in schema:
        return " or ".join(dump_json(one)[:20] for one in as_array(schema["enum"])[:4])
    names = as_array(schema.get("required")) or list(as_object(schema.get("properties")))
    if names:
        return f"an object with {', '.join(str(name) for name in names[:3])}"
    kind = schema.get("type")
    return " or ".join(str(one) for one in kind) if isinstance(kind, list) else str(kind or "something else")
