"""Tools of this house as MCP tells of them: names, schemas, hints, pages."""

import base64
import binascii
from collections.abc import Sequence

from mcp.types import Tool, ToolAnnotations

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object, dump_json
from interlock_core.toolspec import Effect, ToolSpec

PAGE = 200
"""Most tools of one page."""

_LONGEST_ANSWERS = 16_000
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_KEPT_WORDS = ("description", "title")
_DEEPEST = 40


def plain_name(name: str) -> str:
    """A tool's name without dots, for clients that hand names to models which know none."""
    return name.replace(".", "-")


def described(spec: ToolSpec, *, plain: bool = False) -> Tool:
    """One tool as a client is told of it."""
    answers = answer_schema(spec)
    return Tool(
        name=plain_name(spec.name) if plain else spec.name,
        title=spec.summary or None,
        description=spec.description or spec.summary or spec.name,
        input_schema=dict(rooted(spec.parameters)),
        output_schema=None if answers is None else dict(answers),
        annotations=hints(spec),
    )


def hints(spec: ToolSpec) -> ToolAnnotations:
    """What a client may know beforehand of what a call does."""
    method = (spec.endpoint or "").partition(" ")[0]
    return ToolAnnotations(
        title=spec.summary or spec.name,
        read_only_hint=spec.effect is Effect.READ,
        destructive_hint=spec.effect is Effect.DESTRUCTIVE,
        idempotent_hint=spec.effect is Effect.READ or method in _IDEMPOTENT,
        open_world_hint=spec.untrusted or spec.endpoint is not None,
    )


def rooted(schema: JsonObject) -> JsonObject:
    """A schema whose root says that it is an object, as the protocol demands."""
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def answer_schema(spec: ToolSpec) -> JsonObject | None:
    """What a structured answer looks like, when it is known and short; None otherwise.

    Clients refuse an answer that breaks the schema, although the call was made. APIs do break theirs, so
    only the form is told, with its words, and nothing is demanded that an answer could break.
    """
    if spec.responses is None or len(dump_json(spec.responses)) > _LONGEST_ANSWERS:
        return None
    form = as_object(_form(spec.responses, 0))
    if spec.responses.get("type") == "object":
        return {**form, "type": "object"}
    return {"type": "object", "properties": {"result": form}}


def structured(spec: ToolSpec, value: Json, *, most_chars: int) -> JsonObject | None:
    """A structured answer as the protocol carries it: always an object."""
    promised = answer_schema(spec) is not None
    if value is None:
        return {"result": None} if promised else None
    size = len(dump_json(value))
    if size > most_chars:
        return (
            {"omitted": f"The answer has {size:,} characters; the text holds its beginning."}
            if promised
            else None
        )
    return value if isinstance(value, dict) else {"result": value}


def page_of(specs: Sequence[ToolSpec], cursor: str | None) -> tuple[Sequence[ToolSpec], str | None]:
    """One page of tools that are sorted by name, and where the next begins.

    A cursor is the last name of the page before, so tools that come and go in between shift nothing, and any
    process can go on where another stopped.

    Raises:
        InvalidRequestError: The cursor is none of ours.
    """
    after = "" if cursor is None else _name_of(cursor)
    rest = [spec for spec in specs if spec.name > after]
    page = rest[:PAGE]
    more = len(rest) > PAGE
    return page, base64.urlsafe_b64encode(page[-1].name.encode()).decode() if more else None


def _name_of(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            "The cursor is none that this server gave.", field="cursor", remedy="Begin without one."
        ) from exc


def _form(schema: Json, depth: int) -> Json:
    """A schema reduced to names, words and nesting: every value fits it."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    form: JsonObject = {key: schema[key] for key in _KEPT_WORDS if isinstance(schema.get(key), str)}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        form["properties"] = {name: _form(inner, depth + 1) for name, inner in properties.items()}
    if isinstance(schema.get("items"), dict):
        form["items"] = _form(schema["items"], depth + 1)
    return form
