"""What the checkers are told not to see stays rare, coded and reasoned."""

from collections.abc import Callable
from pathlib import Path

import pytest

from house.debt import (
    ANY_PER_THOUSAND,
    IGNORES_PER_THOUSAND,
    allowed,
    anys,
    ignores,
    silencers,
    unreasoned,
)
from house.tree import Member, assert_none, members, python_files, relative

RATES = [(anys, ANY_PER_THOUSAND), (ignores, IGNORES_PER_THOUSAND)]


def sources(*folders: Path) -> list[str]:
    """The text of every Python file under the folders."""
    return [path.read_text(encoding="utf-8") for path in python_files(*folders)]


def line_count(texts: list[str]) -> int:
    """Lines of all the texts together."""
    return sum(len(text.splitlines()) for text in texts)


@pytest.mark.parametrize("member", members(), ids=lambda member: member.distribution)
@pytest.mark.parametrize(
    ("count", "rate"), RATES, ids=lambda value: getattr(value, "__name__", f"{value} in 1,000")
)
def test_a_member_keeps_its_debt_low(member: Member, count: Callable[[str], int], rate: int) -> None:
    """The member's sources, and its tests, each by themselves."""
    for folder in (member.source, member.tests):
        texts = sources(folder)
        assert sum(map(count, texts)) <= allowed(line_count(texts), rate)


@pytest.mark.parametrize(
    ("count", "rate"), RATES, ids=lambda value: getattr(value, "__name__", f"{value} in 1,000")
)
def test_the_repository_keeps_each_rate_without_rounding(count: Callable[[str], int], rate: int) -> None:
    """The rounding that helps a small member helps nobody here."""
    texts = sources()
    assert sum(map(count, texts)) * 1000 <= line_count(texts) * rate


def test_every_silencing_comment_has_its_code_and_reason() -> None:
    """Nobody has to guess why a checker may not look."""
    assert_none(
        finding
        for path in python_files()
        for finding in unreasoned(relative(path), path.read_text(encoding="utf-8"))
    )


def test_uses_of_any_are_counted_and_its_import_is_not() -> None:
    """Names and attributes count, wherever they stand."""
    assert anys("from typing import Any\nimport typing\nx: Any = 1\ny: dict[str, typing.Any] = {}\n") == 2


@pytest.mark.parametrize(
    "comment",
    [
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# noqa",
        "# noqa: S608",
        "# pyright: ignore[reportPrivateUsage]",
        "# pragma: no cover",
    ],
)
def test_a_comment_without_code_or_reason_is_caught(comment: str) -> None:
    """A bare ignore, and one with a code alone."""
    assert list(unreasoned("bad.py", f"x = 1  {comment}\n"))


@pytest.mark.parametrize(
    "comment",
    [
        "# type: ignore[arg-type]  # the stub of the library is wrong",
        "# noqa: S608 - the names are constants of this module",
        "# pyright: ignore[reportPrivateUsage] - the library has no public name",
    ],
)
def test_a_comment_with_code_and_reason_passes_and_counts(comment: str) -> None:
    """Allowed, and still one of the few."""
    assert not list(unreasoned("good.py", f"x = 1  {comment}\n"))
    assert len(list(silencers(f"x = 1  {comment}\n"))) == 1


def test_the_words_of_an_ignore_inside_a_string_are_no_ignore() -> None:
    """Only comments silence anything."""
    assert not list(silencers('x = "# type: ignore"\n'))
