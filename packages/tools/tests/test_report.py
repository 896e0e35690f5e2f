"""The report says of each document what became of it, whatever it is."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from interlock_core import Json, ToolSpec
from interlock_core.testing import Answer, LoopbackServer, client_for
from interlock_tools import LoadLimits, convert_documents

GOOD = '{"openapi": "3.0.0", "info": {"title": "Good"}, "paths": {"/a": {"get": {}, "put": 5}}}'


def names(tools: Sequence[ToolSpec]) -> Json:
    """A vendor's form of tools: their names."""
    return [tool.name for tool in tools]


async def test_each_document_is_reported_in_the_order_given(tmp_path: Path) -> None:
    """Good, partly good, broken and missing ones; a folder gives its documents."""
    good = tmp_path / "good.json"
    good.write_text(GOOD, encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text("openapi: [", encoding="utf-8")
    folder = tmp_path / "folder"
    (folder / "apis").mkdir(parents=True)
    reference = '{"openapi": "3.0.0", "paths": {"/b": {"$ref": "../parts/b.json"}}}'
    (folder / "apis" / "b.json").write_text(reference, encoding="utf-8")
    (folder / "parts").mkdir()
    (folder / "parts" / "b.json").write_text('{"get": {}}', encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    seen: list[tuple[int, int]] = []
    report = await convert_documents(
        [good, str(broken), str(tmp_path / "absent.json"), str(folder), str(empty)],
        progress=lambda _, done, total: seen.append((done, total)),
    )
    assert seen == [(0, 1), (1, 1), (0, 1), (1, 1)]
    assert not report.ok
    assert [(one.ok, one.operations, len(one.tools)) for one in report.documents] == [
        (True, 2, 1),
        (False, 0, 0),
        (False, 0, 0),
        (True, 1, 1),
        (False, 0, 0),
    ]
    assert "no OpenAPI document in" in str(report.documents[4].error)
    assert report.as_json({"names": names}) == {
        "documents": [
            {
                "source": str(good),
                "ok": True,
                "error": None,
                "operations": 2,
                "converted": 1,
                "skipped": [{"operation": "PUT /a", "reason": report.documents[0].skipped[0].reason}],
                "tools": {"names": ["good.get_a"]},
            },
            *(one.as_json({"names": names}) for one in report.documents[1:]),
        ]
    }
    assert json.dumps(report.as_json())


async def test_a_stop_is_heard_between_two_documents(tmp_path: Path) -> None:
    """What is left of a folder is not converted first."""
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    begun: list[str] = []

    def stop(source: str, done: int, total: int) -> None:
        if done == 0:
            begun.append(source)
            work.cancel()

    work = asyncio.create_task(convert_documents([tmp_path], progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await work
    assert len(begun) == 1


async def test_a_url_is_reported_as_it_was_given() -> None:
    """With what it gave or why it gave nothing."""
    async with LoopbackServer(lambda _: Answer(body=GOOD.encode())) as server, client_for(server) as client:
        report = await convert_documents([f"{server.url}/api.json?v=1"], client=client)
        assert report.ok
        assert report.documents[0].source == f"{server.url}/api.json?v=1"
        refused = await convert_documents([f"{server.url}/api.json"])
        assert "loopback" in str(refused.documents[0].error)


async def test_a_document_of_a_folder_that_is_too_large_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is named with its reason; a link to nothing is no document."""
    (tmp_path / "a.json").write_text('{"openapi": "3.1.0", "x": "' + "x" * 2_000 + '"}')
    (tmp_path / "b.json").write_text('{"openapi": "3.1.0"}')
    (tmp_path / "c.json").symlink_to(tmp_path / "absent.json")
    report = await convert_documents([tmp_path], limits=LoadLimits(max_bytes=1_000))
    assert [document.ok for document in report.documents] == [False, True]
    assert "at most 1000" in str(report.documents[0].error)
