"""Whether a call reads, writes or destroys: against operations labelled by hand from their documents.

`read` changes nothing that others see and costs nothing; `write` changes, makes or sends something;
`destroy` takes away what a reverse call does not bring back; `end` ends or withdraws something that is not
deleted, and may be either of the two before.
"""

import csv
import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from interlock_core import Effect, JsonObject
from interlock_tools import load_file, openapi_to_tool_specs

DOCUMENTS = {
    "slack": "slack-web-api-slack-web-openapi-v2.json",
    "github": "octokit-openapi-api.github.com.json",
    "stripe": "stripe.com.json",
    "kubernetes": "kubernetes.io.json",
}
MEANT = {
    "read": {Effect.READ},
    "write": {Effect.WRITE},
    "end": {Effect.WRITE, Effect.DESTRUCTIVE},
    "destroy": {Effect.DESTRUCTIVE},
}
MOST_FALSE_ALARMS = 8


@cache
def effects(document: str) -> dict[str, Effect]:
    """What the tools of a document are said to do, by endpoint."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "corpus"
    folder = Path(os.environ.get("INTERLOCK_CORPUS", beside)) / "openapi" / "dev"
    return {
        tool.endpoint or "": tool.effect
        for tool in openapi_to_tool_specs(load_file(folder / DOCUMENTS[document]))
    }


def labelled() -> list[tuple[str, str, str]]:
    """Label, document and endpoint of each operation."""
    with (Path(__file__).parent / "effects.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(row["effect"], row["document"], f"{row['method']} {row['path']}") for row in rows]


@pytest.mark.promise("O3")
def test_nothing_that_changes_the_world_is_said_to_read() -> None:
    """Of 343 operations of four services not one that writes or destroys passes as harmless."""
    missed = [row for row in labelled() if row[0] != "read" and effects(row[1])[row[2]] is Effect.READ]
    assert missed == []


@pytest.mark.promise("O3")
def test_nothing_that_destroys_is_said_to_write_only() -> None:
    """Approvals are asked for what destroys: a write that destroys would pass below them."""
    missed = [row for row in labelled() if row[0] == "destroy" and effects(row[1])[row[2]] is Effect.WRITE]
    assert missed == []


def test_false_alarms_are_few() -> None:
    """Those that are left are reads by POST, of which neither name nor method says so, and proxies."""
    alarms = [row for row in labelled() if effects(row[1])[row[2]] not in MEANT[row[0]]]
    assert len(alarms) <= MOST_FALSE_ALARMS, Counter(row[1] for row in alarms)


@pytest.mark.parametrize(
    ("operation_id", "method", "summary", "effect"),
    [
        ("revokeToken", "get", "", Effect.DESTRUCTIVE),
        ("widgets", "get", "Deletes all widgets", Effect.DESTRUCTIVE),
        ("widgets", "get", "Open orders", Effect.READ),
        ("widgets", "get", "Open a ticket", Effect.WRITE),
        ("widgets", "get", "Allows you to list widgets", Effect.READ),
        ("widgets", "get", "Allows you to reset widgets", Effect.WRITE),
        ("widgets", "get", "This method deletes nothing", Effect.READ),
        ("repos/get-release", "get", "Get a release", Effect.READ),
        ("issues_list", "get", "Issue list", Effect.READ),
        ("widgets_list", "post", "", Effect.WRITE),
        (None, "post", "", Effect.WRITE),
        ("x", "post", "Removing a widget", Effect.DESTRUCTIVE),
        ("x", "get", "Deleted items", Effect.READ),
        ("x", "get", "Import status", Effect.READ),
        ("x", "get", "1234", Effect.READ),
    ],
)
def test_a_verb_makes_an_operation_graver_never_milder(
    operation_id: str | None, method: str, summary: str, effect: Effect
) -> None:
    """Wherever it stands: in the id, or at the start of what is said."""
    operation: JsonObject = {"summary": summary}
    if operation_id is not None:
        operation["operationId"] = operation_id
    (tool,) = openapi_to_tool_specs({"openapi": "3.1.0", "paths": {"/widgets": {method: operation}}})
    assert tool.effect is effect


@pytest.mark.parametrize("path", ["/tokens/revoke", "/chat.delete", "/tokens/{id}/delete-all"])
def test_a_path_that_ends_with_a_grave_verb_is_believed(path: str) -> None:
    """When there is nothing else to believe."""
    (tool,) = openapi_to_tool_specs({"openapi": "3.1.0", "paths": {path: {"post": {}}}})
    assert tool.effect is Effect.DESTRUCTIVE
