"""Names of tools: readable, legal, unique, and the same tomorrow."""

import pytest

from interlock_core import JsonObject
from interlock_tools import ToolRegistry, openapi_to_tool_specs

LONG = "/repositories/{workspace}/{repository_slug}/pull-requests/{pull_request_id}/comments"


def names(*endpoints: tuple[str, str, str | None], namespace: str = "api") -> dict[str, str]:
    """The name of each endpoint of a document."""
    paths: dict[str, JsonObject] = {}
    for method, path, operation_id in endpoints:
        paths.setdefault(path, {})[method] = {"operationId": operation_id} if operation_id else {}
    document: JsonObject = {"openapi": "3.1.0", "paths": {**paths}}
    return {tool.endpoint or "": tool.name for tool in openapi_to_tool_specs(document, namespace=namespace)}


@pytest.mark.parametrize(
    ("operation_id", "name"),
    [
        ("listPets", "list_pets"),
        ("repos/create-in-org", "repos_create_in_org"),
        ("Pets_GetById", "pets_get_by_id"),
        ("XMLHttpRequest", "xml_http_request"),
        ("héllo wörld", "h_llo_w_rld"),
        ("宠物", "get_pets"),
        (None, "get_pets"),
        ("v1.users.list", "v1_users_list"),
    ],
)
def test_a_name_is_the_id_in_words_or_method_and_path(operation_id: str | None, name: str) -> None:
    """Lower case, joined by underscores."""
    assert names(("get", "/pets", operation_id)) == {"GET /pets": f"api.{name}"}


def test_a_path_too_long_for_a_name_keeps_its_end() -> None:
    """Which tells it from its neighbours; the mark behind it tells it from all others."""
    found = names(
        ("get", LONG, None), ("get", f"{LONG}/{{id}}", None), ("post", f"{LONG}/{{id}}/resolve", None)
    )
    short = [name.rpartition("_") for name in found.values()]
    assert [name for name, _, _ in short] == [
        "api.get_repositories_pull_requests_comments",
        "api.get_repositories_pull_requests_comments",
        "api.post_repositories_pull_requests_comments_resolve",
    ]
    assert len({mark for _, _, mark in short}) == 3
    assert all(len(name) <= 64 for name in found.values())


def test_a_path_of_one_endless_word_is_cut() -> None:
    """Nothing is longer than the strictest vendor allows."""
    found = names(("get", f"/{'x' * 90}", None), ("get", "/{a}" * 30, None))
    assert all(len(name) <= 64 for name in found.values())
    assert len(set(found.values())) == 2


def test_ids_given_twice_and_ids_that_become_the_same_stay_apart() -> None:
    """By method and path, so that the order does not matter."""
    first = names(("get", "/a", "x-y"), ("get", "/b", "xY"), ("get", "/c", "z"))
    turned = names(("get", "/c", "z"), ("get", "/b", "xY"), ("get", "/a", "x-y"))
    assert first == turned
    assert len(set(first.values())) == 3
    assert first["GET /c"] == "api.z"


def test_documents_of_one_title_get_namespaces_of_their_own() -> None:
    """The second is numbered; each keeps its tools."""
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "The Pet API"},
        "paths": {"/a": {"get": {}}},
    }
    registry = ToolRegistry()
    assert [registry.add_document(document).namespace for _ in range(3)] == ["pet", "pet_2", "pet_3"]
    assert [tool.name for tool in registry.list()] == ["pet.get_a", "pet_2.get_a", "pet_3.get_a"]
