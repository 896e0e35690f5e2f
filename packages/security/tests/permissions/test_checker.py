"""Who may do what: roles, inheritance, denials, scopes, agents, explanations."""

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.call import Call, CallKind, Principal
from interlock_core.errors import ConfigurationError, InvalidRequestError, PermissionDeniedError
from interlock_core.jsontypes import Json
from interlock_core.toolspec import Effect
from interlock_security import AuditLog, PermissionChecker, PermissionGuard, RoleBook, Rule
from interlock_security.permissions import checked_scopes

OWN: dict[str, Json] = {
    "triage": {
        "description": "Sorts issues.",
        "inherits": ["readonly"],
        "allow": ["tool:github.issues*", {"categories": ["ci"], "effects": ["read", "write"]}],
        "deny": ["tool:github.issuesDelete", "model:openai/*"],
    },
    "lead": {"inherits": ["triage", "developer"], "allow": ["effect:destructive", "manage:keys"]},
    "nothing": {},
}


def user(*roles: str, scopes: tuple[str, ...] = ()) -> Principal:
    """A user with these roles."""
    return Principal(user="alice", roles=frozenset(roles), scopes=frozenset(scopes))


def tool(
    name: str, who: Principal, *, effect: Effect = Effect.READ, category: str = "", agent: str | None = None
) -> Call:
    """A tool call."""
    return Call(
        id="c", kind=CallKind.TOOL, name=name, principal=who, effect=effect, category=category, agent=agent
    )


def model(name: str, who: Principal) -> Call:
    """A model call."""
    return Call(id="c", kind=CallKind.MODEL, name=name, principal=who)


@pytest.fixture
def checker() -> PermissionChecker:
    """Built-in and own roles."""
    return PermissionChecker(RoleBook(OWN), agents={"cleaner": ["lead"], "mute": []})


@pytest.mark.promise("A5")
@pytest.mark.parametrize(
    ("role", "read", "write", "destructive", "asks", "keys", "own_keys"),
    [
        ("admin", True, True, True, True, True, True),
        ("developer", True, True, False, True, False, True),
        ("agent", True, True, True, True, False, False),
        ("readonly", True, False, False, True, False, False),
        ("nothing", False, False, False, False, False, False),
        ("no-such-role", False, False, False, False, False, False),
    ],
)
def test_what_each_role_permits(
    checker: PermissionChecker,
    role: str,
    read: bool,
    write: bool,
    destructive: bool,
    asks: bool,
    keys: bool,
    own_keys: bool,
) -> None:
    """Tools by effect, models, administration."""
    who = user(role)
    answers = [checker.may(tool("github.issuesGet", who, effect=effect)).allowed for effect in Effect]
    assert answers == [read, write, destructive]
    assert checker.may(model("openai/gpt-5", who)).allowed is asks
    assert checker.may_manage(who, "keys").allowed is keys
    assert checker.may_manage(who, "keys.own").allowed is own_keys


@pytest.mark.promise("A5")
def test_without_a_role_there_is_no_right(checker: PermissionChecker) -> None:
    """Default deny, and the reason says so."""
    verdict = checker.may(tool("github.issuesGet", user()))
    assert (verdict.allowed, verdict.rule, verdict.reason) == (False, "default-deny", "Alice has no role.")


@pytest.mark.promise("A5")
def test_a_denial_wins_over_every_permission(checker: PermissionChecker) -> None:
    """Also when it is inherited, and also beside admin."""
    for roles in (("triage",), ("lead",), ("admin", "triage")):
        verdict = checker.may(tool("github.issuesDelete", user(*roles), effect=Effect.DESTRUCTIVE))
        assert (verdict.allowed, verdict.rule) == (False, "role:triage")
        assert "forbids alice to call github.issuesDelete (destructive)" in verdict.reason


def test_fields_of_one_rule_hold_together(checker: PermissionChecker) -> None:
    """A category and an effect: both must fit."""
    who = user("triage")
    assert checker.may(tool("x.run", who, effect=Effect.WRITE, category="ci")).allowed
    assert not checker.may(tool("x.run", who, effect=Effect.DESTRUCTIVE, category="ci")).allowed
    assert not checker.may(tool("x.run", who, effect=Effect.WRITE, category="cd")).allowed


