"""The audit log under kill -9, of its writers and of its database. FULL=1 makes the whole number of them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kills import Cluster, Count, kill_servers, kill_writers

FULL = os.environ.get("FULL") == "1"
KILLS = 300 if FULL else 2
SERVER_KILLS, ROUNDS = (10, 5) if FULL else (1, 1)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A database server of its own."""
    with tempfile.TemporaryDirectory(prefix="il-") as folder:
        made = Cluster(Path(folder) / "data")
        try:
            yield made
        finally:
            made.remove()


def nothing_is_lost(count: Count) -> None:
    """What was acknowledged is there, what was made was announced, and the log is whole."""
    assert (count.lost, count.unannounced, count.problems) == (0, 0, [])
    assert count.acknowledged > 10 * count.kills
    assert count.made > count.kills


@pytest.mark.promise("A2", "A3")
async def test_nothing_is_lost_when_one_of_four_writers_is_killed(tmp_path: Path) -> None:
    """At any moment, again and again, while the others write on."""
    nothing_is_lost(await kill_writers(f"sqlite:///{tmp_path / 'interlock.db'}", tmp_path, KILLS))


@pytest.mark.promise("A2", "A3")
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_nothing_is_lost_when_the_whole_database_server_is_killed(
    cluster: Cluster, tmp_path: Path, seed: int
) -> None:
    """Four writers are refused while it is away, and go on when it is back."""
    nothing_is_lost(await kill_servers(cluster, tmp_path, SERVER_KILLS, seed=seed))
