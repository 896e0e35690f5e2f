"""Why a call is allowed or not, for people and programs."""

from dataclasses import dataclass

from interlock_core.call import Verdict
from interlock_core.jsontypes import Json, JsonObject
from interlock_security.permissions._evaluator import Consideration, Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a call is allowed or not.

    Attributes:
        verdict: The answer.
        considered: Every rule that was looked at.
        user: The answer for the user alone.
        agent: The answer for the agent alone, where one makes the call.
        changes: What would have to change for a plain yes; empty where it is one.
    """

    verdict: Verdict
    considered: tuple[Consideration, ...]
    user: Ruling
    agent: Ruling | None = None
    changes: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """The explanation as a JSON object."""
        sides: JsonObject = {"user": _side(self.user)}
        if self.agent is not None:
            sides["agent"] = _side(self.agent)
        considered: list[Json] = [item.as_json() for item in self.considered]
        return {
            "allowed": self.verdict.allowed and self.verdict.approvals == 0,
            "verdict": self.word,
            "approvals": self.verdict.approvals,
            "reason": self.verdict.reason,
            "rule": self.verdict.rule,
            "sides": sides,
            "changes": list[Json](self.changes),
            "considered": considered,
        }

    @property
    def word(self) -> str:
        """The answer as one word: `allow`, `approval` or `deny`."""
        if not self.verdict.allowed:
            return "deny"
        return "approval" if self.verdict.approvals else "allow"


def _side(ruling: Ruling) -> JsonObject:
    return {"allowed": ruling.allowed, "ground": ruling.ground.value, "rule": ruling.rule}
