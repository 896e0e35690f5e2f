"""The table of redaction: what is looked for beside the secrets that are known."""

from dataclasses import dataclass, field
from typing import Literal

from interlock_runtime.settings._field import HELP


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSettings:
    """`[redaction]`: what logs, records, traces and exports never hold. Known secrets are always hidden."""

    shapes: bool = field(
        default=True, metadata={HELP: "Hide keys and tokens by the shape that their vendor gives them."}
    )
    personal: tuple[str, ...] = field(
        default=("card", "email", "iban", "ip", "national-id", "phone"),
        metadata={HELP: "Kinds of personal data that are hidden; an empty list for none."},
    )
    phone_regions: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Countries such as `DE` whose phone numbers are known without their country code."},
    )
    patterns: dict[str, str] = field(
        default_factory=dict[str, str],
        metadata={HELP: "Own patterns (Python's regular expressions) by name; shown as `[redacted:NAME]`."},
    )
    allow: tuple[str, ...] = field(
        default=(), metadata={HELP: "Exact texts that are no secret, such as a public address of yours."}
    )
    scanners: tuple[str, ...] = field(
        default=(),
        metadata={
            HELP: (
                "Scanners of other makers that look too: `kingfisher`, `presidio`; each is an extra of "
                "`interlock-security`."
            )
        },
    )
    presidio_model: str = field(
        default="",
        metadata={
            HELP: "An installed spaCy model for English, with which `presidio` finds people and places."
        },
    )
    toward_models: Literal["known", "shapes", "personal"] = field(
        default="known",
        metadata={
            HELP: (
                "What models that run elsewhere do not see: `known` secrets only; `shapes` of keys too; or "
                "`personal` data as well. They see stand-ins such as `[email-1]`, and answers are led back."
            )
        },
    )
