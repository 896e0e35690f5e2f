"""pytest with a few cases of every test: for what runs again, alone or on another Python.

A test that has more than `CASES` cases runs so many of them, spread from the first to the last. The section
`test` of CI runs all of them.
"""

import os
import sys
from collections import defaultdict

import pytest

CASES = 4


class FewCases:
    """Leaves out the other cases, and says how many."""

    def __init__(self) -> None:
        self._left_out = 0

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the order of those that stay."""
        tests: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            tests[item.nodeid.partition("[")[0]].append(item)
        kept = {case.nodeid for cases in tests.values() for case in spread(cases)}
        chosen = [item for item in items if item.nodeid in kept]
        self._left_out = len(items) - len(chosen)
        items[:] = chosen

    def pytest_report_collectionfinish(self) -> str:
        """The number."""
        return f"{self._left_out} further cases of these tests run in the section 'test'"


def spread(cases: list[pytest.Item]) -> list[pytest.Item]:
    """At most `CASES` of them, the first and the last included."""
    if len(cases) <= CASES:
        return cases
    return [cases[round(step * (len(cases) - 1) / (CASES - 1))] for step in range(CASES)]


if __name__ == "__main__":
    os.environ["INTERLOCK_QUICK"] = "1"
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[FewCases()]))
