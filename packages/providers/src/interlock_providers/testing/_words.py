"""What every simulated model does alike: count, cut, and make up values."""

from collections.abc import Iterable, Iterator, Mapping

from interlock_core import Json
from interlock_core.jsontypes import as_array, as_int, as_object, as_text, dump_json
from interlock_providers.testing._script import Block, Declined, Say, Spoken, Thought, ToolUse

CREATED = 1_790_000_000
"""When every answer was made, so that the same script gives the same bytes."""


def count(text: str) -> int:
    """Tokens of a text: a word is one, so that every count can be told beforehand."""
    return len(text.split())


def said(block: Block) -> str:
    """The text of a part of an answer, whole: its pieces where the script has them."""
    match block:
        case ToolUse():
            return block.arguments
        case Thought() | Spoken():
            return block.text if block.pieces is None else "".join(block.pieces)
        case Declined():
            return block.text
        case _:
            return ""


def counted(blocks: Iterable[Block]) -> tuple[int, int]:
    """Tokens of the whole answer, and those of its thoughts among them."""
    listed = list(blocks)
    thought = sum(count(said(block)) for block in listed if isinstance(block, Thought))
    return sum(count(said(block)) for block in listed), thought


def pieces_of(block: Spoken | Thought | ToolUse) -> Iterator[str]:
    """The pieces in which a part of an answer streams: text at spaces, arguments in fours."""
    if block.pieces is not None:
        yield from block.pieces
    elif isinstance(block, Spoken):
        words = block.text.split(" ") if block.text else []
        yield from (word if index == 0 else f" {word}" for index, word in enumerate(words))
    elif isinstance(block, ToolUse):
        yield from (block.arguments[at : at + 4] for at in range(0, len(block.arguments), 4))
    elif block.text:
        yield block.text


def example(schema: Mapping[str, Json]) -> Json:
    """A small value that fits a simple schema."""
    options = as_array(schema.get("enum"))
    if options:
        return options[0]
    match schema.get("type"):
        case "object":
            properties = as_object(schema.get("properties"))
            names = (as_text(name) or "" for name in as_array(schema.get("required")))
            return {name: example(as_object(properties.get(name))) for name in names}
        case "array":
            return [example(as_object(schema.get("items")))] * (as_int(schema.get("minItems")) or 0)
        case "integer" | "number":
            return max(1, as_int(schema.get("minimum")) or 1)
        case "boolean":
            return True
        case _:
            return "text".ljust(as_int(schema.get("minLength")) or 0, ".")


def texts_of(content: Json) -> Iterator[str]:
    """The texts of a message's content, whether it is text or parts."""
    if isinstance(content, str):
        yield content
    for part in as_array(content):
        yield as_text(as_object(part).get("text")) or ""


def example_call(name: str, schema: Json) -> Say:
    """A call of one tool with arguments that fit its schema."""
    return Say(calls=(ToolUse(name, dump_json(example(as_object(schema)))),))


def example_text(schema: Json) -> Say:
    """A JSON text that fits a schema; an empty object where there is none."""
    return Say(dump_json(example(as_object(schema) or {"type": "object"})))


def echo(heard: str, most: int | None, length: str) -> Say:
    """What was heard, said again.

    Args:
        heard: The last text of the request.
        most: How many tokens may be said.
        length: The vendor's word for having said no more for that reason.
    """
    words = f"You said: {heard}".split(" ")
    most = most or len(words)
    return Say(" ".join(words[:most]), finish=length if most < len(words) else None)