@pytest.mark.promise("A5")
def test_user_and_agent_must_both_be_permitted(checker: PermissionChecker) -> None:
    """An agent gives its user no right, and a user gives an agent none."""
    verdict = checker.may(tool("x.write", user("admin"), effect=Effect.WRITE, agent="mute"))
    assert (verdict.allowed, verdict.rule) == (False, "agent:default-deny")
    assert "the agent mute" in verdict.reason.lower()
    assert checker.may(tool("x.erase", user("admin"), effect=Effect.DESTRUCTIVE, agent="cleaner")).allowed
    assert not checker.may(tool("x.write", user("readonly"), effect=Effect.WRITE, agent="cleaner")).allowed
    assert not checker.may(tool("x.read", user("admin"), agent="mute")).allowed


@pytest.mark.promise("A5")
def test_an_agent_that_no_role_names_destroys_only_after_a_yes() -> None:
    """The user's own right is needed all the same, and a role `agent` of one's own may forbid it."""
    erase = tool("x.erase", user("admin"), effect=Effect.DESTRUCTIVE, agent="planner")
    checker = PermissionChecker(RoleBook(OWN))
    assert (checker.may(erase).allowed, checker.may(erase).approvals) == (True, 1)
    assert checker.may_after(erase, frozenset({"alice"})).approvals == 0
    for role in ("developer", "readonly", "triage"):
        assert not checker.may(replace(erase, principal=user(role))).allowed
    write = replace(erase, effect=Effect.WRITE)
    assert (checker.may(write).allowed, checker.may(write).approvals) == (True, 0)
    own: dict[str, Json] = {"agent": {"allow": ["tool:*"], "deny": ["effect:destructive"]}}
    assert not PermissionChecker(RoleBook(own)).may(erase).allowed


@pytest.mark.promise("A9")
def test_scopes_narrow_and_never_widen(checker: PermissionChecker) -> None:
    """A key's scopes stand beside its roles."""
    who = user("developer", scopes=("tool:github.*", "model:local/*"))
    assert checker.may(tool("github.issuesGet", who)).allowed
    assert checker.may(model("local/small", who)).allowed
    for call in (tool("gitlab.get", who), model("openai/gpt", who)):
        assert checker.may(call).rule == "scope"
    assert checker.may_manage(who, "keys.own").rule == "scope"
    assert not checker.may(tool("github.erase", who, effect=Effect.DESTRUCTIVE)).allowed
    assert not checker.may(tool("x.y", user("admin", scopes=("nonsense",)))).allowed
    assert checker.may_manage(user("admin", scopes=("manage:keys",)), "keys").allowed


def test_auto_is_asked_where_any_model_may_be(checker: PermissionChecker) -> None:
    """The router asks again about each model; a rule that denies every model denies this too."""
    narrow = user("developer", scopes=("model:local/*",))
    assert checker.may(model("auto", narrow)).allowed
    assert checker.may(model("auto/cheap", narrow)).allowed
    assert not checker.may(model("automatic/x", narrow)).allowed
    assert checker.may(model("auto", user("triage"))).allowed
    assert not checker.may(model("auto", user("nothing"))).allowed
    assert not checker.may(model("auto", user("developer", scopes=("tool:*",)))).allowed
    closed = PermissionChecker(RoleBook({"closed": {"inherits": ["developer"], "deny": ["model:*"]}}))
    assert not closed.may(model("auto", user("closed"))).allowed


