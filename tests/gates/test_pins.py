"""The pins are exact, complete and free of addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pins
from house.tree import ROOT

LOCK = """
version = 1
[[package]]
name = "b"
version = "2.0"
source = { registry = "https://example.org/simple" }
[[package]]
name = "a"
version = "1.0"
source = { registry = "https://example.org/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'win32'"]
[[package]]
name = "interlock-core"
version = "0.1.0"
source = { editable = "packages/core" }
"""

MANIFEST = f"""
[tool.uv]
package = false
{pins.BEGIN}constraint-dependencies = []
{pins.END}
[tool.other]
"""

ENTRY = "a==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"


def test_the_committed_pins_are_those_of_requirements_lock() -> None:
    """Whoever installs from requirements.lock gets what the workspace resolves to."""
    committed = pins.committed_pins((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = pins.parse_requirements((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    pinned = {pin.partition(" ;")[0] for pin in committed.runtime}
    assert pinned == {key.partition(";")[0] for key in locked}
    assert committed.build


def test_every_package_from_a_registry_is_pinned_and_no_member_is() -> None:
    """Sorted; a version that holds for some environments only carries its marker."""
    assert pins.pins_of_lock(LOCK) == (
        "a==1.0 ; (python_full_version < '3.12') or (sys_platform == 'win32')",
        "b==2.0",
    )


@given(st.lists(st.from_regex(r"[a-z]{1,8}==[0-9]{1,3}", fullmatch=True), unique=True, max_size=20))
def test_pins_come_back_from_a_manifest_as_they_were_written(names: list[str]) -> None:
    """Writing replaces what stood between the marks and nothing else."""
    wanted = pins.Pins(tuple(sorted(names)), ("uv-build==1",))
    written = pins.with_pins(MANIFEST, pins.render(wanted))
    assert pins.committed_pins(written) == wanted
    assert written.startswith(MANIFEST.partition(pins.BEGIN)[0])
    assert written.endswith("[tool.other]\n")


def test_a_manifest_without_its_marks_is_refused() -> None:
    """The pins would land nowhere, or twice."""
    with pytest.raises(pins.LockError, match="must each stand once"):
        pins.with_pins("[tool.uv]\n", "")


def test_a_pin_too_few_and_a_pin_too_many_are_each_named() -> None:
    """Both directions, and the build's pins as well."""
    found = pins.differences(pins.Pins(("a==1", "b==1"), ()), pins.Pins(("a==1", "c==1"), ("d==1",)))
    assert found == [
        "constraint-dependencies: c==1 is resolved and not pinned",
        "constraint-dependencies: b==1 is pinned and not resolved",
        "build-constraint-dependencies: d==1 is resolved and not pinned",
    ]


def test_a_lock_that_differs_is_told_and_a_file_added_to_a_release_is_not() -> None:
    """A missing pin, one too many and an unknown hash are faults; a new wheel of a release is none."""
    assert pins.lock_differences(ENTRY, ENTRY + "b==1 --hash=sha256:cc\n") == [
        "requirements.lock: b==1 is missing"
    ]
    assert pins.lock_differences(ENTRY + "b==1 --hash=sha256:cc\n", ENTRY) == [
        "requirements.lock: b==1 is not resolved"
    ]
    assert len(pins.lock_differences(ENTRY.replace("bb", "dd"), ENTRY)) == 1
    assert pins.lock_differences(ENTRY, ENTRY.replace("bb\n", "bb \\\n    --hash=sha256:cc\n")) == []


@pytest.mark.parametrize("entry", ["a>=1.0 --hash=sha256:aa\n", "a==1.0\n"])
def test_an_entry_that_is_not_exact_or_has_no_hash_is_refused(entry: str) -> None:
    """Either would install something else tomorrow."""
    with pytest.raises(pins.LockError, match="not an exact pin with hashes"):
        pins.parse_requirements(entry)


@pytest.mark.parametrize(
    "line", ["--index-url https://example.org/simple", "--find-links wheels", "-e ./x", "/x/y.whl"]
)
def test_a_lock_that_would_name_an_address_is_refused(line: str) -> None:
    """An index, a folder of wheels, an editable path."""
    with pytest.raises(pins.LockError, match="unset uv's index"):
        pins.refuse_addresses(f"{ENTRY}{line}\n")
    assert pins.refuse_addresses(ENTRY) == ENTRY
