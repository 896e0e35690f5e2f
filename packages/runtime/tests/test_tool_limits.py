"""What an operator writes about a document's pages, cache and key holds for its calls."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer
from interlock_runtime import Runtime, Settings
from interlock_runtime._shown import settings_json
from interlock_runtime.settings import ToolSettings
from interlock_tools.testing.github import GitHubStandIn
from interlock_tools.testing.sam_gov import SamGovStandIn

LIST = json.dumps({"owner": "acme", "repo": "notes", "per_page": 2})


@pytest.mark.promise("O9")
async def test_pages_are_gathered_as_the_settings_or_the_call_say(tmp_path: Path) -> None:
    """One page by default, as many as the table says, or as the call asks for."""
    async with GitHubStandIn(owner="acme", repo="notes") as github:
        for number in range(7):
            github.add_issue(f"Issue {number}")
        entry = ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)
        for wanted, asked, found in ((1, None, 2), (2, None, 4), (1, 9, 7)):
            settings = Settings(home=tmp_path, tools={"github": replace(entry, max_pages=wanted)})
            async with Runtime.open(settings) as runtime:
                result = await runtime.tools.call("github.issues_list", LIST, max_pages=asked)
            assert len(as_array(result.structured)) == found


@pytest.mark.promise("O9")
@pytest.mark.parametrize(("cache", "requests"), [("on", 1), ("off", 2)])
async def test_the_cache_is_switched_off_by_its_document(tmp_path: Path, cache: str, requests: int) -> None:
    """GitHub lets answers be kept for a minute; the operator may not want it."""
    async with GitHubStandIn(owner="acme", repo="notes") as github:
        entry = ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)
        entry = replace(entry, cache="on" if cache == "on" else "off", headers={"x-note": "hello"})
        async with Runtime.open(Settings(home=tmp_path, tools={"github": entry})) as runtime:
            for _ in range(2):
                await runtime.tools.call("github.issues_list", LIST)
        assert len(github.requests) == requests
        assert github.requests[0].headers["x-note"] == "hello"


@pytest.mark.promise("O14")
async def test_the_key_of_sam_gov_comes_from_its_usual_variable(tmp_path: Path) -> None:
    """For the shipped document; nothing shows it."""
    async with SamGovStandIn() as sam:
        sam.add_organization("ENERGY, DEPARTMENT OF", number=100_011_980)
        settings = Settings(
            home=tmp_path, tools={"gov": ToolSettings(source="builtin:sam_gov", base_url=sam.url)}
        )
        async with Runtime.open(settings, environment={"SAM_API_KEY": sam.key}) as runtime:
            arguments = json.dumps({"fhorgname": "energy"})
            result = await runtime.tools.call("gov.list_organizations", arguments)
            prepared = await runtime.tools.prepare("gov.list_organizations", arguments)
    assert as_object(result.structured)["totalrecords"] == 1
    assert sam.key not in json.dumps(prepared)
    assert sam.key not in result.text


@pytest.mark.promise("O15")
async def test_each_scheme_of_a_document_gets_its_own_credential(tmp_path: Path) -> None:
    """Two that are needed together are both placed; neither is shown."""
    async with LoopbackServer(lambda _: json_answer({"ok": True})) as api:
        schemes: JsonObject = {
            "app": {"type": "apiKey", "in": "header", "name": "X-App"},
            "user": {"type": "http", "scheme": "bearer"},
        }
        document: JsonObject = {
            "openapi": "3.1.0",
            "info": {"title": "Notes", "version": "1"},
            "servers": [{"url": "https://{tenant}.invalid", "variables": {"tenant": {"default": "none"}}}],
            "security": [{"app": [], "user": []}],
            "paths": {"/notes": {"get": {"operationId": "list"}, "delete": {"operationId": "clear"}}},
            "components": {"securitySchemes": schemes},
        }
        source = tmp_path / "notes.json"
        source.write_text(json.dumps(document), "utf-8")
        entry = ToolSettings(
            source=str(source),
            base_url=api.url,
            credentials={"app": "env:NOTES_APP", "user": "user-77ac01d4"},
            deny=("DELETE *",),
        )
        made = Settings(home=tmp_path / "home", tools={"notes": entry})
        async with Runtime.open(made, environment={"NOTES_APP": "app-4e11b2c9"}) as runtime:
            result = await runtime.tools.call("notes.list", "{}")
            names = [tool.name for tool in (await runtime.tools.catalog()).list(["notes.*"])]
            shown = json.dumps(settings_json(runtime.settings))
        elsewhere = replace(entry, base_url="", variables={"tenant": "acme"})
        made = Settings(home=tmp_path / "home", tools={"notes": elsewhere})
        async with Runtime.open(made, environment={"NOTES_APP": "app-4e11b2c9"}) as runtime:
            prepared = await runtime.tools.prepare("notes.list", "{}")
    assert not result.is_error, result.text
    assert api.requests[0].header("x-app") == "app-4e11b2c9"
    assert api.requests[0].header("authorization") == "Bearer user-77ac01d4"
    assert names == ["notes.list"]
    assert "user-77ac01d4" not in shown
    assert prepared["url"] == "https://acme.invalid/notes"
