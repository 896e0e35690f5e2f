"""Rows of numbers as bytes and back: what is learned, between two starts of a process.

The form is numpy's own archive of named arrays, read without its pickles, so that nothing in it is executed,
behind the digest of its bytes, so that what was damaged is not read at all.
"""

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock_core.errors import InvalidRequestError

Arrays: TypeAlias = "Mapping[str, NDArray[np.generic]]"
"""Arrays by name."""

_DIGEST: Final = 32


def pack(arrays: Arrays) -> bytes:
    """Arrays as bytes."""
    made = BytesIO()
    np.savez_compressed(made, allow_pickle=False, **arrays)
    whole = made.getvalue()
    return sha256(whole).digest() + whole


def unpack(kept: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays that were packed.

    Raises:
        InvalidRequestError: The bytes are none that `pack` made.
    """
    digest, whole = kept[:_DIGEST], kept[_DIGEST:]
    if sha256(whole).digest() != digest:
        raise wrong("it is damaged")
    with np.load(BytesIO(whole), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def wrong(why: str) -> InvalidRequestError:
    """The refusal of what cannot be read."""
    return InvalidRequestError(
        f"What the router learned cannot be read: {why}.",
        field="experience",
        remedy="Delete it; the router then learns from the outcomes that are kept.",
    )


def floats(arrays: Arrays, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """An array of numbers of a shape, -1 where its length is free.

    Raises:
        InvalidRequestError: There is none of that name, kind or shape, or a number is not finite.
    """
    found = arrays.get(name)
    if found is None or found.dtype.kind not in "fiu":
        raise wrong(f"{name} is missing or holds no numbers")
    fits = len(found.shape) == len(shape) and all(
        wanted in {-1, own} for wanted, own in zip(shape, found.shape, strict=True)
    )
    made = found.astype(np.float64)
    if not fits or not np.all(np.isfinite(made)):
        raise wrong(f"{name} has another shape, or numbers that are not finite")
    return made


def texts(arrays: Arrays, name: str) -> list[str]:
    """A row of different texts.

    Raises:
        InvalidRequestError: There is none of that name, or one stands there twice.
    """
    found = arrays.get(name)
    if found is None or found.dtype.kind != "U" or len(found.shape) != 1:
        raise wrong(f"{name} is missing or holds no texts")
    made = [str(text) for text in found]
    if len(set(made)) != len(made):
        raise wrong(f"{name} holds one twice")
    return made
