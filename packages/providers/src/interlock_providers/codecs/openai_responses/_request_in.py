"""A client's request, read."""

from interlock_core import CompletionRequest, Json, JsonObject
from interlock_core.errors import UnsupportedError
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json, wrong
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs.openai_responses._input import read_input
from interlock_providers.codecs.openai_responses._notes import DIALECT, NOTES, refuse_reserved
from interlock_providers.codecs.openai_responses._tools import read_choice, read_text, read_tools

LOGPROBS = "message.output_text.logprobs"
"""What `include` must hold for log probabilities."""
_STORED = {
    "previous_response_id": "Send the whole conversation in input",
    "conversation": "Send the whole conversation in input",
}
_SUMMARY = ("summary", "generate_summary")


def parse_request(body: bytes, headers: Headers = ()) -> ClientRequest:
    """Read a client's request; see `Codec.parse_request`."""
    whole = read_client_json(body)
    refuse_reserved(whole, "")
    fields = Fields(whole)
    note: JsonObject = {}
    _refuse(fields)
    stream = fields.flag("stream") or False
    _read_plain(fields, note)
    request = CompletionRequest(
        model=fields.need_text("model"),
        messages=read_input(fields, note),
        tools=read_tools(fields, note),
        tool_choice=read_choice(fields, note),
        response_format=read_text(fields),
        max_tokens=fields.whole("max_output_tokens", least=1),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        logprobs=_logprobs(fields, note),
        reasoning_effort=_reasoning(fields, note),
        service_tier=fields.text("service_tier"),
        cache_key=fields.text("prompt_cache_key"),
        user=_user(fields, note),
        # The last event of a stream tells the usage, whether it was asked for or not.
        stream_usage=True,
        metadata=_metadata(fields),
        extra=NOTES.kept(fields.rest(), note),
    )
    original = ParsedBytes(
        dialect=DIALECT, body=body, headers=headers, parsed=request, members=frozenset(whole)
    )
    return ClientRequest(request=original.attach(), stream=stream)


def _refuse(fields: Fields) -> None:
    """What needs an earlier answer, or a later question, to be stored here."""
    for name, remedy in _STORED.items():
        if fields.take(name) is not None:
            raise UnsupportedError(
                f"{name} refers to a stored conversation, and nothing is stored here.",
                field=name,
                remedy=f"{remedy}.",
            )
    if fields.flag("background"):
        raise UnsupportedError(
            "background is not supported: an answer that nobody waits for would have to be stored.",
            field="background",
            remedy="Leave it out, and wait for the answer or stream it.",
        )
    fields.take("background")


def _read_plain(fields: Fields, note: JsonObject) -> None:
    """Fields that only this dialect has, and that ask for what every vendor does anyway."""
    store = fields.flag("store")
    if store is not None:
        note["store"] = store
    if store:
        # Only a vendor of this dialect can keep the answer; any other refuses it by this name.
        fields.rest()["store"] = True
    plain: JsonObject = {}
    if fields.peek("truncation") == "disabled":
        plain["truncation"] = fields.take("truncation")
    options = fields.part("stream_options")
    if options is not None:
        hidden = options.flag("include_obfuscation")
        if hidden is not None:
            plain["stream_options"] = {"include_obfuscation": hidden}
        if options.rest():
            fields.rest()["stream_options"] = options.rest()
    include = fields.items("include")
    if include is not None:
        for index, item in enumerate(include):
            if not isinstance(item, str):
                raise wrong(f"include[{index}]", "a string")
        note["include"] = include or "none"
    note["plain"] = plain


def _logprobs(fields: Fields, note: JsonObject) -> int | None:
    include = note.get("include")
    wanted = isinstance(include, list) and LOGPROBS in include
    most = fields.whole("top_logprobs", least=0)
    if wanted:
        return most or 0
    if most:
        # Without its word in `include` the dialect leaves open what this means.
        fields.rest()["top_logprobs"] = most
    return None


def _reasoning(fields: Fields, note: JsonObject) -> str | None:
    reasoning = fields.part("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.text("effort")
    shown: JsonObject = {}
    for name in _SUMMARY:
        if (said := reasoning.text(name)) is not None:
            shown[name] = said
    note["reasoning"] = shown
    if reasoning.rest():
        fields.rest()["reasoning"] = reasoning.rest()
    return effort


def _user(fields: Fields, note: JsonObject) -> str | None:
    older = fields.text("user")
    newer = fields.text("safety_identifier")
    if newer is None:
        if older is not None:
            note["user"] = "user"
        return older
    if older is not None:
        fields.rest()["user"] = older
    return newer


def _metadata(fields: Fields) -> dict[str, str]:
    inner = fields.part("metadata")
    tags: dict[str, str] = {}
    rest: dict[str, Json] = {} if inner is None else inner.rest()
    for name, value in rest.items():
        if not isinstance(value, str):
            raise wrong(f"metadata.{name}", "a string")
        tags[name] = value
    return tags
