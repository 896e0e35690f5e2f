"""Cedar as it is asked here: errors deny, policies are validated, and the public corpus comes out right."""

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cedarpy import Decision, Entities, PolicySet

from interlock_core.call import Call, CallKind, Principal
from interlock_core.errors import ConfigurationError
from interlock_core.toolspec import Effect
from interlock_security import RoleBook
from interlock_security.permissions._cedar import (
    CedarEngine,
    Decided,
    ask_cedar,
    loaded_policies,
    made_entities,
)
from interlock_security.permissions._conditions import Moment
from interlock_security.permissions._deciding import Decider
from interlock_security.permissions._policy import Policy, Side
from interlock_security.testing._corpus import CedarCorpus, corpus_path

SCHEMA = """
entity U; entity R { cap?: Long };
action "a" appliesTo { principal: U, resource: R, context: { cost: Long } };
"""
REQUEST = {
    "principal": 'U::"u"',
    "action": 'Action::"a"',
    "resource": 'R::"r"',
    "context": {"cost": 5},
}
ENTITIES = '[{"uid": {"type": "R", "id": "r"}, "attrs": {}, "parents": []}]'


@pytest.mark.promise("A5")
def test_a_forbid_that_errs_is_a_denial() -> None:
    """Cedar skips it and says yes; here any error is a no."""
    policies = PolicySet.from_str(
        "permit(principal, action, resource);"
        "forbid(principal, action, resource) when { context.cost > resource.cap };"
    )
    answer = ask_cedar(REQUEST, policies, made_entities(ENTITIES))
    assert answer.decision is Decision.Allow
    assert answer.errors
    assert not answer.permitted


@pytest.mark.parametrize(
    "policies",
    ["forbid(principal, action, resource) when { context.cost > resource.cap };", "permit(", "allow();"],
)
def test_policies_that_do_not_fit_their_schema_are_not_loaded(policies: str) -> None:
    """The attribute may be missing: the validator sees it before any request does."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        loaded_policies(policies, SCHEMA)
    assert loaded_policies("permit(principal, action, resource);", SCHEMA)


def test_what_is_no_context_is_denied() -> None:
    """A context that Cedar cannot read, or that lacks a field, is no yes."""
    engine = CedarEngine()
    subject = engine.subject(frozenset({"r"}), broken=False)
    whole: dict[str, bool | list[str]] = {
        "scoped": True,
        **{name: [] for name in ("approved", "asking", "deny", "uncomputable")},
    }
    assert engine.decide(subject, json.dumps({**whole, "allow": ["r"]})) is Decided.ALLOWED
    for wrong in ("", "no JSON", "{}", json.dumps(whole), json.dumps({**whole, "allow": [5]})):
        assert engine.decide(subject, wrong) is Decided.DENIED
    for lost in ("scoped", "asking", "deny", "uncomputable"):
        kept = {name: value for name, value in {**whole, "allow": ["r"]}.items() if name != lost}
        assert engine.decide(subject, json.dumps(kept)) is Decided.DENIED, lost
    assert engine.decide(engine.subject(frozenset({"r"}), broken=True), json.dumps(whole)) is Decided.DENIED


class Agreeable(CedarEngine):
    """An engine that says yes to everything."""

    def decide(self, subject: Entities, context: str) -> Decided:
        """Say yes."""
        return Decided.ALLOWED


def test_where_cedar_and_the_evaluator_differ_the_call_is_denied(caplog: pytest.LogCaptureFixture) -> None:
    """And it is logged, for one of them is wrong."""
    decider = Decider(Policy(RoleBook()), Agreeable)
    who = Principal(user="alice", roles=frozenset({"readonly"}))
    side = Side(who="user", name="alice", user="alice", roles=who.roles)
    call = Call(id="c", kind=CallKind.TOOL, name="x.y", principal=who, effect=Effect.WRITE)
    with caplog.at_level(logging.ERROR):
        ruling = decider.decide(side, Moment(call=call, at=0.0), {})
    assert (ruling.allowed, ruling.rule) == (False, "disagreement")
    assert "Cedar says allowed" in caplog.text
    read = replace(call, effect=Effect.READ)
    assert decider.decide(side, Moment(call=read, at=0.0), {}).allowed


CORPUS = corpus_path(Path(__file__).parents[4])


@pytest.mark.promise("A5")
@pytest.mark.skipif(CORPUS is None, reason="Cedar's corpus is not on this machine: set INTERLOCK_CORPUS")
def test_a_sample_of_the_public_corpus_comes_out_right() -> None:
    """Every 40th of 7,809 policy sets, with every request of it; the bench takes all of them."""
    assert CORPUS is not None
    corpus = CedarCorpus(CORPUS, every=400 if os.environ.get("INTERLOCK_QUICK") == "1" else 40)
    assert corpus.problems == []
    assert corpus.requests >= corpus.sets > 10
