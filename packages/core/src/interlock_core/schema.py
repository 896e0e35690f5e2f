"""JSON Schema validation: draft 2020-12, formats asserted, nothing fetched, problems fit to be read.

What is said about a value never repeats more than 80 characters of it, so a log of problems is no copy
of the data. A schema that points outside itself is refused: validation opens no file and no connection.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from interlock_core.errors import InvalidRequestError, SchemaError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_core.nearest import nearest

if TYPE_CHECKING:
    import jsonschema_rs

_ECHO = 80
_MOST_PROBLEMS = 20
_MOST_MESSAGE = 400
_MOST_LISTED = 160
_BACKTRACKS = 100_000
_CACHED = 512
_MOST_TRIES = 100_000
"""Tries of schemas at one place of a value. The operations of 190 real API documents need 56 at most."""
_MOST_TOLD = 5_000
"""Tries whose every failure is still written down: that costs a thousand times what trying does."""


class Validator:
    """One compiled schema.

    Args:
        schema: A JSON Schema, draft 2020-12 unless its `$schema` says otherwise.

    Raises:
        InvalidRequestError: The schema itself is wrong, or points outside itself.
    """

    __slots__ = ("_compiled", "_wide")

    def __init__(self, schema: JsonObject) -> None:
        text = _as_text(schema)
        self._wide = _tries(text, schema) > _MOST_TOLD
        self._compiled = _compile(text)

    def problems(self, value: Json) -> tuple[str, ...]:
        """Each place where the value breaks the schema, as `pointer: what is wrong`; empty when it fits.

        At most 20 places are named.
        """
        try:
            if self._compiled.is_valid(value):
                return ()
            if self._wide:
                return ("(root): does not fit any of the many forms that the schema allows",)
            return _readable(self._compiled, value)
        except (ValueError, TypeError, RecursionError, OverflowError) as exc:
            return (f"(root): is not JSON that can be validated: {_clip(str(exc))}",)

    def check(self, value: Json, *, what: str) -> None:
        """Do nothing when the value fits.

        Args:
            value: The value.
            what: What it is, for the message, such as `arguments of github.createIssues`.

        Raises:
            SchemaError: It does not fit; `problems` holds each place.
        """
        problems = self.problems(value)
        first = next(iter(problems), None)
        if first is not None:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise SchemaError(
                f"The schema of {what} is not met: {first}{more}.",
                problems=problems,
                field=first.partition(": ")[0],
                remedy="Change what the problems name and send it again.",
            )


def validator(schema: JsonObject) -> Validator:
    """The compiled validator of a schema; equal schemas share what was compiled.

    Raises:
        InvalidRequestError: The schema itself is wrong, or points outside itself.
    """
    return Validator(schema)


def _as_text(schema: JsonObject) -> str:
    try:
        return dump_json(schema)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidRequestError(
            f"The JSON Schema is not JSON: {_clip(str(exc))}.",
            field="schema",
            remedy="Use objects, arrays, texts, numbers, true, false and null; write recursion as $ref.",
        ) from exc


_counted: dict[int, int] = {}
"""Tries by the hash of a schema's text: a schema in use is counted once."""


def _tries(text: str, schema: JsonObject) -> int:
    """How often one place of a value may be tried.

    Raises:
        InvalidRequestError: More often than anybody can wait for.
    """
    key = hash(text)
    known = _counted.get(key)
    if known is not None:
        return known
    from interlock_core._branches import most_tries

    try:
        tries = most_tries(schema)
    except RecursionError:
        tries = 10**15
    if tries > _MOST_TRIES:
        raise InvalidRequestError(
            f"The JSON Schema branches too much: one place of a value could be tried {_count(tries)} times, "
            f"and {_MOST_TRIES:,} are allowed.",
            field="schema",
            remedy="Let anyOf, oneOf and allOf refer to fewer schemas that choose again.",
        )
    if len(_counted) >= 4 * _CACHED:
        _counted.clear()
    _counted[key] = tries
    return tries


def _count(tries: int) -> str:
    return f"{tries:,}" if tries < 10**15 else "countless"