@pytest.mark.parametrize("scope", ["", "tool", "tool:", "write:x", "effect:gentle", ":x", "tools:github.*"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    """Before a key is made with it."""
    with pytest.raises(InvalidRequestError, match="no scope"):
        checked_scopes([scope])


@pytest.mark.promise("A5")
def test_an_explanation_shows_every_rule_that_was_looked_at(checker: PermissionChecker) -> None:
    """For `can`, with the rule that decided."""
    found = checker.explain(
        user("triage"), tool="github.issuesDelete", effect=Effect.DESTRUCTIVE, agent="planner"
    ).as_json()
    assert (found["allowed"], found["rule"]) == (False, "role:triage")
    considered = found["considered"]
    assert isinstance(considered, list)
    assert considered[0] == {
        "who": "user",
        "role": "triage",
        "effect": "deny",
        "rule": "tools github.issuesDelete",
        "matches": True,
    }
    assert {str(item["who"]) for item in considered if isinstance(item, dict)} == {"user", "agent"}
    assert checker.explain(user("readonly"), model="local/x").verdict.allowed


@pytest.mark.parametrize("question", [{}, {"tool": "a", "model": "b"}])
def test_an_explanation_is_about_a_tool_or_a_model(
    checker: PermissionChecker, question: dict[str, str]
) -> None:
    """Exactly one of them."""
    with pytest.raises(InvalidRequestError):
        checker.explain(user("admin"), tool=question.get("tool"), model=question.get("model"))


def test_a_verdict_is_remembered_only_for_the_same_question(checker: PermissionChecker) -> None:
    """More questions than are remembered, and each answer is still its own."""
    for number in range(9_000):
        name = f"github.issues{number}"
        assert checker.may(tool(name, user("triage"))).allowed
    assert not checker.may(tool("github.issues1", user("nothing"))).allowed
    assert not checker.may(tool("github.issues1", user("triage"), agent="mute")).allowed


@pytest.mark.promise("A5")
async def test_the_guard_refuses_before_anything_is_done_and_notes_it(
    checker: PermissionChecker, log: AuditLog
) -> None:
    """A refused call reaches nothing."""
    guard = PermissionGuard(checker, refusals=log)
    reached: list[str] = []
    async with guard.around(tool("x.read", user("readonly"))):
        reached.append("read")
    with pytest.raises(PermissionDeniedError, match="interlock roles grant alice ROLE") as caught:
        async with guard.around(tool("x.write", user("readonly"), effect=Effect.WRITE)):
            reached.append("write")
    assert reached == ["read"]
    assert (caught.value.field, caught.value.exit_code, caught.value.status) == ("x.write", 3, 403)
    (record,) = await log.tail(5)
    assert (record.kind, record.data["name"], record.data["rule"]) == ("refused", "x.write", "default-deny")


async def test_a_refusal_that_cannot_be_noted_stays_a_refusal(
    checker: PermissionChecker, log: AuditLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it needed: the guard works without a log."""
    await log.aclose()
    broken = PermissionGuard(checker, refusals=Unwritable())
    for guard in (broken, PermissionGuard(checker)):
        with pytest.raises(PermissionDeniedError):
            async with guard.around(tool("github.issuesDelete", user("triage"), effect=Effect.DESTRUCTIVE)):
                raise AssertionError("it was made")
    assert "was not recorded" in caplog.text


class Unwritable:
    """A log that cannot be written."""

    async def refusal(self, call: Call, verdict: object) -> None:
        """Fail.

        Raises:
            InvalidRequestError: Always.
        """
        raise InvalidRequestError("no")


WRONG: list[tuple[dict[str, Json], str]] = [
    ({"admin": {}}, "roles.admin"),
    ({"x": []}, "roles.x"),
    ({"x": {"alow": []}}, "roles.x.alow"),
    ({"x": {"allow": "tool:*"}}, "roles.x.allow"),
    ({"x": {"allow": [5]}}, "roles.x.allow[0]"),
    ({"x": {"allow": ["tool"]}}, "roles.x.allow[0]"),
    ({"x": {"deny": ["effect:gentle"]}}, "roles.x.deny[0]"),
    ({"x": {"allow": [{}]}}, "roles.x.allow[0]"),
    ({"x": {"allow": [{"tool": ["a"]}]}}, "roles.x.allow[0].tool"),
    ({"x": {"allow": [{"tools": "a"}]}}, "roles.x.allow[0].tools"),
    ({"x": {"allow": [{"tools": []}]}}, "roles.x.allow[0].tools"),
    ({"x": {"allow": [{"tools": [""]}]}}, "roles.x.allow[0].tools"),
    ({"x": {"allow": [{"effects": ["gentle"]}]}}, "roles.x.allow[0]"),
    ({"x": {"inherits": ["develoer"]}}, "roles.x.inherits"),
    ({"x": {"inherits": ["x"]}}, "roles.x.inherits"),
    ({"x": {"inherits": ["y"]}, "y": {"inherits": ["x"]}}, "roles.x.inherits"),
    ({"x": {"description": 5}}, "roles.x.description"),
]


@pytest.mark.parametrize(("own", "field"), WRONG)
def test_a_wrong_role_is_a_start_up_error_that_names_its_field(own: dict[str, Json], field: str) -> None:
    """Unknown keys with the nearest known one, circles, unknown parents, the built-in names."""
    with pytest.raises(ConfigurationError) as caught:
        RoleBook(own)
    assert caught.value.field == field


def test_an_agent_with_an_unknown_role_is_a_start_up_error() -> None:
    """Else it would silently have no right."""
    with pytest.raises(ConfigurationError, match="no role leed"):
        PermissionChecker(RoleBook(OWN), agents={"cleaner": ["leed"]})


def test_roles_can_be_shown() -> None:
    """Names, rules as text, what is inherited."""
    book = RoleBook(OWN)
    assert book.names() == ("admin", "agent", "developer", "lead", "nothing", "readonly", "triage")
    assert book.describe("triage") == {
        "name": "triage",
        "description": "Sorts issues.",
        "builtin": False,
        "inherits": ["readonly"],
        "allow": ["tools github.issues*", "categories ci; effects read, write"],
        "deny": ["tools github.issuesDelete", "models openai/*"],
        "approve": [],
        "agents": [],
    }
    with pytest.raises(ConfigurationError, match="Did you mean triage"):
        book.describe("triag")


NAMES = st.sampled_from(["github.get", "github.put", "gitlab.get", "ci.run", "github"])
PATTERNS = st.sampled_from(
    ["*", "github.*", "git*", "github.get", "*.get", "ci.?un", "github.[gp]*", "gitlab.*"]
)
EFFECTS = st.frozensets(st.sampled_from(Effect), max_size=3)
RULES = st.builds(
    Rule,
    tools=st.lists(PATTERNS, max_size=2).map(tuple),
    categories=st.lists(st.sampled_from(["*", "ci", "c*"]), max_size=1).map(tuple),
    effects=EFFECTS,
    models=st.lists(PATTERNS, max_size=1).map(tuple),
    manage=st.lists(PATTERNS, max_size=1).map(tuple),
)


def asked(kind: CallKind, name: str, effect: Effect, category: str) -> Call:
    """A call by somebody."""
    return Call(id="c", kind=kind, name=name, principal=user(), effect=effect, category=category)


CALLS = st.builds(
    asked, st.sampled_from(CallKind), NAMES, st.sampled_from(Effect), st.sampled_from(["", "ci", "cd"])
)


@settings(max_examples=600)
@given(RULES, RULES, CALLS)
def test_what_a_rule_covers_it_matches(wide: Rule, narrow: Rule, call: Call) -> None:
    """Else a right could be handed on that is not held."""
    if wide.covers(narrow) and narrow.matches(call):
        assert wide.matches(call)
    if wide.covers(narrow) and narrow.manages(call.name):
        assert wide.manages(call.name)
    assert narrow.covers(narrow)
    assert any(part.matches(call) for part in narrow.parts()) == narrow.matches(call)


def oracle(allow: list[Rule], deny: list[Rule], call: Call) -> bool:
    """The same answer, worked out another way."""

    def fits(rule: Rule) -> bool:
        if call.kind is CallKind.MODEL:
            return any(fnmatchcase(call.name, pattern) for pattern in rule.models)
        tests = [
            (rule.tools, any(fnmatchcase(call.name, pattern) for pattern in rule.tools)),
            (rule.categories, any(fnmatchcase(call.category, pattern) for pattern in rule.categories)),
            (rule.effects, call.effect in rule.effects),
        ]
        given = [answer for values, answer in tests if values]
        return bool(given) and all(given)

    return any(map(fits, allow)) and not any(map(fits, deny))


def tables(rules: list[Rule]) -> list[Json]:
    """Rules as configuration has them."""
    return [
        {
            name: list[Json](values)
            for name, values in (
                ("tools", rule.tools),
                ("categories", rule.categories),
                ("effects", [effect.value for effect in rule.effects]),
                ("models", rule.models),
                ("manage", rule.manage),
            )
            if values
        }
        for rule in rules
    ]


@pytest.mark.promise("A5")
@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.lists(RULES, max_size=2), st.lists(RULES, max_size=1)), min_size=1, max_size=3),
    st.lists(CALLS, min_size=1, max_size=6),
    st.booleans(),
)
def test_answers_agree_with_an_independent_evaluator(
    roles: list[tuple[list[Rule], list[Rule]]], calls: list[Call], inherited: bool
) -> None:
    """Held side by side, or inherited one from another."""
    own: dict[str, Json] = {}
    for number, (allow, deny) in enumerate(roles):
        table: dict[str, Json] = {
            "allow": tables([rule for rule in allow if str(rule)]),
            "deny": tables([rule for rule in deny if str(rule)]),
        }
        if inherited and number:
            table["inherits"] = [f"role{number - 1}"]
        own[f"role{number}"] = table
    held = [f"role{len(roles) - 1}"] if inherited else list(own)
    checker = PermissionChecker(RoleBook(own))
    for call in calls:
        expected = oracle(
            [rule for allow, _ in roles for rule in allow], [rule for _, deny in roles for rule in deny], call
        )
        assert checker.may(replace(call, principal=user(*held))).allowed is expected


@pytest.mark.promise("A9")
@settings(max_examples=300)
@given(st.data())
def test_what_is_handed_on_is_never_more_than_what_is_held(data: st.DataObject) -> None:
    """Over random roles, denials and scopes: whatever the key may do, its maker may."""
    pairs = data.draw(
        st.lists(st.tuples(st.lists(RULES, max_size=2), st.lists(RULES, max_size=1)), min_size=2, max_size=2)
    )
    own: dict[str, Json] = {
        f"role{number}": {
            "allow": tables([rule for rule in allow if str(rule)]),
            "deny": tables([rule for rule in deny if str(rule)]),
        }
        for number, (allow, deny) in enumerate(pairs)
    }
    checker = PermissionChecker(RoleBook(own))
    names = st.frozensets(st.sampled_from([*own, "admin", "developer", "readonly"]), min_size=1, max_size=2)
    scopes = st.frozensets(
        st.sampled_from(["tool:*", "tool:github.*", "tool:github.get", "model:*", "effect:read", "manage:*"]),
        max_size=2,
    )
    maker = Principal(user="maker", roles=data.draw(names), scopes=data.draw(scopes))
    given_roles, given_scopes = data.draw(names), data.draw(scopes)
    if not checker.may_hand_on(maker, given_roles, scopes=given_scopes).allowed:
        return
    key = Principal(user="key", roles=given_roles, scopes=given_scopes)
    for call in data.draw(st.lists(CALLS, min_size=1, max_size=8)):
        if checker.may(replace(call, principal=key)).allowed:
            assert checker.may(replace(call, principal=maker)).allowed
        if checker.may_manage(key, call.name).allowed:
            assert checker.may_manage(maker, call.name).allowed


@pytest.mark.parametrize(
    ("held", "given_roles", "allowed"),
    [
        (("admin",), ("admin",), True),
        (("admin",), ("lead", "nothing"), True),
        (("developer",), ("readonly",), True),
        (("developer",), ("admin",), False),
        (("readonly",), ("developer",), False),
        (("lead",), ("lead",), True),
        (("lead",), ("developer",), False),
        (("admin",), ("no-such-role",), False),
    ],
)
def test_who_may_hand_on_which_roles(
    checker: PermissionChecker, held: tuple[str, ...], given_roles: tuple[str, ...], allowed: bool
) -> None:
    """A denial that is held stays with whatever is given."""
    verdict = checker.may_hand_on(user(*held), given_roles)
    assert verdict.allowed is allowed
    assert verdict.reason
