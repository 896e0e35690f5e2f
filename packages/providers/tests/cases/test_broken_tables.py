"""The streams of the tables with one value put wrong: whatever was read can be written in every dialect."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core import Chunk, Json, JsonObject
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import parse_json
from interlock_providers.codecs import codec

from .provider_cases import StreamCase, stream_cases
from .table_vendors import CODECS, PLAIN, sent_in

Path = tuple[str | int, ...]
WRONG: tuple[Json, ...] = (
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "a\nb",
    "\ud800",
    [],
    [None],
    {},
    {"type": {}},
    [{"type": []}],
)
DIALECTS = tuple(map(codec, CODECS.values()))


def places_in(value: Json, path: Path = ()) -> Iterator[Path]:
    """Every place in a value, itself first."""
    yield path
    inner: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, item in inner:
        yield from places_in(item, (*path, step))


def with_value(value: Json, path: Path, wrong: Json) -> Json:
    """A value with another one in that place."""
    if not path:
        return wrong
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        changed: JsonObject = {
            name: with_value(item, rest, wrong) if name == step else item for name, item in value.items()
        }
        return changed
    if isinstance(value, list):
        return [with_value(item, rest, wrong) if at == step else item for at, item in enumerate(value)]
    raise AssertionError(path)


def broken(case: StreamCase, data: st.DataObject) -> bytes:
    """The stream with one value of one event put wrong."""
    lines = case.body.split(b"\n")
    told = [at for at, line in enumerate(lines) if line.startswith(b"data:") and b"{" in line]
    at = data.draw(st.sampled_from(told))
    try:
        event = parse_json(lines[at].removeprefix(b"data:"))
    except ValueError:
        return case.body
    place = data.draw(st.sampled_from(list(places_in(event))))
    wrong = with_value(event, place, data.draw(st.sampled_from(WRONG)))
    lines[at] = b"data: " + json.dumps(wrong).encode()
    return b"\n".join(lines)


def read(case: StreamCase, body: bytes) -> list[Chunk]:
    """What a reader makes of a stream up to its end or its error, which is a typed one."""
    spoken, sent = sent_in(case.dialect, stream=True)
    parser = spoken.parse_stream(sent)
    chunks: list[Chunk] = []

    with suppress(InterlockError):
        chunks.extend(parser.feed(body))
        chunks.extend(parser.finish())
    return chunks


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", stream_cases(), ids=lambda case: case.id)
@settings(max_examples=12)
@given(data=st.data())
def test_a_stream_with_a_wrong_value_is_read_and_written_or_refused(
    case: StreamCase, data: st.DataObject
) -> None:
    """A typed error, or chunks of which every dialect makes bytes: one line a field, and UTF-8."""
    chunks = read(case, broken(case, data))
    whole = CompletionAssembler()
    for chunk in chunks:
        whole.feed(chunk)
    for dialect in DIALECTS:
        writer = dialect.render_stream(PLAIN, created=1)
        try:
            wire = b"".join([*(writer.chunk(chunk) for chunk in chunks), writer.end()])
            body = dialect.render_response(whole.completion())
        except InterlockError:
            continue
        assert (wire + body).decode("utf-8")
        lines = wire.decode("utf-8").replace("\r\n", "\n").split("\n")
        assert [line for line in lines if line and not line.startswith(("data:", "event:", ":", "id:"))] == []
