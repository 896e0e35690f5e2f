"""The audit log on the command line: search, export, proofs that hold elsewhere, erasure after a dry run."""

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from .conftest import CommandLine


@pytest.fixture
def used(cli: "CommandLine") -> "CommandLine":
    """A command line with a few changes in its log."""
    for number in range(3):
        assert cli("limits", "set", "tool", "requests", "5", "--name", f"t{number}").code == 0
    return cli


@pytest.mark.promise("A4")
def test_records_are_found_and_paged(used: "CommandLine") -> None:
    """Filters, pages by cursor, a time that is none, and the same for a person."""
    asked = ("audit", "search", "--kind", "intent", "-n", "2", "--json")
    page = used(*asked).document
    first = [as_object(row)["record"] for row in as_array(page["records"])]
    rest = used(*asked, "--cursor", str(page["next"])).document
    assert first == [4, 2]
    assert [as_object(row)["record"] for row in as_array(rest["records"])] == [0]
    shown = used("audit", "search", "--text", "t1", "--since", "24h", "--until", "2999-01-01")
    assert "limits.set" in shown.out
    assert used("audit", "search", "--since", "soon").code == 2
    assert used("audit", "search", "--cursor", "AAAA").code == 1


@pytest.mark.promise("A2")
def test_a_proof_is_checked_offline_and_by_the_printed_verifier(used: "CommandLine") -> None:
    """With a key from elsewhere; a changed file is refused with code 5."""
    checkpoint = used("audit", "checkpoint", "--json").document
    used.folder.joinpath("old").write_text(str(checkpoint["checkpoint"]), "utf-8")
    assert used("limits", "clear", "tool:t0:requests:60s").code == 0
    proof, key = used.folder / "proof.json", str(checkpoint["key"])
    proof.write_text(used("audit", "prove", "1", "--since", str(used.folder / "old")).out, "utf-8")
    held = used("audit", "check-proof", str(proof), "--key", key, "--json")
    assert (held.code, held.document["ok"]) == (0, True)
    assert "continues the log of 6 records" in str(held.document["says"])
    used.folder.joinpath("log").write_text(used("audit", "export").out, "utf-8")
    used.folder.joinpath("check.py").write_text(used("audit", "verifier").out, "utf-8")
    for arguments in (["proof", "proof.json"], ["export", "log", "--seen", "old"]):
        command = [sys.executable, "-I", "check.py", *arguments, "--key", key]
        assert subprocess.run(command, cwd=used.folder, check=False, capture_output=True).returncode == 0
    proof.write_text(proof.read_text("utf-8").replace("limits.set", "limits.get"), "utf-8")
    assert used("audit", "check-proof", str(proof)).code == 5
    assert used("audit", "check-proof", str(proof), "--key", "other").code == 5
    assert used("audit", "prove", "99").code == 2


@pytest.mark.promise("A2")
def test_the_key_is_changed_and_the_old_one_leads_to_the_new(used: "CommandLine") -> None:
    """Twice; third parties who have the first key follow an export, and a proof needs the newest."""
    first = str(used("audit", "checkpoint", "--json").document["key"])
    changed = used("audit", "rotate-key", "--json")
    second = str(changed.document["new"])
    assert (changed.code, changed.document) == (0, {"old": first, "new": second, "record": 6})
    shown = used("audit", "rotate-key")
    third = shown.out.strip()
    assert len({first, second, third}) == 3
    assert second in shown.err
    assert "audit export" in shown.err
    assert used("audit", "checkpoint", "--json").document["key"] == third
    assert used("audit", "verify").code == 0
    used.folder.joinpath("log").write_text(used("audit", "export").out, "utf-8")
    used.folder.joinpath("check.py").write_text(used("audit", "verifier").out, "utf-8")
    for key in (first, second, third):
        command = [sys.executable, "-I", "check.py", "export", "log", "--key", key]
        done = subprocess.run(command, cwd=used.folder, check=False, capture_output=True, encoding="utf-8")
        assert (done.returncode, third in done.stdout) == (0, key != third)
    proof = used.folder / "proof.json"
    proof.write_text(used("audit", "prove", "1").out, "utf-8")
    assert used("audit", "check-proof", str(proof), "--key", third).code == 0
    refused = used("audit", "check-proof", str(proof), "--key", first)
    assert (refused.code, third in refused.err) == (5, True)


@pytest.mark.promise("A4")
def test_erasing_is_said_first_and_then_done(used: "CommandLine") -> None:
    """The dry run changes nothing; afterwards the log still holds."""
    tried = used("audit", "erase", "--before", "2999-01-01", "--json").document
    assert (tried["count"], tried["dry_run"]) == (6, True)
    assert used("audit", "erase").code == 2
    assert used("audit", "erase", "--before", "2999-01-01", "--yes").out.startswith(
        "Erased the data of 6 records"
    )
    assert used("audit", "verify").code == 0
    assert '"t1"' not in used("audit", "export", "--format", "json").out


def test_an_export_goes_to_a_file(used: "CommandLine") -> None:
    """As a table, and as one document."""
    table = used.folder / "audit.csv"
    assert used("audit", "export", "--format", "csv", "-o", str(table), "--json").document == {
        "file": str(table)
    }
    assert table.read_text("utf-8").startswith("record,time,kind")
    assert len(json.loads(used("audit", "export", "--format", "json", "--kind", "outcome").out)) == 3
