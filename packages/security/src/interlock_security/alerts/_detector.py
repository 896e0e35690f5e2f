"""The detector: what one more observation says of a subject, given what is remembered of it.

The rules, and whom each names:

1. Refusals of the same names again and again, by a principal. A first refusal of a name counts to rule 2.
2. Many different names that are refused or not there, or suddenly many that were never called before.
3. Many different bad keys from one network: its one address, or the network when several took part.
4. Calls at hours of weekday or weekend at which the principal was seen on fewer than two days.
5. An hour with many times the principal's own median of calls, bytes or cost.
6. In a run that read something untrusted, a call of a tool that the principal never called before.
7. A key from a network that it never came from, unless it is the key's first.

A principal is the agent with its user, where an agent acts, else the user. Not covered: what stays under
every figure, what a principal did from its first day on, and who is new (rules 4 to 6 need a history).
"""

from datetime import datetime

from interlock_core.jsontypes import JsonObject
from interlock_security.alerts import _volume
from interlock_security.alerts._memory import MOST_NAMES, MOST_NETWORKS, MOST_RUNS, Memory, forget, note
from interlock_security.alerts._model import Alert, AlertKind, AlertRules, Observation, Sight, network_of

_DAY_S = 86_400.0
_REMEMBERED_S = 90 * _DAY_S
_USUAL_DAYS = 2
_HALVED_AT = 60
_REFUSED = (Sight.REFUSED, Sight.UNKNOWN)
_TRIED = (Sight.CALL, *_REFUSED)


def subjects_of(seen: Observation) -> list[str]:
    """Whose memories an observation concerns: `p:` principals, `k:` keys, `n:` networks."""
    found: list[str] = []
    if seen.sight in _TRIED and (seen.user or seen.agent):
        found.append(f"p:{seen.agent}\n{seen.user}")
    if seen.sight is Sight.SIGNED_IN and seen.key and network_of(seen.address):
        found.append(f"k:{seen.key}")
    if seen.sight is Sight.KEY_REFUSED and (network := network_of(seen.address, bits6=64)):
        found.append(f"n:{network}")
    return found


