"""GitHub Actions workflows: made from parameters, checked against GitHub's schema and for injections."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from interlock_core.errors import ConflictError, InvalidRequestError, MissingExtraError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_core.schema import Validator
from interlock_tools.devtools._diff import unified_diff
from interlock_tools.devtools._workspace import Workspace

_FOLDER = ".github/workflows"
_OPEN = "${{"
_REST = re.compile(r"((?:[^'}]|'[^']*'|\}(?!\}))*)\}\}")
"""What follows it. Braces inside a text do not end an expression; a doubled quote is two texts in a row."""

_TEXT = re.compile(r"'(?:[^']|'')*'")
_CONTEXT = re.compile(r"(?<![\w.-])([a-z_][\w-]*)\s*(\(|\[|\.\s*[\w-]+)?")
_OURS = frozenset({"runner", "matrix", "secrets", "vars", "job", "strategy", "true", "false", "null"})
_OF_GITHUB = frozenset(
    (
        *("sha", "run_id", "run_number", "run_attempt", "repository", "repository_id", "repository_owner"),
        *("workspace", "server_url", "api_url", "graphql_url", "event_name", "job", "workflow", "action"),
        *("action_path", "token", "retention_days"),
    )
)
"""What strangers cannot write: all else of an expression, known or not, is taken for theirs."""

_OBEYED = re.compile(
    r"(BASH_|LD_|DYLD_|GIT_|PYTHON|PERL|RUBY|NODE_|NPM_CONFIG_|YARN_|PIP_|UV_|CARGO|RUST|GO|JAVA_|_JAVA|JDK_|LUA_"
    r"|MAVEN_|GRADLE_|MSBUILD|DOTNET_|PHP|SSH_|DOCKER_|GITHUB_|RUNNER_|ACTIONS_|INPUT_|MAKE|PS\d|PSMODULEPATH)"
    r"|(ENV|PATH|PATHEXT|SHELL|COMSPEC|IFS|CDPATH|HOME|PROMPT_COMMAND|EDITOR|VISUAL|PAGER|BROWSER|CC|CXX|CPP"
    r"|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MFLAGS|TMPDIR|LESSOPEN|LESSCLOSE|SHELLOPTS|ZDOTDIR|CLASSPATH)$",
)
"""Variables that shells, interpreters, linkers, builders and actions take orders from, in capitals."""

_PINNED = re.compile(r"@[0-9a-f]{40}$")
_SECRET = re.compile(r"\bsecrets\s*[.\[]")


@dataclass(frozen=True, slots=True)
class WorkflowTools:
    """Makes workflow files in a working folder.

    Attributes:
        workspace: The folder.
    """

    workspace: Workspace

    async def create(self, arguments: JsonObject) -> JsonObject:
        """Make a workflow file; written only when asked for."""
        workflow = workflow_of(arguments)
        problems = workflow_problems(workflow)
        path = f"{_FOLDER}/{arguments['file']}"
        content = _yaml(workflow)
        copy = await self.workspace.copy()
        if path in copy.files and arguments.get("replace") is not True and arguments.get("apply") is True:
            raise ConflictError(
                f"There is {path} already.",
                field="replace",
                remedy="Look at the diff, and set replace to true.",
            )
        changes: dict[str, bytes | None] = {path: content.encode()}
        known = copy.files.get(path)
        if known is not None and known.content == content.encode():
            changes = {}
        diff, _ = unified_diff(copy, changes)
        applied = arguments.get("apply") is True and bool(changes)
        if applied:
            self.workspace.apply(copy, changes)
        said: list[Json] = [{"place": place, "message": message} for place, message in problems]
        return {"path": path, "content": content, "problems": said, "diff": diff, "applied": applied}


def workflow_of(arguments: JsonObject) -> JsonObject:
    """The workflow that the parameters describe. Its token may only read unless they say otherwise.

    Raises:
        InvalidRequestError: A step neither uses an action nor runs a command, a job is named twice or needs
            one that is not there, or a stranger's text would become a command.
        MissingExtraError: GitHub's schema is not installed.
    """
    jobs = [as_object(job) for job in as_array(arguments["jobs"])]
    names = [str(job["id"]) for job in jobs]
    if len(set(names)) != len(names):
        raise InvalidRequestError("Two jobs have the same id.", field="jobs", remedy="Give each its own id.")
    workflow: JsonObject = {
        "name": arguments["name"],
        "on": _triggers(as_object(arguments["triggers"])),
        "permissions": as_object(arguments.get("permissions")) or {"contents": "read"},
        "jobs": {name: _job(job, set(names) - {name}) for name, job in zip(names, jobs, strict=True)},
    }
    wrong = _schema().problems(workflow)
    if wrong:
        raise InvalidRequestError(
            f"GitHub would refuse this workflow: {'; '.join(wrong[:3])}.",
            field="jobs",
            remedy="Change what the problems name.",
        )
    return workflow


def _triggers(wanted: JsonObject) -> JsonObject:
    triggers: JsonObject = {}
    if "push" in wanted:
        triggers["push"] = as_object(wanted["push"]) or None
    if wanted.get("pullRequest") is True:
        triggers["pull_request"] = None
    if "schedule" in wanted:
        triggers["schedule"] = [{"cron": wanted["schedule"]}]
    if wanted.get("manual") is True:
        triggers["workflow_dispatch"] = None
    if not triggers:
        raise InvalidRequestError(
            "Nothing starts this workflow.",
            field="triggers",
            remedy="Give push, pullRequest, schedule or manual.",
        )
    return triggers


def _job(job: JsonObject, others: set[str]) -> JsonObject:
    needs = [str(name) for name in as_array(job.get("needs"))]
    unknown = [name for name in needs if name not in others]
    if unknown:
        raise InvalidRequestError(
            f"The job {job['id']} needs {unknown[0][:100]}, which is no other job.",
            field="needs",
            remedy="Name jobs of this workflow.",
        )
    made: JsonObject = {
        "runs-on": job.get("runsOn", "ubuntu-24.04"),
        "timeout-minutes": job.get("timeoutMinutes", 20),
        "steps": [_step(as_object(step), str(job["id"])) for step in as_array(job["steps"])],
    }
    if needs:
        made["needs"] = [*needs]
    if "environment" in job:
        _refuse_obeyed(as_object(job["environment"]), str(job["id"]))
        made["env"] = job["environment"]
    return made


def _step(step: JsonObject, job: str) -> JsonObject:
    if ("uses" in step) == ("run" in step):
        raise InvalidRequestError(
            f"A step of the job {job} must either use an action or run a command.",
            field="steps",
            remedy="Give exactly one of uses and run.",
        )
    _refuse_strangers(as_text(step.get("run")) or "", job, "run")
    for value in as_object(step.get("with")).values():
        _refuse_strangers(str(value), job, "with")
    _refuse_obeyed(as_object(step.get("environment")), job)
    names = {"name": "name", "uses": "uses", "with": "with", "run": "run", "environment": "env"}
    return {theirs: step[ours] for ours, theirs in names.items() if ours in step}


def expressions(text: str) -> list[str]:
    """The expressions in a text, where GitHub sees them.

    Raises:
        InvalidRequestError: One has no end.
    """
    found: list[str] = []
    start = text.find(_OPEN)
    while start >= 0:
        rest = _REST.match(text, start + len(_OPEN))
        if rest is None:
            raise InvalidRequestError(
                f"The expression {text[start : start + 80]} has no end.",
                field="jobs",
                remedy="Close it with }}, and each text in it with a single quote.",
            )
        found.append(rest[1])
        start = text.find(_OPEN, rest.end())
    return found


def _refuse_strangers(text: str, job: str, field: str) -> None:
    """Commands, and all that actions are given: many run it, and their inputs are known in any case."""
    for expression in expressions(text):
        if of_strangers(expression):
            raise InvalidRequestError(
                f"A command of the job {job} holds ${{{{{expression[:80]}}}}}, which strangers can write.",
                field=field,
                remedy="Put it into environment, and use the variable in the command, between double quotes.",
            )


def _refuse_obeyed(variables: JsonObject, job: str) -> None:
    for name, value in variables.items():
        theirs = [one for one in expressions(str(value)) if of_strangers(one)]
        if theirs and _OBEYED.match(name.upper()):
            raise InvalidRequestError(
                f"{name[:80]} of the job {job} holds ${{{{{theirs[0][:80]}}}}}, which strangers can write, "
                "and programs take orders from that variable.",
                field="environment",
                remedy="Give the variable a name of your own, such as TITLE.",
            )


def of_strangers(expression: str) -> bool:
    """Whether somebody else may write what an expression becomes. GitHub reads them without case."""
    for context, after in _CONTEXT.findall(_TEXT.sub("''", expression.lower())):
        if after == "(" or context in _OURS:
            continue
        if context != "github" or after.lstrip(". ") not in _OF_GITHUB:
            return True
    return False


def workflow_problems(workflow: JsonObject) -> list[tuple[str, str]]:
    """What is allowed and not wise, by its place."""
    problems: list[tuple[str, str]] = []
    for name, job in as_object(workflow["jobs"]).items():
        for index, step in enumerate(as_array(as_object(job).get("steps"))):
            place = f"jobs.{name}.steps[{index}]"
            uses = as_text(as_object(step).get("uses")) or ""
            if uses and not uses.startswith(("./", "docker://")) and not _PINNED.search(uses):
                problems.append(
                    (place, f"{uses} is not pinned to a commit: its owner can change what it does.")
                )
            command = as_text(as_object(step).get("run")) or ""
            if any(_SECRET.search(found) for found in expressions(command)):
                problems.append((place, "A secret stands in a command: put it into environment."))
    for scope, right in as_object(workflow["permissions"]).items():
        if right == "write":
            problems.append((f"permissions.{scope}", "Every job may write: give the right to one job alone."))
    return problems


@lru_cache(maxsize=1)
def _schema() -> Validator:
    from importlib.resources import files
    from importlib.util import find_spec

    if find_spec("check_jsonschema") is None:
        raise MissingExtraError(
            "GitHub's schema of workflows is not installed.",
            field="file",
            remedy="Install it with pip install 'interlock-cli[dev-tools]'.",
        )
    place = files("check_jsonschema.builtin_schemas") / "vendor" / "github-workflows.json"
    return Validator(cast("JsonObject", json.loads(place.read_text("utf-8"))))


def _yaml(workflow: JsonObject) -> str:
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes texts of several lines as blocks, and nothing by reference."""

        def ignore_aliases(self, data: object) -> bool:
            """Always."""
            return True

    def text(_: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return yaml.ScalarNode("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Plain.add_representer(str, text)
    return yaml.dump(workflow, Dumper=Plain, sort_keys=False, allow_unicode=True, width=110)
