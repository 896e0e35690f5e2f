"""What may enter a record: redacted first, then cut to size, so that no cut halves a secret."""

import hashlib
import math
from dataclasses import dataclass

from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.protocols import Audience, Redactor
from interlock_security.audit._fields import CHANGE
from interlock_security.audit._record import canonical
from interlock_security.redaction import refuse_secrets

# From here on a value is pruned before it is redacted.
_HUGE_CHARS = 64 * 1024
_MANY_CHARS = 32 * 1024
# Whom a change of rights, keys or quotas concerns.
_NAMED = ("user", "team", "member")
# What goes first when a record is too large, in this order.
_BULKY = ("arguments", "summary", "taint", "tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLimits:
    """How much one record may hold.

    Attributes:
        text_chars: Most characters of one text; the rest is cut and counted.
        items: Most members of one array.
        depth: Most levels of nesting.
        data_bytes: Most bytes of all; what is larger is replaced by its size and hash.
    """

    text_chars: int = 2_000
    items: int = 200
    depth: int = 24
    data_bytes: int = 16 * 1024


class Sanitiser:
    """Makes data fit for the log.

    Args:
        redactor: Hides secrets.
        limits: How much may stay.
    """

    __slots__ = ("_limits", "_redactor")

    def __init__(self, redactor: Redactor, limits: AuditLimits) -> None:
        self._redactor = redactor
        self._limits = limits

    def refuse_secrets(self, value: JsonObject) -> None:
        """Refuse data in which a known secret stands: what it tells of keeps it as it is.

        Raises:
            InvalidRequestError: One does.
        """
        refuse_secrets(value, self._redactor)

    def data(self, value: JsonObject) -> tuple[str, JsonObject]:
        """A record's data: as canonical text (redacted, cut, when too large without bulk), and redacted."""
        text = _rendered(value)
        whole = value if 0 < len(text) <= _HUGE_CHARS else self._pruned(value, self._limits.depth)
        redacted = self._redactor.json(whole)
        if redacted is not whole:
            redacted = self._with_identities(as_object(whole), as_object(redacted))
        if redacted is not value:
            text = _rendered(redacted)
        if not 0 < len(text) <= self._limits.text_chars:
            text = self._cut_down(redacted)
        return text, as_object(redacted)

    def _with_identities(self, value: JsonObject, redacted: JsonObject) -> JsonObject:
        """The redacted data with who did it, and to whom: a name may be a mail address.

        Only secrets that are known are hidden in it.
        """
        kept = dict(redacted)
        if "principal" in value:
            kept["principal"] = self._redactor.json(value["principal"], toward=Audience.MODEL)
        if value.get("call_kind") == CHANGE:
            before = as_object(value.get("arguments"))
            named = {
                name: self._redactor.json(before[name], toward=Audience.MODEL)
                for name in _NAMED
                if isinstance(before.get(name), str)
            }
            kept["arguments"] = as_object(redacted.get("arguments")) | named
        return kept

    def _cut_down(self, redacted: Json) -> str:
        shaped = self._shape(redacted, self._limits.depth)
        kept = shaped if isinstance(shaped, dict) else {}
        text = canonical(shaped)
        for field in _BULKY:
            if len(text) <= self._limits.data_bytes:
                return text
            if field in kept:
                kept[field] = _digest(canonical(kept[field]))
                text = canonical(kept)
        return text if len(text) <= self._limits.data_bytes else canonical(_digest(text))

    def _pruned(self, value: Json, depth: int) -> Json:
        """Without what will not be stored anyway, so that redaction is not made to read megabytes.

        Of a text far more stays than will be shown: no secret is long enough to be halved in what is shown.
        """
        match value:
            case str():
                return value[: self._limits.text_chars + _HUGE_CHARS]
            case dict() if depth:
                return {key: self._pruned(item, depth - 1) for key, item in value.items()}
            case list() if depth:
                return [self._pruned(item, depth - 1) for item in self._counted(value)]
            case dict() | list():
                return "[deeper]"
            case _:
                return value

    def _shape(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self._cut(value)
            case dict() | list() if depth == 0:
                return "[deeper]"
            case dict():
                return {key: self._shape(item, depth - 1) for key, item in value.items()}
            case list():
                return [self._shape(item, depth - 1) for item in self._counted(value)]
            case float() if not math.isfinite(value):
                return f"[{value}]"
            case _:
                return value

    def _counted(self, value: list[Json]) -> list[Json]:
        """An array's first members, and in place of all others how many they are."""
        most = self._limits.items
        return value if len(value) <= most + 1 else [*value[:most], f"[{len(value) - most} more]"]

    def _cut(self, value: str) -> str:
        more = len(value) - self._limits.text_chars
        if more <= 0:
            return value
        count = f"{more}" if more < _MANY_CHARS else f"at least {_MANY_CHARS}"
        return f"{value[: self._limits.text_chars]}[{count} more characters]"


def _rendered(value: Json) -> str:
    """The value's canonical text; empty when it holds a number that JSON has not, or is nested too deep."""
    try:
        return canonical(value)
    except (ValueError, RecursionError):
        return ""


def _digest(text: str) -> JsonObject:
    data = text.encode()
    return {"omitted": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