class Detector:
    """Judges observations one by one. It keeps nothing itself.

    Args:
        rules: From when on something is suspicious.
    """

    __slots__ = ("_rules",)

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules

    def judge(self, seen: Observation, subject: str, memory: Memory) -> list[Alert]:
        """Take an observation into one subject's memory, and say what is suspicious about it now."""
        memory.since = memory.since or seen.at
        match subject[:2]:
            case "k:":
                return self._network(seen, memory)
            case "n:":
                return self._keys(seen, subject[2:], memory)
            case _:
                return self._principal(seen, memory)

    def _principal(self, seen: Observation, memory: Memory) -> list[Alert]:
        alerts = [*self._taint(seen, memory), *self._hour(seen, memory)]
        if seen.sight in _REFUSED:
            alerts += self._refused(seen, memory)
        else:
            alerts += self._called(seen, memory)
        return alerts

    def _refused(self, seen: Observation, memory: Memory) -> list[Alert]:
        rules = self._rules
        forget(memory.names, seen.at - rules.names_s)
        if seen.name in memory.names:
            memory.refusals = _recent(memory.refusals, seen.at, rules.refusals_s, rules.refusals)
        note(memory.names, seen.name, seen.at, MOST_NAMES)
        return [
            *self._raise(
                AlertKind.REFUSALS,
                seen,
                memory,
                part=len(memory.refusals) / rules.refusals,
                message=f"was refused {len(memory.refusals)} times within {_span(rules.refusals_s)}",
            ),
            *self._enumeration(seen, memory),
        ]

    def _called(self, seen: Observation, memory: Memory) -> list[Alert]:
        rules = self._rules
        if seen.name not in memory.known:
            note(memory.fresh, seen.name, seen.at, MOST_NAMES)
        note(memory.known, seen.name, seen.at, MOST_NAMES)
        forget(memory.known, seen.at - _REMEMBERED_S)
        memory.calls += 1
        _volume.add(memory, seen, rules)
        excess = _volume.excess(memory) if self._old(seen, memory) else 0.0
        message = f"does more than {rules.volume_factor:g} times of what is usual within an hour"
        return [
            *self._enumeration(seen, memory),
            *self._raise(AlertKind.UNUSUAL_VOLUME, seen, memory, part=excess, message=message),
        ]

    def _enumeration(self, seen: Observation, memory: Memory) -> list[Alert]:
        rules = self._rules
        forget(memory.fresh, seen.at - rules.new_names_s)
        forget(memory.names, seen.at - rules.names_s)
        part = max(len(memory.names) / rules.refused_names, len(memory.fresh) / rules.new_names)
        return self._raise(
            AlertKind.TOOL_ENUMERATION,
            seen,
            memory,
            part=part,
            message=f"tried {len(memory.names)} names that were refused, and {len(memory.fresh)} new ones",
        )

    def _taint(self, seen: Observation, memory: Memory) -> list[Alert]:
        new = seen.name not in memory.known and memory.calls >= self._rules.history_calls
        if not (seen.tainted and new) or seen.run in memory.runs:
            return []
        note(memory.runs, seen.run, seen.at, MOST_RUNS)
        message = f"called {seen.name} for the first time, in a run that had read something untrusted"
        return [_alert(AlertKind.TOOL_AFTER_TAINT, seen, message, {"tool": seen.name, "run": seen.run})]

    def _hour(self, seen: Observation, memory: Memory) -> list[Alert]:
        rules = self._rules
        local = datetime.fromtimestamp(seen.at, rules.zone)
        week, day = "we" if local.weekday() > 4 else "wd", local.toordinal()
        slot = memory.slots.setdefault(f"{week}{local.hour}", [0, 0])
        if slot[1] != day:
            slot[0], slot[1] = slot[0] + 1, day
        if slot[0] > _HALVED_AT:
            for other in memory.slots.values():
                other[0] //= 2
        near = [memory.slots.get(f"{week}{(local.hour + step) % 24}", [0])[0] for step in (-1, 0, 1)]
        if max(near) >= _USUAL_DAYS or not self._old(seen, memory):
            return []
        memory.odd = _recent(memory.odd, seen.at, rules.odd_s, rules.odd_calls)
        message = f"calls at {local:%H:%M} on a {local:%A}, which is not usual"
        part = len(memory.odd) / rules.odd_calls
        return self._raise(AlertKind.UNUSUAL_HOUR, seen, memory, part=part, message=message)

    def _network(self, seen: Observation, memory: Memory) -> list[Alert]:
        network, first = network_of(seen.address), not memory.networks
        new = network not in memory.networks
        forget(memory.networks, seen.at - _REMEMBERED_S)
        note(memory.networks, network, seen.at, MOST_NETWORKS)
        if first or not new:
            return []
        message = f"comes from {network}, where it never came from"
        return [_alert(AlertKind.NEW_NETWORK, seen, message, {"network": network}, subject=seen.key)]

    def _keys(self, seen: Observation, network: str, memory: Memory) -> list[Alert]:
        rules = self._rules
        forget(memory.sources, seen.at - rules.names_s)
        note(memory.sources, f"{seen.key} {seen.address}", seen.at, MOST_NAMES)
        keys = {source.partition(" ")[0] for source in memory.sources}
        addresses = {source.partition(" ")[2] for source in memory.sources}
        return self._raise(
            AlertKind.KEY_ENUMERATION,
            seen,
            memory,
            part=len(keys) / rules.bad_keys,
            message=f"tried {len(keys)} different bad keys within {_span(rules.names_s)}",
            subject=seen.address if len(addresses) == 1 else network,
        )

    def _old(self, seen: Observation, memory: Memory) -> bool:
        return seen.at - memory.since >= self._rules.history_days * _DAY_S

    def _raise(
        self,
        kind: AlertKind,
        seen: Observation,
        memory: Memory,
        *,
        part: float,
        message: str,
        subject: str = "",
    ) -> list[Alert]:
        """Raise an alert when its figure is reached, and not again before it fell to half."""
        if kind in memory.active:
            if part <= 0.5:
                memory.active.remove(kind)
            return []
        if part < 1:
            return []
        memory.active.append(kind.value)
        return [_alert(kind, seen, message, {}, subject=subject)]


def _alert(kind: AlertKind, seen: Observation, message: str, data: JsonObject, *, subject: str = "") -> Alert:
    named = subject or (f"agent:{seen.agent}" if seen.agent else f"user:{seen.user}")
    facts: JsonObject = {"user": seen.user, "agent": seen.agent, "key": seen.key, "address": seen.address}
    return Alert(
        kind=kind,
        subject=named,
        at=seen.at,
        message=f"{named} {message}.",
        data={name: value for name, value in facts.items() if value} | data,
    )


def _recent(times: list[float], now: float, within_s: float, most: int) -> list[float]:
    return [*(at for at in times if at > now - within_s), now][-most:]


def _span(seconds: float) -> str:
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds / 60:g} minutes"
