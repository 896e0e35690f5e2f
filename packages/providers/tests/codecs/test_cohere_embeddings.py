"""Vectors of the dialect cohere-chat, both ways."""

import base64
import json
import struct

import pytest
from cohere.types.embed_by_type_response import EmbedByTypeResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from interlock_core import Embeddings, Json, JsonObject, Usage
from interlock_core.errors import InterlockError, InvalidRequestError, ProtocolError, UnsupportedError
from interlock_core.jsontypes import dump_json
from interlock_providers.codecs import EmbeddingsRequest, Rendered, Target, embeddings_codec

CODEC = embeddings_codec("cohere-chat")
TARGET = Target(provider="vendor", model="embed-1")
SENT: Rendered = CODEC.render_request(["a", "b"], TARGET)
HALVES = base64.b64encode(struct.pack("<2f", 0.5, 1.5)).decode()


def test_texts_are_sent_as_texts_that_are_searched() -> None:
    """The vendor wants to know what a text is for, and the vocabulary says that of none."""
    assert (SENT.path, json.loads(SENT.body)) == (
        "/v2/embed",
        {
            "model": "embed-1",
            "input_type": "search_document",
            "texts": ["a", "b"],
            "embedding_types": ["float"],
        },
    )


def test_more_texts_than_the_vendor_takes_are_refused() -> None:
    """By name, with the limit and what to do."""
    assert CODEC.render_request(["x"] * 96, TARGET).path == "/v2/embed"
    with pytest.raises(UnsupportedError, match="at most 96") as caught:
        CODEC.render_request(["x"] * 97, TARGET)
    assert caught.value.field == "input"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "vectors",
    [{"float": [[0.5, 1.5], [1, 2]]}, [[0.5, 1.5], [1, 2]], {"base64": [HALVES, HALVES]}],
)
def test_vectors_are_read_in_every_form(vectors: Json) -> None:
    """By type, as the plain list of older servers, or packed."""
    meta: JsonObject = {"billed_units": {"input_tokens": 4.0}}
    made = CODEC.parse_response(dump_json({"id": "e", "embeddings": vectors, "meta": meta}).encode(), SENT, 2)
    assert made.vectors[0] == (0.5, 1.5)
    assert len(made.vectors) == 2
    assert (made.model, made.usage) == ("vendor/embed-1", Usage(input_tokens=4))


def test_vectors_without_a_count_have_no_usage() -> None:
    """What is unknown is not zero."""
    assert CODEC.parse_response(b'{"embeddings":{"float":[[1],[2]]}}', SENT, 2).usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"embeddings":{"float":[[1]]}}',
        b'{"embeddings":{"float":[[1],[]]}}',
        b'{"embeddings":{"float":[[1],["x"]]}}',
        b'{"embeddings":{"float":[[1],[true]]}}',
        b'{"embeddings":{"float":[[1],3]}}',
        b'{"embeddings":{"base64":["?","?"]}}',
        b'{"embeddings":{"base64":["",""]}}',
        b'{"embeddings":{"base64":["AAA=","AAA="]}}',
        b'{"embeddings":{"int8":[[1],[2]]}}',
    ],
)
def test_vectors_that_break_the_format_are_a_typed_error(body: bytes) -> None:
    """Too few, empty, or no numbers."""
    with pytest.raises(ProtocolError) as caught:
        CODEC.parse_response(body, SENT, 2)
    assert caught.value.vendor == "vendor"


@given(st.binary(max_size=120))
def test_no_bytes_make_the_reader_of_vectors_fail_in_another_way(body: bytes) -> None:
    """Whatever a server answers is vectors or a typed error."""
    try:
        CODEC.parse_response(body, SENT, 1)
    except InterlockError:
        return


def asked(**fields: Json) -> bytes:
    """A client's request."""
    body: JsonObject = {"model": "m", "input_type": "search_document", "texts": ["a"], **fields}
    return dump_json({name: value for name, value in body.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("body", "packed"),
    [
        (asked(), False),
        (asked(embedding_types=["float"], truncate="END"), False),
        (asked(embedding_types=["base64"], priority=0), True),
    ],
)
def test_a_clients_request_is_read(body: bytes, packed: bool) -> None:
    """The form of the vectors is the client's choice."""
    assert CODEC.parse_request(body) == EmbeddingsRequest(model="m", texts=("a",), base64=packed)


@pytest.mark.parametrize(
    ("body", "field", "cls"),
    [
        (b"[]", "body", InvalidRequestError),
        (asked(model=None), "model", InvalidRequestError),
        (asked(texts=None), "texts", InvalidRequestError),
        (asked(texts=[]), "texts", InvalidRequestError),
        (asked(texts=["a", ""]), "texts[1]", InvalidRequestError),
        (asked(texts=[1]), "texts[0]", InvalidRequestError),
        (asked(input_type=None), "input_type", InvalidRequestError),
        (asked(input_type="query"), "input_type", InvalidRequestError),
        (asked(input_type="search_query"), "input_type", UnsupportedError),
        (asked(input_type="image"), "input_type", UnsupportedError),
        (asked(embedding_types=["int8"]), "embedding_types", UnsupportedError),
        (asked(embedding_types=["float", "int8"]), "embedding_types", UnsupportedError),
        (asked(output_dimension=256), "output_dimension", UnsupportedError),
        (asked(truncate="NONE"), "truncate", UnsupportedError),
        (asked(texts=None, images=["data:"]), "images", UnsupportedError),
        (asked(texts=None, inputs=[{}]), "inputs", UnsupportedError),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    body: bytes, field: str, cls: type[InvalidRequestError]
) -> None:
    """A client is never given other vectors than those that it asked for."""
    with pytest.raises(cls) as caught:
        CODEC.parse_request(body)
    assert type(caught.value) is cls
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.parametrize("packed", [False, True])
def test_a_client_is_told_vectors_as_the_sdk_reads_them(packed: bool) -> None:
    """Strictly, without a field that it does not know; and we read them back."""
    made = Embeddings(model="vendor/embed-1", vectors=((0.5, 1.5), (1.0, 2.0)), usage=Usage(input_tokens=4))
    told = CODEC.render_response(made, base64=packed)
    read = TypeAdapter(EmbedByTypeResponse).validate_python(json.loads(told), strict=True)
    assert not read.model_extra
    assert read.embeddings.base64 == (
        [HALVES, base64.b64encode(struct.pack("<2f", 1, 2)).decode()] if packed else None
    )
    assert CODEC.parse_response(told, SENT, 2) == made
