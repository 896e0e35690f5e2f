"""Mistral's tokeniser, offline from the package mistral-common."""

from functools import cache
from pathlib import Path

from interlock_providers.tokens import Tokeniser

_PER_MESSAGE = 4


@cache
def tokeniser(model: str) -> Tokeniser | None:
    """How a model counts; None when the package is not installed.

    The packaged vocabulary is that of September 2024, which later models extend: a close estimate.
    """
    del model
    try:
        import mistral_common
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    except ImportError:
        return None
    inner = Tekkenizer.from_file(Path(mistral_common.__file__).with_name("data") / "tekken_240911.json")
    return Tokeniser(
        count=lambda text: len(inner.encode(text, bos=False, eos=False)),
        per_message=_PER_MESSAGE,
        per_request=1,
        known=False,
    )
