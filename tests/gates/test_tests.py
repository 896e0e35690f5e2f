"""Tests that prove nothing are found."""

from collections.abc import Callable, Iterator

import pytest

from house.testing import empty_tests, faking_tests, skipped_tests, sleeping_tests
from house.tree import ROOT, Finding, assert_none, members, python_files, relative


def test_every_test_asserts_something() -> None:
    """In every package and across them."""
    assert_none(
        finding
        for path in python_files()
        if path.name.startswith("test_")
        for finding in empty_tests(relative(path), path.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("rule", [skipped_tests, sleeping_tests, faking_tests])
def test_no_test_is_skipped_sleeps_or_fakes(rule: Callable[[str, str], Iterator[Finding]]) -> None:
    """What does not work yet is an open promise, not a test that sleeps."""
    folders = [*(member.tests for member in members()), ROOT / "tests"]
    assert_none(
        finding
        for path in python_files(*folders)
        if path.name.startswith(("test_", "conftest"))
        for finding in rule(relative(path), path.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize(
    "source",
    [
        "def test_nothing(): pass\n",
        "def test_words():\n    'says a lot'\n    x = build()\n",
        "async def test_calls():\n    await helper()\nasync def helper():\n    return 1\n",
    ],
)
def test_a_test_without_an_assertion_is_caught(source: str) -> None:
    """Empty, a docstring alone, or a call that asserts nothing."""
    assert len(list(empty_tests("test_bad.py", source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def test_a():\n    assert f()\n",
        "def test_a():\n    with pytest.raises(ValueError):\n        f()\n",
        "def test_a(x):\n    with suppress(ValueError):\n        f(x)\n",
        "def test_a(x):\n    try:\n        f(x)\n    except ValueError:\n        return\n",
        "def test_a():\n    judge(1)\ndef judge(x):\n    deeper(x)\ndef deeper(x):\n    assert x\n",
    ],
)
def test_an_assertion_counts_wherever_it_stands(source: str) -> None:
    """In the test itself, as an expected error, or in a function of the same file."""
    assert not list(empty_tests("test_good.py", source))


def test_an_unconditional_skip_is_caught() -> None:
    """Marks that always skip, and marks that expect failure."""
    source = "@pytest.mark.skip\ndef test_a(): ...\n@pytest.mark.xfail(reason='later')\ndef test_b(): ...\n"
    assert len(list(skipped_tests("test_bad.py", source))) == 2


@pytest.mark.parametrize("source", ["time.sleep(0.1)\n", "await asyncio.sleep(seconds)\n", "sleep(1)\n"])
def test_a_sleep_is_caught_and_a_yield_is_not(source: str) -> None:
    """However short, and however it is spelled."""
    assert len(list(sleeping_tests("test_bad.py", f"async def test_a():\n    {source}"))) == 1
    assert not list(sleeping_tests("test_good.py", "async def test_a():\n    await asyncio.sleep(0)\n"))


@pytest.mark.parametrize("source", ["from unittest import mock\n", "from unittest.mock import patch\n"])
def test_a_mocking_library_is_caught(source: str) -> None:
    """Both ways to import it."""
    assert len(list(faking_tests("test_bad.py", source))) == 1
    assert not list(faking_tests("test_good.py", "from interlock_core.testing import ManualClock\n"))
