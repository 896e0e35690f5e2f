"""Attacks on the audit log, by class: how many were tried, how many were found.

By itself: `python tests/bench/audit_tamper.py`, with FULL=1 for 200 attacks of each class.
"""

import asyncio
import importlib.util
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from figure import ROOT, Figure

ATTACKS = ROOT / "packages" / "security" / "tests" / "audit" / "test_tamper.py"
CLASSES = {
    "edit": ("edit_a_byte", "edit_and_fix_the_leaf", "edit_a_column", "change_a_type", "move_a_line"),
    "delete": ("delete_a_record", "remove_a_payload"),
    "insert": ("insert_a_record", "append_a_record"),
    "reorder": ("swap_two_records",),
    "renumber": ("delete_and_renumber", "renumber"),
    "truncate": ("truncate", "truncate_and_forge_the_state"),
    "rewrite": ("rewrite_everything",),
    "rollback": ("roll_back",),
    "forged key": ("sign_with_another_key", "forge_the_signature"),
    "wiped table": ("wipe", "lose_the_state"),
    "swapped checkpoint": ("swap_the_checkpoint", "spoil_the_size"),
    "insider with the key": ("rewrite_with_the_key",),
}


class _Report(Protocol):
    ok: bool


class _Scene(Protocol):
    now: Path


class _Attacks(Protocol):
    """What is used of the tests of this."""

    Scene: Callable[[Path, Path], _Scene]
    play: Callable[[Path, Path], Awaitable[None]]
    verify: Callable[[Path], Awaitable[_Report]]


def _attacks() -> _Attacks:
    spec = importlib.util.spec_from_file_location("audit_attacks", ATTACKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return cast("_Attacks", module)


async def tried(each: int) -> dict[str, tuple[int, int]]:
    """For each class, how many attacks were tried, and how many of them were found."""
    attacks = _attacks()
    counts: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        now, earlier = Path(folder) / "now", Path(folder) / "earlier"
        now.mkdir(mode=0o700)
        await attacks.play(now, earlier)
        scene = attacks.Scene(now, earlier)
        for kind, names in CLASSES.items():
            found = 0
            for number in range(each):
                home = Path(folder) / "home"
                shutil.copytree(now, home)
                name = names[number % len(names)]
                attack = cast("Callable[[Path, _Scene, random.Random], None]", getattr(attacks, name))
                attack(home, scene, random.Random(f"{name}-{number}"))
                found += not (await attacks.verify(home)).ok
                shutil.rmtree(home)
            counts[kind] = (each, found)
    return counts


def figures(*, full: bool) -> Iterator[Figure]:
    """Attacks that were not found, of each class."""
    for kind, (made, found) in asyncio.run(tried(200 if full else 6)).items():
        yield Figure(f"audit, {kind}: tried {made}, found {found}, missed", made - found, "", 0)


if __name__ == "__main__":
    for figure in figures(full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
