"""Policies are checked when they are made."""

import pytest

from interlock_core import Money
from interlock_core.errors import ConfigurationError, InterlockError
from interlock_router import BUILT_IN, Policy


def test_the_promised_policies_are_built_in() -> None:
    """Nobody needs to configure one to begin."""
    assert set(BUILT_IN) == {"default", "cheap", "best", "fast", "local-first"}


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("quality", lambda: Policy(name="own", quality=-1)),
        ("price", lambda: Policy(name="own", price=float("nan"))),
        ("latency", lambda: Policy(name="own", latency=float("inf"))),
        ("max_cost", lambda: Policy(name="own", max_cost=Money(-1))),
        ("max_latency_s", lambda: Policy(name="own", max_latency_s=0)),
        ("fallbacks", lambda: Policy(name="own", fallbacks=-1)),
    ],
)
def test_a_number_without_meaning_is_refused(field: str, make: object) -> None:
    """The error names the setting as the user wrote it."""
    assert callable(make)
    with pytest.raises(ConfigurationError) as caught:
        make()
    error: InterlockError = caught.value
    assert error.field == f"policies.own.{field}"
    assert error.remedy
