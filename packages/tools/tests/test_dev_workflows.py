"""Workflow files: made from parameters, held against GitHub's own schema, and safe from strangers' text."""

from pathlib import Path
from typing import cast

import pytest
import yaml

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.devtools._workflows import workflow_of, workflow_problems

from .dev_ground import PROJECT, Ground, write

pytestmark = pytest.mark.promise("O12")

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
STEPS: list[Json] = [{"uses": CHECKOUT}, {"name": "Test", "run": "make test\nmake check"}]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A folder with a program."""
    return Ground(write(tmp_path / "notes", PROJECT))


def asked(steps: list[Json] | None = None, **given: Json) -> JsonObject:
    """Arguments for a workflow of one job."""
    job: JsonObject = {"id": "test", "steps": STEPS if steps is None else steps}
    return {"file": "tests.yml", "name": "Tests", "triggers": {"pullRequest": True}, "jobs": [job], **given}


async def test_a_workflow_is_written_where_github_looks_for_it(ground: Ground) -> None:
    """The file is what the answer shows, and its token may only read."""
    shown = await ground.call("createWorkflow", **asked())
    place = ground.folder / ".github" / "workflows" / "tests.yml"
    assert (shown["applied"], shown["problems"], place.exists()) == (False, [], False)
    answer = await ground.call("createWorkflow", **asked(apply=True))
    assert place.read_text("utf-8") == answer["content"] == shown["content"]
    made = as_object(cast("Json", yaml.safe_load(str(answer["content"]))))
    assert made["permissions"] == {"contents": "read"}
    steps = as_array(as_object(as_object(made["jobs"])["test"])["steps"])
    assert as_object(steps[1])["run"] == "make test\nmake check"
    assert "run: |" in str(answer["content"])


async def test_a_workflow_that_exists_is_replaced_only_on_request(ground: Ground) -> None:
    """The second of two different ones is refused, until it is told to."""
    await ground.call("createWorkflow", **asked(apply=True))
    again = await ground.call("createWorkflow", **asked())
    assert (again["diff"], again["applied"]) == ("", False)
    assert "replace" in await ground.refused("createWorkflow", **asked(apply=True, name="Other"))
    replaced = await ground.call("createWorkflow", **asked(apply=True, name="Other", replace=True))
    assert (replaced["applied"], "-name: Tests\n+name: Other" in str(replaced["diff"])) == (True, True)


async def test_every_trigger_and_part_comes_out(ground: Ground) -> None:
    """Push, schedule, by hand; needs, variables, time limits, permissions."""
    triggers: JsonObject = {"push": {"branches": ["main"]}, "schedule": "0 4 * * 1", "manual": True}
    jobs: list[Json] = [
        {"id": "a", "runsOn": "macos-15", "timeoutMinutes": 5, "steps": STEPS, "environment": {"CI": True}},
        {"id": "b", "needs": ["a"], "steps": [{"run": "x", "environment": {"A": "b"}, "name": "x"}]},
    ]
    answer = await ground.call(
        "createWorkflow", **asked(triggers=triggers, jobs=jobs, permissions={"issues": "write"})
    )
    made = as_object(cast("Json", yaml.safe_load(str(answer["content"]))))
    assert made["on"] == {
        "push": {"branches": ["main"]},
        "schedule": [{"cron": "0 4 * * 1"}],
        "workflow_dispatch": None,
    }
    both = as_object(made["jobs"])
    assert as_object(both["b"])["needs"] == ["a"]
    assert (as_object(both["a"])["runs-on"], as_object(both["a"])["env"]) == ("macos-15", {"CI": True})
    assert [as_object(one)["place"] for one in as_array(answer["problems"])] == ["permissions.issues"]


@pytest.mark.parametrize(
    "expression",
    [
        "github.event.issue.title",
        "github.event.pull_request.head.ref",
        " github . event.comment.body ",
        "github['event'].issue.body",
        'github["event"]["issue"]["body"]',
        "github.head_ref",
        "github.ref_name",
        "inputs.name",
        "toJSON(github)",
        "format('{0}', github.event.issue.title)",
        "steps.read.outputs.title",
        "GITHUB.EVENT.issue.title",
        "github[ 'head_ref' ]",
        "contains(github.event.*.body, 'x')",
        "github[format('{0}', 'event')].issue.body",
        "needs.read.outputs.title",
        "env.TITLE",
        "fromJSON(toJSON(github)).event",
        "matrix.x || github.actor",
        "unknown.context",
        "'}}' && github.event.pull_request.title",
        "format('{0}}}', github.head_ref)",
        "'it''s }}' && github.head_ref",
    ],
)
@pytest.mark.parametrize("place", ["run", "script", "Script", "args"])
def test_a_strangers_text_never_becomes_a_command(expression: str, place: str) -> None:
    """Every spelling of an expression that others can write is refused, in commands and in scripts."""
    text = f"echo ${{{{ {expression} }}}}"
    step: JsonObject = {"run": text} if place == "run" else {"uses": CHECKOUT, "with": {place: text}}
    with pytest.raises(Exception, match="strangers can write"):
        workflow_of(asked([step]))


def test_a_strangers_text_never_reaches_the_command_of_a_container() -> None:
    """An image with an entry point of the caller's choice takes its arguments as a command."""
    arguments = {"entrypoint": "/bin/sh", "args": '-c "echo ${{ github.head_ref }}"'}
    with pytest.raises(InvalidRequestError, match="strangers can write"):
        workflow_of(asked([{"uses": "docker://alpine:3", "with": {**arguments}}]))


