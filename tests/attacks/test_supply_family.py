"""Supply chain: what is installed is what was locked, and nothing runs because Python starts or imports.

The wheels are built here, twice, by the back end that builds them for a release, with every address of the
network leading to a port that counts.
"""

import zipfile
from pathlib import Path

import pytest

from interlock_core.jsontypes import as_array

from .harness.cases import family
from .harness.seen import problems
from .harness.supply_chain import FOUND, Delivered, backend_of, delivered, looked, members, written_twice

FAMILIES = (15,)
TWICE = {"jsonpath/__init__.py": ["jsonpath-python", "python-jsonpath"]}
"""Files that two distributions bring. Mistral's package, which tests alone use, brings the first; what the
product uses of the second does not stand in that file."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """What this tree delivers."""
    return delivered(tmp_path_factory.mktemp("delivered"))


async def test_nothing_of_the_supply_chain_is_loose(place: Delivered) -> None:
    """Every case; the wheels are those of every member, and every module of them is imported."""
    assert len(place.wheels) == len(members())
    assert isinstance(place.imported["modules"], int)
    assert place.imported["modules"] > 500
    assert as_array(place.imported["missing"]) == []
    wrong: list[object] = []
    for case in family(15).cases:
        seen = await looked(case, place)
        if missed := problems(case, seen):
            wrong.append((case.id, case.given, missed, seen.figures, seen.texts))
    assert wrong == []


def test_each_build_is_by_one_back_end_without_a_script() -> None:
    """A script of a member's own could do anything while its wheel is built."""
    assert {backend_of(member) for member in members()} == {("uv_build", ("uv_build>=0.13,<0.14",), False)}


def test_no_distribution_overwrites_another() -> None:
    """Hashes say what is downloaded; of a file that two bring, the one that came last counts."""
    assert {name: owners for name, owners in written_twice().items() if name not in TWICE} == {}


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("F15-01", "x/hidden.pth"),
        ("F15-03", "sitecustomize.py"),
        ("F15-15", "../out.py"),
        ("F15-15", "x/tests/a.py"),
    ],
)
def test_what_must_not_be_in_a_wheel_is_found_there(case: str, name: str, tmp_path: Path) -> None:
    """Else finding nothing would prove nothing."""
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(name, "")
    spoilt = Delivered(tmp_path, [wheel], [], 0)
    assert FOUND[case](spoilt) != []
    assert FOUND["F15-14"](spoilt) != []
