"""How the answers of a simulated vendor are held against the types of its official SDK."""

from collections.abc import AsyncIterable, Iterator
from typing import Protocol, TypeVar, cast

import pytest
from pydantic import BaseModel, TypeAdapter

T = TypeVar("T")


class Strictly(Protocol):
    """Reads JSON as a type, strictly, and refuses fields that the type does not name."""

    def __call__(self, kind: TypeAdapter[T], data: str | bytes) -> T:
        """The value."""
        ...


class Events(Protocol):
    """Splits a stream into the names and the data of its events; comments are left out."""

    async def __call__(self, stream: AsyncIterable[bytes]) -> list[tuple[str, str]]:
        """The events; an event without a name has the empty one."""
        ...


def _unknown(value: object, path: str = "$") -> Iterator[str]:
    """The paths of fields that a model carries without naming them."""
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or ())
        for name, held in value:
            yield from _unknown(held, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _unknown(item, f"{path}[{index}]")


@pytest.fixture
def strictly() -> Strictly:
    """Strict reading."""

    def read(kind: TypeAdapter[T], data: str | bytes) -> T:
        value = kind.validate_json(data, strict=True)
        assert list(_unknown(value)) == []
        return value

    return read


@pytest.fixture
def events() -> Events:
    """Splitting."""

    async def split(stream: AsyncIterable[bytes]) -> list[tuple[str, str]]:
        text = b"".join([piece async for piece in stream]).decode()
        found: list[tuple[str, str]] = []
        for block in text.split("\n\n"):
            lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
            fields = {name: value for name, _, value in lines if name}
            if fields:
                found.append((fields.get("event", ""), fields.get("data", "")))
        return found

    return split
