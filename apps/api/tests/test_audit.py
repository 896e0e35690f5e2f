"""The audit log and alerts over HTTP: search, export, proofs, erasure, and what looked suspicious."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import JsonObject, as_array, as_number, as_object
from interlock_runtime import KeyRequest
from interlock_runtime.audit import AuditQuery

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate


async def fetched(gate: "Gate", path: str) -> JsonObject:
    """What an address answers."""
    answer = await gate.ask("GET", path)
    assert answer.status == 200, answer.body
    return as_object(json.loads(answer.body))


async def changed(gate: "Gate", count: int) -> None:
    """Make so many changes, each an intent and an outcome."""
    for number in range(count):
        await gate.runtime.limits.set("tool", "requests", 5, name=f"t{number}")


@pytest.mark.promise("A4")
async def test_records_are_searched_page_by_page(gate: "Gate") -> None:
    """The newest first, each once; a cursor of another search is refused."""
    await changed(gate, 5)
    found: list[object] = []
    path = "/api/audit?kind=intent&limit=2&name=limits.*"
    page = await fetched(gate, path)
    while True:
        found += [as_object(row)["record"] for row in as_array(page["items"])]
        if page["next"] is None:
            break
        page = await fetched(gate, f"{path}&cursor={page['next']}")
    assert found == [10, 8, 6, 4, 2]
    first = await fetched(gate, path)
    other = await gate.ask("GET", f"/api/audit?kind=outcome&cursor={first['next']}")
    assert (other.status, as_object(json.loads(other.body))["field"]) == (400, "cursor")
    assert (await fetched(gate, "/api/audit?text=t3&kind=intent"))["items"] != []
    assert (await fetched(gate, "/api/audit?user=nobody"))["items"] == []


@pytest.mark.promise("A2")
async def test_exports_and_proofs_are_checked_without_the_server(gate: "Gate", tmp_path: Path) -> None:
    """By the verifier that the server hands out, and a key from elsewhere."""
    await changed(gate, 2)
    old = as_object(await fetched(gate, "/api/audit/checkpoint"))
    await changed(gate, 1)
    key = await gate.runtime.trail.key()
    assert old["key"] == key
    files = {"old": str(old["checkpoint"]).encode()}
    for name, path in {"log": "export?format=jsonl", "proof": "records/1/proof"}.items():
        answer = await gate.ask("GET", f"/api/audit/{path}")
        assert answer.status == 200
        files[name] = answer.body
    source = as_object(json.loads((await gate.ask("GET", "/api/audit/verifier")).body))["source"]
    files["check.py"] = str(source).encode()
    for name, content in files.items():
        tmp_path.joinpath(name).write_bytes(content)
    for arguments in (("proof", "proof"), ("export", "log", "--seen", "old")):
        command = [sys.executable, "-I", "check.py", *arguments, "--key", key]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
    table = await gate.ask("GET", "/api/audit/export?format=csv&kind=intent")
    assert table.body.startswith(b"record,time,kind,user")
    assert (await gate.ask("GET", "/api/audit/records/rec_none/proof")).status == 404
    report = as_object(json.loads((await gate.ask("POST", "/api/audit/verify")).body))
    assert report["ok"] is True


@pytest.mark.promise("A2")
async def test_the_key_is_changed_by_those_who_may(gate: "Gate") -> None:
    """The answer is the new key; the log is signed with it and holds; a reader may not."""
    old = (await fetched(gate, "/api/audit/checkpoint"))["key"]
    reader = await gate.runtime.access.create_key(KeyRequest(name="eve", user="eve", role="readonly"))
    refused = await gate.ask("POST", "/api/audit/rotate-key", key=str(reader["key"]))
    assert refused.status == 403
    done = await gate.ask("POST", "/api/audit/rotate-key")
    made = as_object(json.loads(done.body))
    assert (done.status, made["old"]) == (200, old)
    assert (await fetched(gate, "/api/audit/checkpoint"))["key"] == made["new"] != old
    (said,) = as_array((await fetched(gate, "/api/audit?kind=audit.key"))["items"])
    assert as_object(said)["record"] == made["record"]
    assert (await gate.runtime.trail.verify())["ok"] is True


@pytest.mark.promise("A4")
async def test_erasing_is_tried_first_and_recorded(gate: "Gate") -> None:
    """A dry run changes nothing; what is erased is said by the log, under the caller's name."""
    await changed(gate, 2)
    body = json.dumps({"before": gate.runtime.trail.now() + 60}).encode()
    tried = await gate.ask("POST", "/api/audit/erase", body=body, content_type="application/json")
    planned = as_object(json.loads(tried.body))
    assert planned["dry_run"] is True
    assert (as_number(planned["count"]) or 0) >= 4
    assert (await fetched(gate, "/api/audit?kind=audit.erased"))["items"] == []
    body = json.dumps({"before": gate.runtime.trail.now() + 60, "dry_run": False}).encode()
    done = await gate.ask("POST", "/api/audit/erase", body=body, content_type="application/json")
    assert as_object(json.loads(done.body))["count"] == planned["count"]
    (said,) = as_array((await fetched(gate, "/api/audit?kind=audit.erased"))["items"])
    assert as_object(said)["user"] is not None
    erased = as_object(as_array((await fetched(gate, "/api/audit?kind=intent"))["items"])[0])
    assert (erased["erased"], erased["data"]) == (True, {})
    assert (await gate.runtime.trail.verify())["ok"] is True


@pytest.mark.promise("A4")
async def test_guessing_at_keys_alerts_once(make_gate: "MakeGate") -> None:
    """Many bad keys from one address: one alert, in the list and in the audit log, without any key's text."""
    async with make_gate() as gate:
        for number in range(14):
            answer = await gate.ask("GET", "/api/alerts", key=f"ilk_guess{number}")
            assert answer.status in {401, 429}
        await gate.runtime.alerts.flush()
        found = (await gate.runtime.alerts.page()).items
        kinds = [item["kind"] for item in found]
        assert kinds == ["key-enumeration"]
        assert "ilk_guess" not in json.dumps([*found])
        rows, _ = await gate.runtime.trail.search(AuditQuery(kind="alert"))
        assert [as_object(as_object(row["data"])["note"])["kind"] for row in rows] == kinds
