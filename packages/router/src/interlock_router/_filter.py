"""Step two: which models can take this request at all, and for each of the others why it cannot.

The checks run in the order of `Step`; the first that fails is a model's reason. What depends only on the
policy and the kind of request (`shortlist`) is worked out once for each list of models.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final, TypeAlias, cast

from interlock_core import Candidate, Capability, Money
from interlock_router._catalogue import Snapshot
from interlock_router._demand import Demand
from interlock_router._entry import Entry
from interlock_router._health import Health
from interlock_router._policy import Policy

_MOST_SHORTLISTS: Final = 256


class Step(IntEnum):
    """The checks, in their order."""

    KIND = 0
    POLICY = 1
    CAPABILITY = 2
    CONTEXT = 3
    PRICE = 4
    LATENCY = 5
    PERMISSION = 6
    HEALTH = 7


Exclusion: TypeAlias = tuple[Step, str]
"""At which check a model fell out, and why."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What is left after the checks that depend on policy and kind of request alone.

    Attributes:
        entries: The models that passed.
        excluded: The others, with the check at which each fell out.
    """

    entries: tuple[Entry, ...]
    excluded: tuple[tuple[Step, Candidate], ...]


def shortlist(snapshot: Snapshot, policy: Policy, needed: frozenset[Capability], today: date) -> Shortlist:
    """The models of a list that a policy allows and that can do what is needed."""
    key = (policy, needed, today)
    found = snapshot.shortlists.get(key)
    if found is None:
        found = _shortlist(snapshot, policy, needed, today)
        if len(snapshot.shortlists) >= _MOST_SHORTLISTS:
            snapshot.shortlists.clear()
        snapshot.shortlists[key] = found
    return cast("Shortlist", found)


def _shortlist(snapshot: Snapshot, policy: Policy, needed: frozenset[Capability], today: date) -> Shortlist:
    entries: list[Entry] = []
    excluded: list[tuple[Step, Candidate]] = []
    for entry in snapshot.entries:
        reason = _lasting_reason(entry, policy, needed, today)
        if reason is None:
            entries.append(entry)
        else:
            excluded.append((reason[0], Candidate(model=entry.id, excluded=reason[1])))
    return Shortlist(tuple(entries), tuple(excluded))


def _lasting_reason(
    entry: Entry, policy: Policy, needed: frozenset[Capability], today: date
) -> Exclusion | None:
    info = entry.info
    if info.embedding:
        return Step.KIND, "it makes vectors and answers no prompts"
    if info.deprecated is not None and info.deprecated <= today:
        return Step.KIND, f"its vendor no longer serves it since {info.deprecated:%Y-%m-%d}"
    if policy.excludes(entry.id):
        return Step.POLICY, f"the policy {policy.name} excludes it"
    if policy.local_only and not info.local:
        return Step.POLICY, f"the policy {policy.name} allows only models that run here"
    lacking = missing(entry, needed)
    if lacking:
        return Step.CAPABILITY, f"it cannot do {', '.join(lacking)}"
    return None


def missing(entry: Entry, needed: frozenset[Capability]) -> list[str]:
    """What a model lacks of what is needed; nothing is known against one that lists no abilities."""
    able = entry.info.capabilities
    if not able:
        return []
    lacking = needed - able
    if Capability.JSON_OBJECT in lacking and Capability.JSON_SCHEMA in able:
        lacking -= {Capability.JSON_OBJECT}
    return sorted(lacking)


def unfit(entry: Entry, demand: Demand, health: Health) -> Exclusion | None:
    """Why a model cannot take this very request just now, or None."""
    reason = context_reason(entry, demand)
    if reason is not None:
        return Step.CONTEXT, reason
    if demand.limit_micro_usd is not None:
        reason = price_reason(entry, demand)
        if reason is not None:
            return Step.PRICE, reason
    reason = health.problem(entry.id) if health.troubled else None
    return None if reason is None else (Step.HEALTH, reason)


def context_reason(entry: Entry, demand: Demand) -> str | None:
    """Why a request does not fit a model's context, or None."""
    info = entry.info
    most_out = info.max_output_tokens
    if demand.max_tokens is not None and most_out is not None and demand.max_tokens > most_out:
        return f"it gives at most {most_out:,} output tokens and {demand.max_tokens:,} were asked for"
    if info.context_tokens is None:
        return None
    out = demand.max_tokens or demand.tokens_out
    if demand.tokens_in + out > info.context_tokens:
        return (
            f"its context holds {info.context_tokens:,} tokens; the request has about {demand.tokens_in:,} "
            f"and leaves room for {out:,}"
        )
    return None


def price_reason(entry: Entry, demand: Demand) -> str | None:
    """Why a request may cost too much with a model, or None."""
    limit = demand.limit_micro_usd
    if limit is None:
        return None
    if entry.info.price is None:
        return f"its price is unknown, and the limit is {Money(limit)}"
    if demand.max_tokens is not None:
        worst = entry.most_micro_usd(demand.most_tokens_in, demand.max_tokens * demand.answers)
        if worst is not None and worst > limit:
            return f"it may cost {Money(worst)}, over the limit of {Money(limit)}"
        return None
    room = entry.affordable_output(limit, demand.most_tokens_in)
    if room is not None and room < demand.tokens_out:
        usual = f"such a task takes {demand.tokens_out:,}"
        return f"the limit of {Money(limit)} leaves {room:,} output tokens; {usual}"
    return None


def output_cap(entry: Entry, demand: Demand) -> int | None:
    """The output tokens an answer that keep a request within its limit; None where none need be set."""
    if demand.limit_micro_usd is None or demand.max_tokens is not None:
        return None
    room = entry.affordable_output(demand.limit_micro_usd, demand.most_tokens_in)
    if room is None:
        return None
    most = entry.info.max_output_tokens
    cap = room // demand.answers
    return cap if most is None else min(cap, most)
