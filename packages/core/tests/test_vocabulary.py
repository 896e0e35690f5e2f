"""The vocabulary: money, ids, JSON, messages, usage, prices, errors and what is exported."""

import importlib
import inspect
import pkgutil
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interlock_core
from interlock_core import (
    FREE,
    Audio,
    Call,
    CallKind,
    Candidate,
    Completion,
    CompletionRequest,
    Effect,
    File,
    FinishReason,
    HttpRequest,
    Image,
    Message,
    ModelInfo,
    Money,
    Outcome,
    Price,
    Principal,
    Reasoning,
    Refusal,
    ResponseFormat,
    RouteDecision,
    Secret,
    SystemClock,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    errors,
    new_id,
)
from interlock_core.jsontypes import (
    as_array,
    as_int,
    as_number,
    as_object,
    as_text,
    dump_json,
    parse_json,
)
from interlock_core.messages import assistant, system, tool_results, user
from interlock_core.nearest import nearest, suggestion
from interlock_core.tokens import EstimatingCounter


def test_every_exported_name_is_there_and_sorted() -> None:
    """`__all__` is what can be imported, whichever module it lives in."""
    assert interlock_core.__all__ == sorted(
        interlock_core.__all__, key=lambda name: (not name.isupper(), name)
    )
    for name in interlock_core.__all__:
        assert getattr(interlock_core, name) is getattr(interlock_core, name)
    missing = "Nothing"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(interlock_core, missing)


def test_every_module_imports_alone_and_says_what_it_is() -> None:
    """No module needs another to have been imported before it."""
    for found in pkgutil.walk_packages(interlock_core.__path__, "interlock_core."):
        assert importlib.import_module(found.name).__doc__


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_money_adds_exactly_and_orders_by_amount(a: int, b: int) -> None:
    """Integers underneath: no sum drifts."""
    assert Money(a) + Money(b) - Money(b) == Money(a)
    assert (Money(a) < Money(b)) == (a < b)
    assert Money.total([Money(a), Money(b)]) == Money(a + b)
    assert bool(Money(a)) == (a != 0)


@given(st.decimals(-(10**9), 10**9, places=6))
def test_dollars_are_read_and_written_without_loss(amount: Decimal) -> None:
    """Six decimals go in and come out."""
    money = Money.usd(amount)
    assert Decimal(money.micro_usd) == amount * 1_000_000
    assert Decimal(str(money).replace("$", "")) == amount
    assert Money.usd(str(money).replace("$", "")) == money


@pytest.mark.parametrize(
    ("text", "micro"),
    [("0.0000005", 1), ("0.00000049", 0), ("-0.0000005", -1), (0.1, 100_000), (" 2 ", 2_000_000)],
)
def test_dollars_are_rounded_half_up_to_the_micro_dollar(text: str | float, micro: int) -> None:
    """Away from zero, once."""
    assert Money.usd(text).micro_usd == micro


