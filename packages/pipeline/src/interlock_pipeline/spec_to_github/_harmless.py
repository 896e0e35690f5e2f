"""Makes other people's text harmless where it is shown: on GitHub's pages, in a title, on a terminal.

What GitHub acts on: `@name` tells people, `#1` and addresses of issues leave a trace there, HTML and
comments change or hide what follows, a box counts as a task. Inside a code block it acts on nothing.
What is not covered: words themselves. A text that lies is quoted as it is.
"""

import re

# C0 and C1 controls, marks that change the direction of writing, tag characters that only machines read, and
# halves of surrogate pairs, which no encoding can carry.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
_WIDTHLESS = re.compile(r"[\u00ad\u200b\u200e\u200f\u2060-\u2064\ufeff]")
_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_REFERENCE = re.compile(r"(?<!\w)(?:#|GH-)(?=\d)", re.IGNORECASE)
_ACTED_ON = re.compile(
    r"[@#<>\[\]|\\~$]|```|://|\bwww\.|&(?:\w+|#\w+);|:[a-z0-9_+-]+:|\bGH-\d"
    r"|\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,40}\b|^[ \t]*[-=*_]{2,}[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_TICKS = re.compile(r"`+")
_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")


def visible(text: str) -> str:
    """The text with characters that hide or reorder it written out as `<U+202E>`."""
    return _HIDDEN.sub(
        lambda found: " " if found[0] in _SPACES else f"<U+{ord(found[0]):04X}>",
        text,
    )


def one_line(text: str) -> str:
    """The text as one line for a title: without comments, hidden characters, mentions and references."""
    plain = _WIDTHLESS.sub("", _HIDDEN.sub(" ", _COMMENT.sub(" ", text)))
    return " ".join(_REFERENCE.sub("no. ", _MENTION.sub("", plain)).split())


def is_plain(text: str) -> bool:
    """Whether GitHub shows a text as it is: nothing in it is acted on, whatever its lines begin with."""
    return _HIDDEN.search(text) is None and _ACTED_ON.search(text) is None


def quoted(text: str) -> str:
    """The text word for word: as a quotation where that is harmless, else as a block of code."""
    if is_plain(text):
        return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def code_span(text: str) -> str:
    """The text as code within a line, on which GitHub acts as little as on a block of it."""
    words = " ".join(visible(text).split())
    ticks = "`" * (_longest_ticks(words) + 1)
    return f"{ticks} {words} {ticks}" if "`" in words else f"{ticks}{words}{ticks}"


def address(text: str | None) -> str | None:
    """The text when it is an address that can be shown, else None."""
    return text if text is not None and _ADDRESS.fullmatch(text) else None


def _longest_ticks(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)
