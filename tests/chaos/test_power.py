"""Power cuts under the audit log. FULL=1 makes a hundred of them."""

import os

import pytest

from .power import cut

CUTS = 100 if os.environ.get("FULL") == "1" else 6


@pytest.mark.promise("A3")
async def test_no_acknowledged_record_is_lost_when_the_power_goes() -> None:
    """Un-synced writes dropped or torn at random; every log is whole and goes on."""
    acknowledged, lost, broken = await cut(CUTS)
    assert (lost, broken) == (0, 0)
    assert acknowledged > CUTS * 10


async def test_a_disk_that_does_not_sync_loses_records_here() -> None:
    """Else the cuts above would prove nothing."""
    _, lost, _ = await cut(2, syncs=False)
    assert lost > 0
