"""Decisions by Cedar: a few generic policies, the rules that are held as data of entities.

Cedar skips a policy that errs, a `forbid` too, and goes on. So policies and entities are validated against a
schema when they are loaded, and an answer with any error, or without a decision, is a denial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Protocol, TypeAlias, cast

import cedarpy
from cedarpy import Decision, Entities, PolicySet, Schema

from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject, dump_json

Request: TypeAlias = Mapping[str, object]
"""A request as Cedar takes it: principal, action, resource, context."""


class _Diagnostics(Protocol):
    """What Cedar tells beside its decision."""

    reasons: Sequence[str]
    errors: Sequence[str]
    id_annotations_by_reason: Mapping[str, str]


class _Result(Protocol):
    """Cedar's answer."""

    decision: Decision
    diagnostics: _Diagnostics


class _Validation(Protocol):
    """Whether policies fit a schema."""

    validation_passed: bool
    errors: Sequence[object]


class _Cedar(Protocol):
    """What is used of the library, with the types that it has."""

    def is_authorized(
        self, request: dict[str, object], policies: PolicySet, entities: Entities, schema: Schema | None
    ) -> _Result: ...

    def validate_policies(self, policies: str, schema: str) -> _Validation: ...


class _MakesEntities(Protocol):
    def from_json_str(self, s: str, schema: Schema | None = None) -> Entities: ...


_CEDAR = cast("_Cedar", cedarpy)
_ENTITIES = cast("_MakesEntities", Entities)


class Decided(Enum):
    """What Cedar decided for one side."""

    DENIED = "denied"
    ASKING = "asking"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Cedar's answer to one request.

    Attributes:
        decision: What Cedar says.
        reasons: Ids of the policies that determined it: `@id` where a policy has one.
        errors: What went wrong in policies that were skipped.
    """

    decision: Decision
    reasons: frozenset[str]
    errors: tuple[str, ...] = ()

    @property
    def permitted(self) -> bool:
        """Whether it is a yes that nothing speaks against: any error is a no."""
        return self.decision is Decision.Allow and not self.errors


def loaded_policies(policies: str, schema: str) -> PolicySet:
    """A policy set that fits its schema.

    Raises:
        ConfigurationError: It does not, or is none.
    """
    try:
        found = _CEDAR.validate_policies(policies, schema)
        if not found.validation_passed:
            raise ValueError("; ".join(map(str, found.errors)))
        return PolicySet.from_str(policies)
    except ValueError as exc:
        raise ConfigurationError(
            f"The policies cannot be used: {exc}.", field="roles", remedy="Mend what the message names."
        ) from exc


def ask_cedar(
    request: Request, policies: PolicySet, entities: Entities, *, schema: Schema | None = None
) -> Answer:
    """Put one request to Cedar.

    Args:
        request: The request.
        policies: The policies.
        entities: The entities.
        schema: Holds the request against it too.
    """
    result = _CEDAR.is_authorized(dict(request), policies, entities, schema)
    named = result.diagnostics.id_annotations_by_reason
    return Answer(
        decision=result.decision,
        reasons=frozenset(named.get(reason, reason) for reason in result.diagnostics.reasons),
        errors=tuple(result.diagnostics.errors),
    )


def made_entities(text: str, *, schema: Schema | None = None) -> Entities:
    """Entities from their JSON, held against a schema if there is one.

    Raises:
        ValueError: They are none, or do not fit.
    """
    return _ENTITIES.from_json_str(text, schema)


def fits_schema(policies: str, schema: str) -> bool:
    """Whether policies fit a schema."""
    return _CEDAR.validate_policies(policies, schema).validation_passed


class CedarEngine:
    """Decides from the rules that a subject holds and those that speak of a call."""

    __slots__ = ("_policies", "_schema")

    def __init__(self) -> None:
        text, schema = _shipped()
        self._policies = loaded_policies(text, schema)
        self._schema = Schema.from_str(schema)

    def subject(self, rules: frozenset[str], *, broken: bool) -> Entities:
        """A subject that holds these rules.

        Args:
            rules: Ids of the rules.
            broken: Something about who it is cannot be relied upon, so that nothing is permitted.

        Raises:
            ValueError: It does not fit the schema.
        """
        held: list[Json] = [*sorted(rules)]
        attributes: JsonObject = {"rules": held, "broken": broken}
        entity: JsonObject = {"uid": {"type": "Subject", "id": "s"}, "attrs": attributes, "parents": []}
        return made_entities(dump_json([entity]), schema=self._schema)

    def decide(self, subject: Entities, context: str) -> Decided:
        """The decision for a subject; whatever is not clearly a yes is a no.

        Args:
            subject: Who, with the rules held.
            context: The rules that speak of the call, as JSON.
        """
        answer = ask_cedar({**_REQUEST, "context": context}, self._policies, subject)
        if not answer.permitted:
            return Decided.DENIED
        return Decided.ASKING if "asking" in answer.reasons else Decided.ALLOWED


_REQUEST: Mapping[str, object] = {
    "principal": {"type": "Subject", "id": "s"},
    "action": {"type": "Action", "id": "call"},
    "resource": {"type": "Target", "id": "t"},
}


@cache
def _shipped() -> tuple[str, str]:
    """The text of the policies and of their schema."""
    folder = files("interlock_security.permissions")
    return (
        folder.joinpath("permissions.cedar").read_text("utf-8"),
        folder.joinpath("permissions.cedarschema").read_text("utf-8"),
    )
