"""Reasoning of other vendors, carried by this dialect's clients and given back to whom it belongs.

The dialect has one place for what a client must carry unread: `encrypted_content`. What OpenAI put there
stays as it is. Reasoning of a vendor that speaks otherwise has a signature, an id and an owner too, so all
of it is folded into that field; when the client repeats it, it is unfolded into what it was.
"""

import base64
import binascii

from interlock_core import JsonObject, Reasoning
from interlock_core.jsontypes import as_object, as_text, dump_json, parse_json

_MARK = "interlock:"

SOME_SPEAKER = "any:openai-responses"
"""Stands for the vendor of reasoning that a client repeats as such a vendor wrote it: nobody else gets it.

No provider can be called so, because names of providers hold no colon.
"""


def seal(part: Reasoning) -> str | None:
    """What a client carries in `encrypted_content` for reasoning of a vendor of another dialect.

    Returns:
        None when nothing is known of it but its words.
    """
    facts: JsonObject = {
        "vendor": part.vendor,
        "id": part.id,
        "signature": part.signature,
        "encrypted": part.encrypted,
    }
    said: JsonObject = {name: value for name, value in facts.items() if value is not None}
    if not said:
        return None
    data = dump_json(said).encode("utf-8", "surrogatepass")
    return _MARK + base64.urlsafe_b64encode(data).decode("ascii")


def unseal(text: str, words: str) -> Reasoning | None:
    """The reasoning that was sealed, with its readable words; None when the text is no seal of ours."""
    if not text.startswith(_MARK):
        return None
    try:
        data = base64.b64decode(text.removeprefix(_MARK), altchars=b"-_", validate=True)
        facts = as_object(parse_json(data.decode("utf-8", "surrogatepass")))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return Reasoning(
        text=words,
        signature=as_text(facts.get("signature")),
        encrypted=as_text(facts.get("encrypted")),
        id=as_text(facts.get("id")),
        vendor=as_text(facts.get("vendor")),
    )
