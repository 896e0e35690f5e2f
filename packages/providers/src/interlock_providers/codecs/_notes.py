"""What the vocabulary has no word for, kept beside it under one key of `extra`.

The key holds the dialect's name, so that another codec knows whose fields stand there. In a request it
keeps how the client wrote what can be written in two ways; in a message, fields of its parts, its
choice and its answer.
"""

from collections.abc import Mapping

from interlock_core import CompletionRequest, Json, JsonObject
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object

PREFIX = "interlock:"


class Notes:
    """The notes of one dialect.

    Args:
        dialect: Its name.
    """

    __slots__ = ("dialect", "key")

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.key = PREFIX + dialect

    def of(self, extra: Mapping[str, Json]) -> JsonObject:
        """What this codec noted."""
        return as_object(extra.get(self.key))

    def kept(self, rest: JsonObject, note: Mapping[str, Json]) -> JsonObject:
        """The fields to keep: what is left, and the note when there is anything to note."""
        said: JsonObject = {name: value for name, value in note.items() if value not in (None, {}, [])}
        if rest or said:
            return {**rest, self.key: said}
        return {}

    def own(self, extra: Mapping[str, Json], where: str) -> JsonObject:
        """The fields to send as they are; empty ones of another dialect say nothing and are left.

        Raises:
            UnsupportedError: They came in another dialect, so this one has no such fields.
        """
        fields = {name: value for name, value in extra.items() if not name.startswith(PREFIX)}
        foreign = next((name for name in extra if name.startswith(PREFIX) and name != self.key), None)
        if foreign is not None and self.key not in extra:
            fields = {name: value for name, value in fields.items() if not _says_nothing(value)}
        if foreign is not None and self.key not in extra and fields:
            name = min(fields)
            raise UnsupportedError(
                f"{where}{name} is a field of the dialect {foreign.removeprefix(PREFIX)}; "
                f"the chosen model is spoken to in {self.dialect}, which has not got it.",
                field=f"{where}{name}",
                remedy=f"Leave {name} out, or choose a model that is spoken to in that dialect.",
            )
        return fields

    def shown(self, extra: Mapping[str, Json]) -> JsonObject:
        """The fields that a client of this dialect is shown; those of another mean nothing to it."""
        if extra and self.key not in extra and any(name.startswith(PREFIX) for name in extra):
            return {}
        return {name: value for name, value in extra.items() if not name.startswith(PREFIX)}


def _says_nothing(value: Json) -> bool:
    return value is None or (isinstance(value, str | list) and not value)


def left_out(request: CompletionRequest, dialect: str) -> tuple[str, ...]:
    """A sentence when a conversation holds blocks of answers that another dialect's codec kept in notes.

    They record what only that vendor does (such as a search that it made itself), so no other is told of
    them; the words that the model made of them stay.
    """
    for message in request.messages:
        for name, note in message.extra.items():
            if name.startswith(PREFIX) and name != PREFIX + dialect and as_object(note).get("blocks"):
                return (f"Blocks of earlier answers that only {name.removeprefix(PREFIX)} has are left out.",)
    return ()


def refuse_reserved(fields: Mapping[str, Json], where: str) -> None:
    """A client may not write notes.

    Raises:
        InvalidRequestError: A field's name begins as ours do.
    """
    name = next((name for name in fields if name.startswith(PREFIX)), None)
    if name is not None:
        raise InvalidRequestError(
            f"Field names that begin with {PREFIX!r} are reserved.",
            field=where + name,
            remedy="Leave it out.",
        )
