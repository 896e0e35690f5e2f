"""Another vendor's reasoning, sealed into this dialect's signature so that a client brings it back whole.

A client of this dialect returns thinking blocks unchanged. What a foreign vendor needs to get its
reasoning back (its name, its id, its own payload) travels in the signature, which no client reads; the
seal is opened when the conversation comes back, and is never sent to a vendor of this dialect.
"""

import base64
import binascii

from interlock_core import JsonObject, Reasoning
from interlock_core.jsontypes import as_object, as_text, parse_json
from interlock_providers.codecs._fields import to_bytes

_MARK = "interlock."

SOME_SPEAKER = "any:anthropic-messages"
"""Stands for the vendor of reasoning that a client repeats as such a vendor wrote it: nobody else gets it.

No provider can be called so, because names of providers hold no colon.
"""


def sealed(part: Reasoning) -> str:
    """The signature that holds everything of a part but its text."""
    kept: JsonObject = {
        "vendor": part.vendor,
        "id": part.id,
        "signature": part.signature,
        "encrypted": part.encrypted,
    }
    facts: JsonObject = {name: value for name, value in kept.items() if value is not None}
    return _MARK + base64.urlsafe_b64encode(to_bytes(facts)).decode("ascii")


def opened(text: str, signature: str | None) -> Reasoning | None:
    """The part that was sealed; None when the signature is no seal of ours."""
    if signature is None or not signature.startswith(_MARK):
        return None
    try:
        facts = as_object(parse_json(base64.urlsafe_b64decode(signature.removeprefix(_MARK))))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return Reasoning(
        text=text,
        signature=as_text(facts.get("signature")),
        encrypted=as_text(facts.get("encrypted")),
        id=as_text(facts.get("id")),
        vendor=as_text(facts.get("vendor")),
    )
