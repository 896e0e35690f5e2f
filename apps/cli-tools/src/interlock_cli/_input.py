"""Text that comes from arguments and standard input."""

import sys

from interlock_core.errors import InvalidRequestError


def prompt_of(given: str) -> str:
    """The prompt that an argument holds, or standard input where it is `-`.

    Raises:
        InvalidRequestError: It is empty, or no UTF-8.
    """
    try:
        text = sys.stdin.read() if given == "-" else given
        text.encode()
    except UnicodeError as exc:
        raise InvalidRequestError(
            "The prompt is not UTF-8.", field="PROMPT", remedy="Give text in UTF-8."
        ) from exc
    if not text.strip():
        raise InvalidRequestError("The prompt is empty.", field="PROMPT", remedy="Write a question.")
    return text
