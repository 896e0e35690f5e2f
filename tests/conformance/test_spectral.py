"""Spectral, with the rules that everybody uses, has nothing to say about the documents that we write."""

from pathlib import Path

import pytest

from .peer import ROOT, Peers

DOCUMENT = ROOT / "packages" / "tools" / "src" / "interlock_tools" / "specs" / "ai-dev-tools.yaml"


def lint(peers: Peers, tmp_path: Path, document: Path) -> tuple[int, str]:
    """Spectral's exit code, which a hint is enough to change, and what it says."""
    rules = tmp_path / "ruleset.yaml"
    rules.write_text('extends: ["spectral:oas"]\n', "utf-8")
    done = peers.run("spectral", "lint", "--fail-severity=hint", f"--ruleset={rules}", str(document))
    return done.returncode, done.stdout + done.stderr


@pytest.mark.promise("O12")
def test_the_document_of_the_tools_for_developers_is_clean(peers: Peers, tmp_path: Path) -> None:
    """No error, no warning, no hint."""
    code, said = lint(peers, tmp_path, DOCUMENT)
    assert code == 0, said


def test_the_linter_would_say_so_if_it_were_not(peers: Peers, tmp_path: Path) -> None:
    """One description less is one warning more."""
    broken = tmp_path / "broken.yaml"
    text = DOCUMENT.read_text("utf-8")
    broken.write_text(text.replace("operationId: lintCode\n", "operationId: formatCode\n"), "utf-8")
    code, said = lint(peers, tmp_path, broken)
    assert code != 0
    assert "operation-operationId-unique" in said
