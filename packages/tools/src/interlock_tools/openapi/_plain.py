"""Text of a document without markup, addresses and characters that nobody sees: only words stay."""

import re

_FENCE = re.compile(r"```.*?(?:```|$)|~~~.*?(?:~~~|$)", re.DOTALL)
_TABLE = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
_RULES = re.compile(r"[|\t ]+(?:[:\s|-]*-{3,}[:\s|-]*)?")
_ROLE = re.compile(r":[a-z][a-z:]*:`([^`<]*?)\s*(?:<[^`>]*>)?`")
_TAG = re.compile(r"<!--.*?(?:-->|$)|</?[a-zA-Z][^<>]{0,300}>", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_ADDRESS = re.compile(r"\s*\((?:see:? )?https?://[^\s)]*\)|https?://[^\s)\"']*[^\s)\"'.,;:!?]", re.IGNORECASE)
_HEADING = re.compile(r"^\s{0,3}#{1,6}[ \t]+([^\n]*?)[ \t]*[#:]*$", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)+", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:[*+-]|\d{1,2}[.)])[ \t]+", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*\*|__)(\S(?:.*?\S)?)\1")
_SLANTED = re.compile(r"(?<![\w*])\*(\S(?:[^*\n]*?\S)?)\*(?![\w*])")
_MARKUP = re.compile(r"[<\[`#*_>&\n|:~]")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0000-\U000e0fff\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_ITEMS_END = re.compile(r"([.:;,!?])?\s*\x00")
_ELSEWHERE = re.compile(
    r"(?:^|(?<=[.!?] ))(?:For (?:more|further|additional|detailed)? ?(?:information|details|info|examples)\b"
    r"|(?:Read|Learn|Find out) more\b|See (?:also|the|our|https?:|\")|(?:Refer to|Please (?:see|refer))\b)"
    r"[^.!?]*(?:[.!?](?=\S)[^.!?]*)*(?:[.!?]+\"?|$) ?",
)
_CALLOUT = re.compile(r"\[!(?:NOTE|WARNING|TIP|IMPORTANT|CAUTION)\]\s*", re.IGNORECASE)

_BY_MARK = (
    (("```", "~~~"), _FENCE, " "),
    ((":`",), _ROLE, r"\1"),
    (("<",), _TAG, " "),
    (("[!",), _CALLOUT, ""),
    (("![",), _IMAGE, " "),
    (("[",), _LINK, r"\1"),
)


def is_visible(text: str) -> bool:
    """Whether every character of a text is one that can be seen."""
    return text.isprintable() and (text.isascii() or not _VARIATION.search(text))


def visible(text: str) -> str:
    """The characters of a text that can be seen."""
    return text if is_visible(text) else _VARIATION.sub("", "".join(c for c in text if c.isprintable()))


def is_plain(text: str) -> bool:
    """Whether a short text has nothing in it that `plain` would take away."""
    return is_visible(text) and not _MARKUP.search(text)


def plain(text: str) -> str:
    """The text on one line, without Markdown, HTML, addresses, invisible characters and idle sentences."""
    if _MARKUP.search(text):
        text = _without_markup(text)
    text = " ".join(text.replace("\x00", " ").split()) if "\x00" not in text else _listed(text)
    if not is_visible(text):
        text = visible(_TERMINAL.sub("", text))
    return _ELSEWHERE.sub("", text).strip() or text


def _without_markup(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "")
    if "|" in text:
        text = _without_tables(text)
    for marks, pattern, instead in _BY_MARK:
        if any(mark in text for mark in marks):
            text = pattern.sub(instead, text)
    if "://" in text:
        text = _elsewhere_first(text)
    if "\n" in text or text[:1] in "#>*+- \t0123456789":
        text = _ITEM.sub("\x00", _HEADING.sub(r"\1:", _QUOTE.sub("", text)))
    if "*" in text or "__" in text:
        text = _SLANTED.sub(r"\1", _EMPHASIS.sub(r"\2", text))
    if "&" in text:
        import html

        text = html.unescape(text)
    return text.replace("`", "")


def _without_tables(text: str) -> str:
    """Without tables; a text that is nothing else stays, as lines of words."""
    left = _TABLE.sub("", text)
    return left if left.strip() else _RULES.sub(" ", _TAG.sub("\n", text)).replace("\n", "; ")


def _elsewhere_first(text: str) -> str:
    """Sentences that only send the reader away go with their addresses; of the others the addresses go."""
    return _ADDRESS.sub("", _ELSEWHERE.sub("", text))


def _listed(text: str) -> str:
    """Items of a list, marked by zeros, one after the other on one line."""
    joined = _ITEMS_END.sub(lambda match: f"{match.group(1) or ';'} ", text)
    return " ".join(joined.split()).removeprefix("; ")
