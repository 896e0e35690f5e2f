"""`interlock ask` against a simulated vendor on a real socket."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse
from interlock_tools.testing.github import GitHubStandIn

if TYPE_CHECKING:
    from .conftest import CommandLine

MODEL = ("-m", "acme/small")


def test_an_answer_stands_alone_on_standard_output(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """Streamed or whole, the words are the same; model, tokens, cost and time are a remark."""
    vendor.then(Say("Blue light scatters."), Say("Blue light scatters."))
    streamed = acme("ask", "Why is the sky blue?", *MODEL)
    whole = acme("ask", "Why is the sky blue?", *MODEL, "--no-stream", "--quiet")
    assert (streamed.code, streamed.out) == (0, "Blue light scatters.\n")
    assert "acme/small" in streamed.err
    assert "cost unknown" in streamed.err
    assert (whole.code, whole.out, whole.err) == (0, "Blue light scatters.\n", "")


def test_a_program_gets_the_whole_run(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """One document with text, model, usage, cost and the calls that were made."""
    vendor.then(Say("Yes."))
    told = acme("ask", "Is it?", *MODEL, "--json").document
    assert (told["text"], told["stop"], told["model"]) == ("Yes.", "answered", "acme/small")
    assert told["cost_usd"] is None
    assert told["tool_calls"] == []


def test_the_prompt_comes_from_standard_input(acme: "CommandLine") -> None:
    """A hyphen stands for it; what is no text is refused."""
    assert "You said: Speak." in acme.apart("ask", "-", *MODEL, stdin="Speak.").out
    refused = acme.apart("ask", "-", *MODEL, stdin=" \n")
    assert refused.code == 1
    assert "empty" in refused.err
    assert acme("ask", "\udcff", *MODEL).code == 1


def test_a_schema_binds_the_answer(acme: "CommandLine") -> None:
    """The answer is the JSON that was asked for."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    acme.folder.joinpath("city.json").write_text(json.dumps(schema))
    ended = acme("ask", "Name a city.", *MODEL, "--schema", "city.json")
    assert ended.code == 0
    assert isinstance(json.loads(ended.out)["city"], str)


@pytest.mark.parametrize("text", ["[]", "{", '{"type": "strnig"}'])
def test_a_schema_that_is_none_is_refused(acme: "CommandLine", text: str) -> None:
    """Before any model is asked."""
    acme.folder.joinpath("bad.json").write_text(text)
    ended = acme("ask", "Hello", *MODEL, "--schema", "bad.json")
    assert ended.code == 1
    assert "bad.json" in ended.err


def test_an_image_is_shown_to_the_model(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """By the kind that its first bytes say; what is no image is refused."""
    acme.folder.joinpath("dot.gif").write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
    acme.folder.joinpath("odd.webp").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    assert acme("ask", "What is it?", *MODEL, "--image", "dot.gif").code == 0
    assert b"data:image/gif;base64," in vendor.requests[-1].body
    assert acme("ask", "What is it?", *MODEL, "--image", "odd.webp").code == 1


def test_tools_are_called_and_each_step_is_told(
    acme: "CommandLine", vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """The model's call reaches the API; steps stand on standard error, the answer on standard output."""
    github.add_issue("Mend the door")
    call = ToolUse("github_issues_list", '{"owner":"acme","repo":"notes"}')
    vendor.then(Say(calls=(call,)), Say("One: mend the door."))
    ended = acme("ask", "What is open?", *MODEL, "--tools", "github.issues_list")
    sent = json.loads(vendor.requests[0].body)
    assert [tool["function"]["name"] for tool in sent["tools"]] == [call.name]
    assert (ended.code, ended.out) == (0, "One: mend the door.\n")
    assert "github.issues_list" in ended.err
    assert "HTTP 200" in ended.err


def test_a_call_that_needs_a_person_is_refused_where_nobody_can_approve(
    acme: "CommandLine", vendor: OpenAIChatServer, github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is a result that the model reads, and a line for the person; nothing is created."""
    monkeypatch.setenv("INTERLOCK_APPROVALS__REQUIRE", "write")
    call = ToolUse("github_issues_create", '{"owner":"acme","repo":"notes","title":"Door"}')
    vendor.then(Say(calls=(call,)), Say("Not done."))
    ended = acme("ask", "Create it", *MODEL, "--tools", "github.issues_create", "--no-input")
    assert (ended.code, ended.out) == (0, "Not done.\n")
    assert "refused" in ended.err
    assert "nobody is at a terminal" in ended.err
    assert github.issues == ()


def test_a_vendor_that_fails_is_named(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """Its error ends the run with 4 where our key is wrong."""
    vendor.then(Failure.bad_key())
    ended = acme("ask", "Hello", *MODEL, "--json")
    assert ended.code == 4
    assert "acme" in ended.err
    assert ended.document["error"]


def test_a_budget_that_is_reached_refuses(acme: "CommandLine") -> None:
    """A bound of money where the price is unknown is a refusal, not a guess."""
    ended = acme("ask", "Hello", *MODEL, "--max-cost", "0.01")
    assert ended.code == 3
    assert "interlock:" in ended.err


def test_an_answer_that_was_cut_says_so(acme: "CommandLine") -> None:
    """Every flag of the request reaches the vendor."""
    ended = acme(
        *("ask", "Count to ten please, slowly", *MODEL, "--max-tokens", "2", "--temperature", "0.5"),
        *("--system", "Be brief.", "--verbose"),
    )
    assert "model    acme/small ended with length" in ended.err


def test_a_policy_goes_with_the_router_alone(acme: "CommandLine") -> None:
    """Named beside a model it is refused; alone it chooses, and the reason is told."""
    assert acme("ask", "Hello", *MODEL, "--policy", "cheap").code == 1
    ended = acme("ask", "Hello", "--policy", "cheap", "--verbose")
    assert ended.code == 0
    assert "route    acme/" in ended.err
