"""Private keys in PEM: from the first line to the last, however many lines or escapes lie between."""

import re

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
HIDDEN_KEY = "[redacted:private-key]"
"""What stands for a private key."""


def hide_private_keys(text: str, inside: bool = False) -> tuple[str, bool]:
    """The text without private keys, and whether it ends inside one.

    A key that does not end is hidden up to the end of the text: better too much than half a key.

    Args:
        text: Whole lines.
        inside: The text begins inside of one, which is already shown as hidden.
    """
    if not inside and "-----BEGIN " not in text:
        return text, False
    parts: list[str] = []
    position = 0
    while True:
        if inside:
            end = _END.search(text, position)
            if end is None:
                return "".join(parts), True
            position, inside = end.end(), False
        begin = _BEGIN.search(text, position)
        if begin is None:
            return "".join([*parts, text[position:]]), False
        parts += [text[position : begin.start()], HIDDEN_KEY]
        position, inside = begin.end(), True
