"""Every promise has tests or stands open, and every claim is true."""

import pytest

from house.promises import MANIFEST, MISSION, Manifest, Promise, broken, claims
from house.tree import ROOT, assert_none, python_files, relative, report

OPEN_AT_MOST = 33


def claimed() -> dict[str, set[str]]:
    """What every test of the repository claims."""
    found: dict[str, set[str]] = {}
    for path in python_files():
        if path.name.startswith("test_"):
            found |= claims(relative(path), path.read_text(encoding="utf-8"))
    return found


def manifest(**changed: Promise) -> Manifest:
    """A manifest that lists every promise as open, but for the changed ones."""
    promises = {name: Promise("", built=False, tests=()) for name in MISSION} | changed
    return Manifest(sum(not promise.built for promise in promises.values()), promises)


def test_the_manifest_and_the_tests_agree() -> None:
    """Both ways: what is built is proven, what is claimed exists."""
    assert_none(broken(Manifest.parse((ROOT / MANIFEST).read_text(encoding="utf-8")), claimed()))


def test_the_number_of_open_promises_only_falls() -> None:
    """The figure in the manifest may never pass the one that this test was last lowered to."""
    assert Manifest.parse((ROOT / MANIFEST).read_text(encoding="utf-8")).open_at_most <= OPEN_AT_MOST


def test_a_manifest_of_open_promises_is_sound() -> None:
    """An open promise needs no test."""
    assert not report(broken(manifest(), {}))


def test_a_built_promise_without_a_test_is_caught() -> None:
    """Built means proven."""
    assert report(broken(manifest(O3=Promise("", built=True, tests=())), {})) == (
        "tests/promises.toml:0: O3 is built, and no test proves it"
    )


def test_a_listed_test_that_is_missing_or_claims_another_promise_is_caught() -> None:
    """A list of tests is no proof; the test itself must say what it proves."""
    listed = manifest(O3=Promise("", built=True, tests=("t.py::test_a",)))
    assert report(broken(listed, {}))
    assert report(broken(listed, {"t.py::test_a": {"O4"}}))
    assert not report(broken(listed, {"t.py::test_a": {"O3"}}))


def test_a_test_that_names_an_unknown_promise_is_caught() -> None:
    """An id that was never promised proves nothing."""
    assert report(broken(manifest(), {"t.py::test_a": {"O99"}})) == (
        "tests/promises.toml:0: t.py::test_a names O99, which is no promise"
    )


def test_a_claim_that_a_built_promise_does_not_list_is_caught() -> None:
    """Whoever reads the manifest sees every proof."""
    built = manifest(O3=Promise("", built=True, tests=("t.py::test_a",)))
    assert report(broken(built, {"t.py::test_a": {"O3"}, "t.py::test_b": {"O3"}}))


@pytest.mark.parametrize("count", [len(MISSION) - 1, len(MISSION) + 1])
def test_a_wrong_number_of_open_promises_is_caught(count: int) -> None:
    """Lowering it is part of building a promise; raising it is no way out."""
    assert report(broken(Manifest(count, manifest().promises), {}))


def test_a_promise_that_is_dropped_or_invented_is_caught() -> None:
    """The list of ids is fixed."""
    promises = dict(manifest().promises)
    promises["X1"] = promises.pop("O3")
    found = report(broken(Manifest(len(promises), promises), {}))
    assert "O3 is promised and not listed" in found
    assert "X1 is listed and not promised" in found


def test_claims_are_read_from_functions_classes_and_files() -> None:
    """A mark holds for all that it stands on."""
    source = """
import pytest
pytestmark = [pytest.mark.promise("A1")]
@pytest.mark.promise("O1", "O2")
def test_a(): ...
@pytest.mark.promise("O3")
class TestMany:
    def test_b(self): ...
"""
    assert claims("t.py", source) == {
        "t.py::test_a": {"A1", "O1", "O2"},
        "t.py::TestMany::test_b": {"A1", "O3"},
    }
