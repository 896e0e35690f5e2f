"""OpenAI's tokenisers, offline from the package bpe-openai."""

import re
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from interlock_providers.tokens import Tokeniser

_ENCODINGS = (
    # Which models use which, after tiktoken 0.14 (`tiktoken/model.py`); newer models are not told there.
    (re.compile(r"gpt-4o|gpt-4\.[15]|gpt-5|chatgpt-4o|o[134](-|$)"), "o200k_base"),
    (re.compile(r"gpt-4|gpt-3\.5|text-embedding-(3|ada-002)"), "cl100k_base"),
)
# Three tokens around each message and one for its role, three that begin the answer: OpenAI's cookbook,
# "How to count tokens with tiktoken".
_PER_MESSAGE = 4
_PER_REQUEST = 3


class _Encoding(Protocol):
    """One vocabulary; the package has no types."""

    def encode_ordinary(self, text: str) -> Sequence[int]: ...


class _Package(Protocol):
    def get_encoding(self, name: str) -> _Encoding: ...


@cache
def tokeniser(model: str) -> Tokeniser | None:
    """How a model counts; None when that is not known, or the package is not installed."""
    name = next((encoding for pattern, encoding in _ENCODINGS if pattern.match(model)), None)
    if name is None:
        return None
    with warnings.catch_warnings():
        # The package opens its tables in a way that Python 3.11 and 3.12 call deprecated and 3.13 does not.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            encoding = cast("_Package", import_module("bpe_openai")).get_encoding(name)
        except ImportError:
            return None
    return Tokeniser(
        count=lambda text: len(encoding.encode_ordinary(text)),
        per_message=_PER_MESSAGE,
        per_request=_PER_REQUEST,
        known=True,
    )