@pytest.mark.parametrize("text", ["", "two", "NaN", "sNaN", "inf", "1e40", "1,5", "$1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """With what an amount looks like."""
    with pytest.raises(errors.InvalidRequestError, match=r"such as 0\.25"):
        Money.usd(text)


def test_money_is_written_with_six_decimals() -> None:
    """Also below zero, and for display as a number."""
    assert [str(Money(m)) for m in (0, 1, -1, 1_500_000)] == [
        "$0.000000",
        "$0.000001",
        "-$0.000001",
        "$1.500000",
    ]
    assert Money(1_500_000).as_usd == 1.5
    assert Money.total([]) == Money()


@given(st.sampled_from(["run", "call", "k"]))
def test_ids_are_unique_and_sort_by_time(prefix: str) -> None:
    """A prefix, then 26 characters of time and chance."""
    ids = [new_id(prefix) for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(len(each) == len(prefix) + 27 and each.startswith(f"{prefix}_") for each in ids)
    times = [each[: len(prefix) + 11] for each in ids]
    assert times == sorted(times)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_comes_back_as_it_was(value: interlock_core.Json) -> None:
    """Compact or indented."""
    assert parse_json(dump_json(value)) == value
    assert parse_json(dump_json(value, indent=2, sort_keys=True)) == value


def test_what_is_no_json_is_refused_both_ways() -> None:
    """NaN and infinities are no JSON."""
    for text in ("NaN", "[Infinity]", "{", ""):
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json(float("nan"))


def test_narrowing_gives_the_kind_or_nothing() -> None:
    """A value of another kind is an empty object or array, or None; a boolean is no number."""
    assert (as_object({"a": 1}), as_object([1])) == ({"a": 1}, {})
    assert (as_array([1]), as_array("x")) == ([1], [])
    assert (as_text("x"), as_text(1)) == ("x", None)
    assert [as_int(v) for v in (3, 3.0, 3.5, True, "3", None)] == [3, 3, None, None, None, None]
    assert [as_number(v) for v in (3, 3.5, True, "3")] == [3.0, 3.5, None, None]


def test_secrets_show_themselves_to_nobody() -> None:
    """Only `reveal` gives the text."""
    import pickle

    secret = Secret("hush", name="github")
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} {vars(Principal) and secret}"
    assert "hush" not in shown
    assert (secret.reveal(), secret.name, bool(secret), bool(Secret(""))) == ("hush", "github", True, False)
    assert secret == Secret("hush", name="other")
    assert secret != "hush"
    assert len({secret, Secret("hush")}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_near_names_are_suggested() -> None:
    """What was probably meant, or what there is."""
    assert nearest("opnai", ["openai", "mistral"]) == ("openai",)
    assert suggestion("opnai", ["openai", "mistral"]) == "Did you mean openai?"
    assert suggestion("zzz", ["b", "a"]) == "Known: a, b."
    assert suggestion("zzz", []) == "There are none yet."
    assert suggestion("zzz", [f"name{i}" for i in range(10)]).endswith("and 2 more.")


def test_messages_show_their_text_calls_and_results() -> None:
    """Parts of other kinds are left out, order is kept."""
    call = ToolCall(id="1", name="t", arguments='{"a": 1}')
    result = ToolResult(call_id="1", name="t", content=(Text("x"), Image(url="u"), Text("y")))
    message = assistant(Reasoning(text="hm"), "a", call, "b")
    assert (message.text, message.tool_calls, message.tool_results) == ("ab", (call,), ())
    assert (result.text, tool_results([result]).tool_results) == ("xy", (result,))
    assert [m.role for m in (system("s"), user("u"), message, tool_results([]))] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert call.parsed() == {"a": 1}
    assert ToolCall(id="1", name="t", arguments="").parsed() == {}


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "[" * 100_000, '{"a": NaN}'])
def test_arguments_that_are_no_object_are_an_error_for_the_model(arguments: str) -> None:
    """It says what to send instead."""
    with pytest.raises(errors.InvalidRequestError, match="Send one JSON object"):
        ToolCall(id="1", name="t", arguments=arguments).parsed()


def test_usage_adds_up() -> None:
    """Every kind of token, and exact only when both are."""
    total = Usage(input_tokens=1, output_tokens=2, requests={"search": 1}) + Usage(
        input_tokens=10, cache_read_tokens=3, requests={"search": 2, "fetch": 1}, exact=False
    )
    assert (total.input_tokens, total.total_tokens, total.cache_read_tokens) == (11, 13, 3)
    assert (dict(total.requests), total.exact) == ({"search": 3, "fetch": 1}, False)


def test_prices_count_each_kind_of_token_once() -> None:
    """Cached input at its own price, rounded once at the end."""
    price = Price(input=3_000_000, output=15_000_000, cache_read=300_000, cache_write=3_750_000)
    usage = Usage(
        input_tokens=1000,
        output_tokens=100,
        cache_read_tokens=500,
        cache_write_tokens=200,
        cache_write_1h_tokens=50,
    )
    assert price.cost(usage) == Money(300 * 3 + 150 + 750 + 1500)
    assert Price(input=1, output=0).cost(Usage(input_tokens=499_999)) == Money(0)
    assert Price(input=1, output=0).cost(Usage(input_tokens=500_000)) == Money(1)
    assert FREE.cost(usage) == Money()


def test_models_know_their_own_name() -> None:
    """What stands after the first slash, further slashes included."""
    assert ModelInfo(id="local/a/b", provider="local").name == "a/b"


def test_outcomes_of_errors_carry_code_and_status() -> None:
    """Typed errors by their code, others by their class; leaving early is told apart."""
    import asyncio

    limited = Outcome.failure(errors.UpstreamRateLimitError("slow", vendor_status=429), duration_s=2)
    assert (limited.ok, limited.error, limited.status, limited.duration_s) == (
        False,
        "upstream_rate_limited",
        429,
        2,
    )
    assert Outcome.failure(KeyError("x")).error == "KeyError"
    assert Outcome.failure(asyncio.CancelledError()).cancelled


def test_decisions_are_shown_as_json() -> None:
    """Money in dollars, unknown cost as null."""
    decision = RouteDecision(
        policy="default",
        task="planning",
        chosen="a/b",
        candidates=(
            Candidate(model="a/b", expected_cost=Money(5)),
            Candidate(model="c/d", excluded="no tools"),
        ),
    )
    shown = decision.as_json()
    costs = [as_object(each)["expected_cost_usd"] for each in as_array(shown["candidates"])]
    assert (shown["chosen"], costs) == ("a/b", [0.000005, None])


def test_tools_and_requests_have_safe_defaults() -> None:
    """A tool of unknown effect may write, and its results are not trusted."""
    tool = ToolSpec(name="a.b")
    assert (tool.effect, tool.untrusted, tool.parameters) == (
        Effect.WRITE,
        True,
        {"type": "object", "properties": {}},
    )
    assert [effect.has_side_effects for effect in Effect] == [False, True, True]
    request = HttpRequest(method="GET", url="https://x", headers=(("A", "1"), ("a", "2")))
    assert (request.header("a"), request.header("b")) == ("1", None)
    call = Call(
        id="1", kind=CallKind.TOOL, name="a.b", principal=Principal(user="u"), arguments={"k": "hush"}
    )
    assert "hush" not in repr(call)
    assert Completion(model="a/b", message=assistant("x"), finish=FinishReason.STOP).text == "x"


def test_the_systems_clock_goes_on() -> None:
    """Wall time is after 2020, the other never goes back."""
    clock = SystemClock()
    assert clock.now() > 1_577_836_800
    assert clock.monotonic() <= clock.monotonic()


def test_token_estimates_stay_below_their_bound() -> None:
    """Every part is counted; images and media by rule."""
    message = Message(
        "user",
        (
            Text("ü" * 100),
            Reasoning(text="r", encrypted="e"),
            Refusal("no"),
            ToolCall(id="1", name="t"),
            ToolResult(call_id="1", name="t", content=(Text("x"),)),
            Image(url="u"),
            File(data=b"x" * 400),
            Audio(data=b"x" * 400, format="wav"),
        ),
    )
    request = CompletionRequest(
        model="m",
        messages=(message,),
        tools=(ToolSpec(name="a.b", description="does"),),
        response_format=ResponseFormat(schema={"type": "object"}),
    )
    counted = EstimatingCounter().count(request)
    assert 2048 < counted.tokens <= counted.upper_bound
    assert not counted.exact
    assert counted.upper_bound >= 200 + 2048


def all_errors() -> list[type[errors.InterlockError]]:
    """Every class of the tree."""
    found = vars(errors).values()
    return [each for each in found if inspect.isclass(each) and issubclass(each, errors.InterlockError)]


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_stands_in_the_drawing_with_its_status(kind: type[errors.InterlockError]) -> None:
    """The tree at the top of the module is the tree below it."""
    assert errors.__doc__ is not None
    line = next(
        line for line in errors.__doc__.splitlines() if kind.__name__ in line.replace("─", " ").split()
    )
    if line.split()[-1].isdigit():
        assert str(kind.status) == line.split()[-1]
    error = kind("It is wrong.", field="f", remedy="Mend it.")
    assert str(error) == "It is wrong. Mend it."
    shown = error.as_json()
    assert shown["code"] == kind.code
    assert "vendor" not in shown
    assert kind.retryable == issubclass(kind, errors.UpstreamError)


def test_errors_of_one_branch_share_their_exit_code() -> None:
    """1 for failures, 2 for usage, 3 for refusals, 4 for the operator, 5 for proofs that do not hold."""
    codes = {kind.__name__: kind.exit_code for kind in all_errors()}
    assert codes["PermissionDeniedError"] == codes["QuotaExceededError"] == 3
    assert codes["ConfigurationError"] == codes["SchemaVersionError"] == 4
    assert codes["VerificationError"] == 5
    assert codes["ProtocolError"] == codes["OverloadedError"] == 1
    assert codes["NotFoundError"] == 2