@lru_cache(maxsize=_CACHED)
def _compile(text: str) -> "jsonschema_rs.Validator":
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            text,
            validate_formats=True,
            mask="value",
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
            offline=True,
        )
    except jsonschema_rs.ValidationError as exc:
        place = _pointer(exc.instance_path)
        raise InvalidRequestError(
            f"The JSON Schema is wrong at {place}: {_clip(exc.message, _MOST_MESSAGE)}.",
            field=place,
            remedy="Write a schema of draft 2020-12.",
        ) from exc
    except (ValueError, jsonschema_rs.ReferencingError) as exc:
        raise InvalidRequestError(
            f"The JSON Schema cannot be used: {_clip(str(exc), _MOST_MESSAGE)}.",
            field="schema",
            remedy="References must point into the schema itself.",
        ) from exc


def _readable(compiled: "jsonschema_rs.Validator", value: Json) -> tuple[str, ...]:
    found: list[str] = []
    for error in compiled.iter_errors(value):
        if len(found) == _MOST_PROBLEMS:
            found.append("(root): has more problems than are listed")
            break
        found.append(f"{_pointer(error.instance_path)}: {_describe(error)}")
    return tuple(found)


def _describe(error: "jsonschema_rs.ValidationError") -> str:
    from jsonschema_rs import ValidationErrorKind as Kind

    got = _got(error.instance)
    match error.kind:
        case Kind.AdditionalProperties(unexpected=names) | Kind.UnevaluatedProperties(unexpected=names):
            said = f"has properties that the schema does not know: {_clip(', '.join(names))}"
        case Kind.FalseSchema() if error.schema_path and error.schema_path[-1] == "additionalProperties":
            said = "has properties that the schema does not know"
        case Kind.PropertyNames(error=inner):
            name = _clip(dump_json(error_name)) if isinstance(error_name := inner.instance, str) else "one"
            said = f"has a property whose name the schema does not allow: {name} {_unnamed(inner.message)}"
        case Kind.Enum(options=options):
            said = f"is not one of {_listed(options, error.instance)}{got}"
        case Kind.Contains():
            said = "has no item, or not the right number of items, that fit what it must contain"
        case Kind.Not():
            said = f"is what the schema forbids{got}"
        case Kind.AnyOf(context=context) | Kind.OneOfNotValid(context=context):
            said = _none_fits(context)
        case Kind.OneOfMultipleValid():
            said = f"fits more than one of the alternatives, and only one may fit{got}"
        case Kind.Required():
            said = _clip(error.message, _MOST_MESSAGE)
        case _:
            said = f"{_clip(error.message, _MOST_MESSAGE)}{got}"
    return said


def _listed(options: object, value: object) -> str:
    """Values that are allowed, the nearest ones first where a text was meant to be one of them."""
    known = list(cast("list[Json]", options)) if isinstance(options, list) else []
    if isinstance(value, str):
        lower = {str(one).lower(): one for one in reversed(known)}
        near = [lower[name] for name in nearest(value.lower(), lower)]
        known = [*near, *(one for one in known if one not in near)]
    shown: list[str] = []
    for one in known:
        text = _clip(dump_json(one))
        if sum(map(len, shown)) + len(text) > _MOST_LISTED:
            break
        shown.append(text)
    more = f" and {len(known) - len(shown)} more" if len(shown) < len(known) else ""
    return ", ".join(shown) + more


def _unnamed(message: str) -> str:
    """What is said of a value, without the word for it."""
    return _clip(message.removeprefix("value "), _MOST_MESSAGE)


def _none_fits(context: "list[list[jsonschema_rs.ValidationError]]") -> str:
    """Say what is wrong with the alternative that comes nearest: the one that fails deepest."""
    ranked = [
        (-max(len(e.instance_path) for e in errors), len(errors), i) for i, errors in enumerate(context)
    ]
    nearest = min(ranked)[2]
    details = "; ".join(f"{_pointer(error.instance_path)}: {error.message}" for error in context[nearest][:3])
    return f"fits none of {len(context)} alternatives; nearest is number {nearest + 1}: " + _clip(
        details, _MOST_MESSAGE
    )


def _got(value: object) -> str:
    if isinstance(value, dict | list):
        return ""
    return f" (got {_clip(dump_json(value))})" if isinstance(value, str | int | float | None) else ""


def _pointer(path: list[str | int]) -> str:
    if not path:
        return "(root)"
    return "".join("/" + _clip(str(part)).replace("~", "~0").replace("/", "~1") for part in path)


def _clip(text: str, most: int = _ECHO) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
