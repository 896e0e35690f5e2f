"""Events of a vendor's stream that a client of the same dialect is told as they came."""

from collections.abc import Callable

from interlock_core import Chunk, Json, JsonObject, Usage
from interlock_core.jsontypes import as_object, dump_json, parse_json
from interlock_providers.codecs._original import EventBytes
from interlock_providers.codecs._splice import splice

_MODEL = b'"model"'


class EventForwarder:
    """Forwards events under our name of the model.

    Args:
        dialect: What the client speaks.
    """

    __slots__ = ("_begins", "_begun", "_dialect", "_model")

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._model = b""
        self._begins = b""
        self._begun = b""

    def name(self, model: str) -> None:
        """The model from here on."""
        self._model = dump_json(model).encode("utf-8", "replace")
        self._begins = b""

    def forward(self, chunk: Chunk) -> bytes | None:
        """The vendor's bytes; None when they do not say what the chunk says."""
        raw = chunk.raw
        if not isinstance(raw, EventBytes) or raw.dialect != self._dialect or not raw.fits(chunk):
            return None
        sent = self._renamed(raw.body)
        whole = sent is not None and sent.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
        return sent if whole else None

    def _renamed(self, body: bytes) -> bytes | None:
        """An event with our name of the model; most begin with the same bytes as the one before."""
        if self._begins and body.startswith(self._begins) and body.count(_MODEL) == 1:
            return self._begun + body[len(self._begins) :]
        sent = splice(body, replace={"model": self._model}, add={})
        if sent is not None and body.count(_MODEL) == 1:
            # What follows the value is the same in both, so its length tells where the value ended.
            at = body.find(_MODEL) + len(_MODEL)
            end = sent.find(self._model, at) + len(self._model)
            self._begins, self._begun = body[: len(body) - len(sent) + end], sent[:end]
        return sent


def told_usage(chunk: Chunk, dialect: str, read: Callable[[Json], Usage | None]) -> JsonObject | None:
    """The vendor's own words for the usage, which may say more than ours; None when they are not those.

    Args:
        chunk: A chunk that holds usage.
        dialect: What the client speaks.
        read: How the dialect's words for usage are read.
    """
    raw = chunk.raw
    if raw is None or raw.dialect != dialect:
        return None
    try:
        told = as_object(parse_json(raw.body[raw.body.find(b"{") : raw.body.rfind(b"}") + 1])).get("usage")
    except (ValueError, RecursionError):
        return None
    return as_object(told) if read(told) == chunk.usage else None
