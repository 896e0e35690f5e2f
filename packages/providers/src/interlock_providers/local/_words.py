"""Words of a conversation, and how closely a tool is related to them."""

import re

from interlock_core.jsontypes import Json, as_array, as_object
from interlock_core.toolspec import ToolSpec

_WORD = re.compile(r"[A-Za-z]+")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_SPAN = re.compile(
    r"\"([^\"\n]{2,80})\"|\u201c([^\u201d\n]{2,80})\u201d|`([^`\n]{2,80})`|(?<!\w)'([^'\n]{2,80})'(?!\w)"
    r"|[^\s\"\u201c\u201d`?!,;()/]+"
)
_JOINED = re.compile(r"(?<![\w/:.-])[\w.-]+(?:/[\w.-]+)+")
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w-]|\.\d)")
_ENDINGS = ("ing", "es", "s", "ed", "e")
_SHORTEST_STEM = 3
_COMMON = frozenset(
    _WORD.findall(
        "a about all an and any are as at be been by called can could do does find for from get give had "
        "has have how i in is it let list many me much my named now of on one or our please show tell than "
        "that the there these they this those titled to us was we were what when where which who with "
        "would you your"
    )
)


def stems(text: str) -> frozenset[str]:
    """The telling words of a text, without their endings; names such as `issue_number` are taken apart."""
    words = _WORD.findall(_HUMP.sub(r"\1 \2", text))
    return frozenset(_stem(word.lower()) for word in words if word.lower() not in _COMMON)


def numbers(text: str) -> list[int | float]:
    """The numbers that a text names, in order, each once."""
    found = [float(number) if "." in number else int(number) for number in _NUMBER.findall(text)]
    return list(dict.fromkeys(found))


def spans(text: str, tool: ToolSpec) -> list[str]:
    """What in a text may be a value for the tool; in order, each once.

    These are quoted passages, and words that are neither common nor the tool's own; a bare number only
    when the tool has no parameter for numbers.
    """
    own = stems(vocabulary(tool))
    counts = any(as_object(schema).get("type") in ("integer", "number") for schema in _properties(tool))
    found: list[str] = []
    for match in _SPAN.finditer(text):
        quoted = match[match.lastindex] if match.lastindex else None
        span = quoted or match[0].strip(".:'")
        is_number = counts and _NUMBER.fullmatch(span) is not None
        if span and (quoted or (_tells(span, own) and not is_number)):
            found.append(span)
    return list(dict.fromkeys(found))


def joined(text: str) -> list[str]:
    """The parts of names that are joined by slashes, such as `owner/repository`; in order, each once."""
    parts = [part.strip(".") for name in _JOINED.findall(text) for part in name.split("/")]
    return list(dict.fromkeys(part for part in parts if part))


def mentioned(name: str, text: str) -> bool:
    """Whether a text has this word, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def vocabulary(tool: ToolSpec) -> str:
    """All words of a tool: its name, description, parameters and their choices."""
    return f"{tool.name} {tool.description or tool.summary} {_parameter_words(tool)}"


def relatedness(tool: ToolSpec, text: str) -> float:
    """How many telling words a text and a tool share.

    A word in the tool's name counts twice, one among its parameters half.
    """
    said = stems(text)
    in_name = said & stems(tool.name)
    in_text = said & stems(f"{tool.name} {tool.description or tool.summary}")
    in_parameters = said & stems(_parameter_words(tool))
    return len(in_name) + len(in_text) + len(in_parameters) / 2


def _parameter_words(tool: ToolSpec) -> str:
    choices: list[Json] = [c for schema in _properties(tool) for c in as_array(as_object(schema).get("enum"))]
    names = as_object(tool.parameters.get("properties"))
    return " ".join([*names, *(str(choice) for choice in choices)])


def _properties(tool: ToolSpec) -> list[Json]:
    return list(as_object(tool.parameters.get("properties")).values())


def _tells(span: str, own: frozenset[str]) -> bool:
    if span.lower() in _COMMON or not any(char.isalnum() for char in span):
        return False
    inside = stems(span)
    return not inside or not inside <= own


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word