@pytest.mark.parametrize("text", ["echo ${{ github.sha }", "echo ${{ 'a }}", "${{ " + "'" * 2_001 + " }}"])
@pytest.mark.parametrize("place", ["run", "with", "environment"])
def test_an_expression_without_an_end_is_refused(text: str, place: str) -> None:
    """What cannot be read is not written."""
    step: JsonObject = {"run": text}
    if place == "with":
        step = {"uses": CHECKOUT, "with": {"script": text}}
    elif place == "environment":
        step = {"run": "x", "environment": {"TITLE": text}}
    with pytest.raises(InvalidRequestError, match="has no end"):
        workflow_of(asked([step]))


@pytest.mark.parametrize(
    "name",
    [
        *("BASH_ENV", "ENV", "NODE_OPTIONS", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PATH", "Path"),
        *("PYTHONSTARTUP", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT"),
        *("PROMPT_COMMAND", "PS4", "JAVA_TOOL_OPTIONS", "INPUT_SCRIPT", "npm_config_node_options"),
        *("GITHUB_ENV", "BASH_FUNC_echo%%", "MAKEFLAGS", "RUSTC_WRAPPER", "GOFLAGS", "PIP_INDEX_URL"),
    ],
)
@pytest.mark.parametrize("place", ["step", "job"])
def test_a_strangers_text_never_becomes_a_variable_that_programs_obey(name: str, place: str) -> None:
    """Shells and interpreters run what such a variable names; our own text in one is allowed."""

    def made(text: str) -> JsonObject:
        variables: JsonObject = {name: text}
        if place == "job":
            return asked(jobs=[{"id": "a", "steps": STEPS, "environment": variables}])
        return asked([{"run": "make", "environment": variables}])

    with pytest.raises(InvalidRequestError, match="strangers can write"):
        workflow_of(made("${{ github.head_ref }}"))
    assert name in str(workflow_of(made("${{ github.workspace }}/x")))


def test_expressions_that_nobody_else_writes_are_allowed() -> None:
    """And a stranger's text in a variable of the environment is the way that is meant."""
    command = "echo ${{ github.sha }} ${{ runner.os }} ${{ matrix.python }} ${{ fromJSON('1') }}"
    meant: JsonObject = {"run": 'echo "$TITLE"', "environment": {"TITLE": "${{ github.event.issue.title }}"}}
    assert command in str(workflow_of(asked([{"run": command}])))
    assert "$TITLE" in str(workflow_of(asked([meant])))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"triggers": {"pullRequest": False}}, "Nothing starts"),
        ({"jobs": [{"id": "a", "steps": [{"name": "x"}]}]}, "either use an action or run"),
        ({"jobs": [{"id": "a", "steps": [{"uses": CHECKOUT, "run": "x"}]}]}, "either use an action or run"),
        ({"jobs": [{"id": "a", "steps": STEPS, "needs": ["b"]}]}, "no other job"),
        ({"jobs": [{"id": "a", "steps": STEPS}, {"id": "a", "steps": STEPS}]}, "same id"),
        ({"permissions": {"everything": "write"}}, "GitHub would refuse"),
    ],
)
async def test_a_workflow_that_cannot_work_is_refused(ground: Ground, given: JsonObject, said: str) -> None:
    """Before anything is written, with the reason."""
    arguments = {**asked(apply=True), **given}
    assert said in await ground.refused("createWorkflow", **arguments)
    assert not (ground.folder / ".github").exists()


def test_what_is_allowed_and_unwise_is_named() -> None:
    """Actions that can change under one's feet, and secrets in commands."""
    steps: list[Json] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "./local"},
        {"run": "curl -H ${{ secrets.TOKEN }} x"},
    ]
    places = [place for place, _ in workflow_problems(workflow_of(asked(steps)))]
    assert places == ["jobs.test.steps[0]", "jobs.test.steps[2]"]
