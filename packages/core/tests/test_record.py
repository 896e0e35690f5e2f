"""Records are dataclasses in every respect but the moment at which their methods are written."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field

import pytest

from interlock_core.record import record


@record(frozen=True, slots=True)
class Point:
    """Two numbers and a list."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list[str], compare=False)
    hidden: str = field(default="h", repr=False)

    @property
    def total(self) -> int:
        """Their sum."""
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class PlainPoint:
    """The same, by the standard library."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list[str], compare=False)
    hidden: str = field(default="h", repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Named:
    """Keywords only, and a name derived after the fields are set."""

    name: str
    seen: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.seen.append(self.name)


@record(frozen=True, slots=True, order=True)
class Amount:
    """Ordered, with words of its own."""

    value: int = 0

    def __repr__(self) -> str:
        return f"<{self.value}>"


def test_each_instance_has_its_own_defaults() -> None:
    """Default factories are called anew."""
    assert Point(1).tags is not Point(1).tags
    assert (Point(1, 2).x, Point(1, 2).y, Point(1, y=3).total) == (1, 2, 4)


def test_texts_signatures_and_fields_are_those_of_a_dataclass() -> None:
    """The first look at a method is as good as the second."""
    for _ in range(2):
        assert repr(Point(1, tags=["a"])) == "Point(x=1, y=0, tags=['a'])"
        assert str(inspect.signature(Point)) == str(inspect.signature(PlainPoint))
    names = [each.name for each in dataclasses.fields(Point)]
    assert names == [each.name for each in dataclasses.fields(PlainPoint)]
    assert dataclasses.is_dataclass(Point)
    assert Point.__init__.__qualname__ == "Point.__init__"


def test_records_are_equal_by_value_and_by_class() -> None:
    """Fields that do not compare do not count, and another class never equals."""
    assert Point(1, 2, ["a"]) == Point(1, 2, ["b"])
    assert Point(1) != Point(2)
    assert Point(1) != PlainPoint(1)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_records_cannot_be_changed() -> None:
    """Neither a field nor anything else can be set or deleted."""
    point = Point(1)
    for change in (
        lambda: setattr(point, "x", 2),
        lambda: setattr(point, "new", 2),
        lambda: delattr(point, "x"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert not hasattr(point, "__dict__")


def test_records_can_be_replaced_copied_and_pickled() -> None:
    """As values should."""
    point = Point(1, 2, ["a"], "x")
    assert dataclasses.replace(point, y=5) == Point(1, 5, ["a"], "x")
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": ["a"], "hidden": "x"}
    deep = copy.deepcopy(point)
    assert (copy.copy(point), deep, deep.tags, deep.hidden) == (point, point, ["a"], "x")
    assert deep.tags is not point.tags
    assert pickle.loads(pickle.dumps(point)) == point


def test_records_can_be_matched() -> None:
    """By position and by keyword."""
    match Point(1, 2):
        case Point(1, y=second):
            assert second == 2
        case _:
            raise AssertionError


def test_keyword_only_records_take_no_positions() -> None:
    """And `__post_init__` is called."""
    assert Named(name="a").seen == ["a"]
    with pytest.raises(TypeError):
        Named("a")  # pyright: ignore[reportCallIssue] - what is tested


def test_ordered_records_are_compared_by_their_fields() -> None:
    """And their own text is kept."""
    assert sorted([Amount(3), Amount(1), Amount(2)]) == [Amount(1), Amount(2), Amount(3)]
    assert (Amount(1) < Amount(2), Amount(1) >= Amount(2)) == (True, False)
    assert repr(Amount(1)) == "<1>"


def test_a_dataclass_can_build_on_a_record() -> None:
    """As a class of the standard library; its fields come after."""

    @dataclass(frozen=True, slots=True)
    class Point3(Point):
        z: int = 0

    assert repr(Point3(1, 2, z=3)).endswith("Point3(x=1, y=2, tags=[], z=3)")
    assert Point3(1) != Point(1)


def test_only_frozen_and_slotted_classes_are_records() -> None:
    """Others are the standard library's business."""
    with pytest.raises(TypeError, match="frozen and slotted"):
        record(frozen=True, slots=False)
