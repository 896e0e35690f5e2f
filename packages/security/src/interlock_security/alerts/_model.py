"""What the watch sees, what it says, and from when on it speaks."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from functools import lru_cache

from interlock_core.jsontypes import JsonObject


class AlertKind(StrEnum):
    """What looked suspicious; the words are stable."""

    REFUSALS = "refusals"
    TOOL_ENUMERATION = "tool-enumeration"
    KEY_ENUMERATION = "key-enumeration"
    UNUSUAL_HOUR = "unusual-hour"
    UNUSUAL_VOLUME = "unusual-volume"
    TOOL_AFTER_TAINT = "tool-after-taint"
    NEW_NETWORK = "new-network"


class Sight(StrEnum):
    """What was seen."""

    CALL = "call"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SIGNED_IN = "signed-in"
    KEY_REFUSED = "key-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that was seen.

    Attributes:
        sight: A call that was made, one that was refused, one of something that is not there, a good key,
            or a bad one.
        at: When, in seconds since 1970.
        user: The user behind it.
        agent: The agent that acted, when a model decided.
        key: Id of the key; of a bad key, a digest of its text.
        address: IP address of the client, where there is one.
        name: Name of the tool or model.
        run: Id of the run.
        tainted: The run had read something untrusted before.
        output_bytes: How much came back.
        cost_micro_usd: What it cost.
    """

    sight: Sight
    at: float
    user: str = ""
    agent: str = ""
    key: str = ""
    address: str = ""
    name: str = ""
    run: str = ""
    tainted: bool = False
    output_bytes: int = 0
    cost_micro_usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One suspicion.

    Attributes:
        kind: What looked suspicious.
        subject: Whom it names: `user:NAME`, `agent:NAME`, the id of a key, an address or a network.
        at: When, in seconds since 1970.
        message: One sentence for a person.
        data: The figures behind it.
        id: Its id, once it was kept.
    """

    kind: AlertKind
    subject: str
    at: float
    message: str
    data: JsonObject
    id: str = ""

    def as_json(self) -> JsonObject:
        """The alert as a JSON object."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "subject": self.subject,
            "at": self.at,
            "message": self.message,
            "data": self.data,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """From when on something is suspicious.

    An alert of a kind about a subject comes once; the next one comes only after its figure fell to half.

    Attributes:
        refusals: Refusals of one name, or of names refused before, within `refusals_s`.
        refusals_s: Seconds.
        refused_names: Different names that were refused or are not there, within `names_s`.
        new_names: Different names, never called before, called with success within `new_names_s`.
        names_s: Seconds.
        new_names_s: Seconds.
        bad_keys: Different bad keys from one network within `names_s`.
        odd_calls: Calls within `odd_s` at hours at which the subject was not seen before.
        odd_s: Seconds.
        volume_factor: How many times the subject's usual hour an hour may be.
        volume_calls: Calls that an hour may have whatever is usual.
        volume_bytes: Bytes of answers, likewise.
        volume_micro_usd: Cost, likewise.
        history_days: Days for which a subject must be known before its hours and volumes are judged.
        history_calls: Calls after which a subject's tools are known.
        zone: Zone of the hours.
    """

    refusals: int = 20
    refusals_s: float = 600.0
    refused_names: int = 20
    new_names: int = 50
    names_s: float = 6 * 3600.0
    new_names_s: float = 3600.0
    bad_keys: int = 10
    odd_calls: int = 10
    odd_s: float = 2 * 3600.0
    volume_factor: float = 10.0
    volume_calls: int = 100
    volume_bytes: int = 100_000_000
    volume_micro_usd: int = 20_000_000
    history_days: int = 14
    history_calls: int = 20
    zone: tzinfo = UTC


@lru_cache(maxsize=4096)
def network_of(address: str, *, bits6: int = 48) -> str:
    """The network of an address: /24 of IPv4, /48 of IPv6 unless said otherwise; empty when it is none."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else bits6
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))
