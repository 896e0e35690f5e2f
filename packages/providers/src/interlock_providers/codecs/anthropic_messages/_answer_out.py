"""What an answer is made of, written for a client, whoever said it."""

from collections.abc import Sequence

from interlock_core import Audio, File, Image, Json, JsonObject, Message, Reasoning, Refusal, Text, ToolCall
from interlock_core.jsontypes import as_int, as_object, as_text, parse_json
from interlock_providers.codecs.anthropic_messages._blocks_in import placed
from interlock_providers.codecs.anthropic_messages._blocks_out import call_block, merged, own_citations
from interlock_providers.codecs.anthropic_messages._notes import NOTES
from interlock_providers.codecs.anthropic_messages._seal import sealed


def write_answer(message: Message, *, own: bool) -> list[Json]:
    """The content blocks of an answer.

    Args:
        message: What was said.
        own: A vendor of this dialect said it, so its signatures are those that a client expects.
    """
    note = NOTES.of(message.extra)
    left = as_object(note.get("parts"))
    blocks: list[Json] = []
    for index, part in enumerate(message.content):
        rest = as_object(left.get(str(index)))
        match part:
            case Text():
                blocks.append(merged(_write_text(part), rest))
            case Reasoning():
                blocks.append(merged(write_reasoning(part, own=own), rest))
            case ToolCall():
                block = call_block(part.id, part.name)
                block["input"] = write_input(part.arguments)
                blocks.append(merged(block, rest))
            case Image() | File() | Audio():
                kind = type(part).__name__.lower()
                blocks.append({"type": "text", "text": f"[{kind}: this dialect cannot carry it]"})
            case _:
                continue
    for position, block in placed({"blocks": note.get("blocks")}, ["blocks"]):
        blocks.insert(position, block)
    return blocks


def refusal_of(message: Message) -> str:
    """The model's words for why it will not answer."""
    return "".join(part.text for part in message.content if isinstance(part, Refusal))


def stop_details(refusal: str) -> JsonObject:
    """Those words where the dialect has them."""
    return {"type": "refusal", "category": None, "explanation": refusal}


def _write_text(part: Text) -> JsonObject:
    block: JsonObject = {"type": "text", "text": part.text}
    if citations := client_citations(part.citations, part.text):
        block["citations"] = citations
    return block


def write_reasoning(part: Reasoning, *, own: bool) -> JsonObject:
    """The block of a part of reasoning."""
    if not own:
        return {"type": "thinking", "thinking": part.text, "signature": sealed(part)}
    if part.encrypted is not None and part.signature is None:
        return {"type": "redacted_thinking", "data": part.encrypted}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}


def write_input(arguments: str) -> JsonObject:
    """The arguments as the object that the dialect wants; what is none stands in it as text."""
    try:
        given = parse_json(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {"arguments": arguments}


def client_citations(citations: Sequence[Json], text: str) -> list[Json]:
    """Citations as a client of the dialect can read them; those of other vendors become web results."""
    own = own_citations(tuple(citations))
    shown = (cited if cited in own else _web(cited, text) for cited in citations)
    return [cited for cited in shown if cited is not None]


def _web(cited: Json, text: str) -> JsonObject | None:
    told = as_object(cited)
    inner = as_object(told.get("url_citation")) or told
    url = as_text(inner.get("url"))
    if url is None:
        return None
    start, end = as_int(inner.get("start_index")), as_int(inner.get("end_index"))
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": as_text(inner.get("title")),
        "cited_text": "" if start is None or end is None else text[max(start, 0) : max(end, 0)],
        "encrypted_index": "",
    }
