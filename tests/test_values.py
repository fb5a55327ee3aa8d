"""Values and records behave as the dataclasses that they say they are."""

import copy
import dataclasses
import pickle
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.values import field, record, replace, value


@value
class Point:
    x: int
    y: int = 2
    tags: tuple[str, ...] = field(default=(), compare=False)
    more: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    kinds: ClassVar[int] = 3


@value(kw_only=False, order=True)
class Pair:
    left: int
    right: int = 0


@value
class Point3(Point):
    z: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.x + self.y + self.z)


@value
class Empty:
    pass


@value(eq=False)
class Same:
    x: int


@record
class Counter:
    name: str
    count: int = 0
    seen: list[int] = field(default_factory=list)
    late: int | None = field(default=None, init=False)


def test_construction_and_its_mistakes():
    point = Point(x=1)
    assert (point.x, point.y, point.tags, point.more, Point.kinds) == (1, 2, (), {}, 3)
    assert point.more is not Point(x=1).more
    for mistake in (
        lambda: Point(),
        lambda: Point(1),
        lambda: Point(x=1, w=2),
        lambda: Pair(1, 2, 3),
        lambda: Pair(1, left=1),
        lambda: Counter("a", late=1),
    ):
        with pytest.raises(TypeError):
            mistake()
    assert Pair(1) == Pair(left=1, right=0)
    assert Point3(x=1, z=4).total == 7


def test_values_refuse_change_and_records_allow_it():
    point = Point(x=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    counter = Counter("a")
    counter.count += 1
    counter.seen.append(1)
    assert counter == Counter("a", 1, [1]) and counter.late is None
    with pytest.raises(TypeError):
        hash(counter)
    for item in (point, counter):
        assert not hasattr(item, "__dict__")
        with pytest.raises(AttributeError):
            item.nothing_like_it = 1


@given(st.integers(), st.integers(), st.integers(), st.integers())
def test_equality_order_and_hash(a, b, c, d):
    assert (Pair(a, b) == Pair(c, d)) == ((a, b) == (c, d))
    assert (Pair(a, b) < Pair(c, d)) == ((a, b) < (c, d))
    assert (Pair(a, b) >= Pair(c, d)) == ((a, b) >= (c, d))
    assert hash(Pair(a, b)) == hash(Pair(a, b))
    assert Point(x=a, tags=("t",)) == Point(x=a)
    assert Point(x=a) != Pair(a, 2)


def test_identity_and_nothing_to_compare():
    assert Same(x=1) != Same(x=1)
    assert Empty() == Empty() and hash(Empty()) == hash(Empty())


def test_replace():
    assert replace(Point(x=1, tags=("a",)), y=5).tags == ("a",)
    assert replace(Point3(x=1), z=2).total == 5
    assert dataclasses.replace(Point(x=1), y=5) == replace(Point(x=1), y=5)
    with pytest.raises(ValueError, match="total"):
        replace(Point3(x=1), total=1)
    with pytest.raises(TypeError):
        replace(Point(x=1), w=1)
    ordinary = dataclasses.make_dataclass("Ordinary", ["a"])
    assert replace(ordinary(1), a=2) == ordinary(2)


@pytest.mark.parametrize("item", [Point(x=1), Point3(x=1), Pair(1), Counter("a", 2, [3])])
def test_dataclasses_know_them(item):
    assert dataclasses.is_dataclass(item)
    assert [f.name for f in dataclasses.fields(item)] == list(dataclasses.asdict(item))
    assert pickle.loads(pickle.dumps(item)) == item
    assert copy.copy(item) == item and copy.deepcopy(item) == item
    assert repr(item).startswith(type(item).__name__ + "(")


def test_fields_say_what_dataclasses_fields_would():
    found = {f.name: f for f in dataclasses.fields(Point)}
    assert list(found) == ["x", "y", "tags", "more"]
    assert found["y"].default == 2 and found["x"].default is dataclasses.MISSING
    assert found["more"].default_factory is dict and not found["more"].repr
    assert not found["tags"].compare and found["x"].kw_only
    assert not {f.name: f for f in dataclasses.fields(Point3)}["total"].init
    assert Point.__dataclass_params__.frozen and not Counter.__dataclass_params__.frozen
    assert "more" not in repr(Point(x=1))


def test_matching_by_place():
    match Pair(1, 2):
        case Pair(left, right):
            assert (left, right) == (1, 2)
    assert Point.__match_args__ == ()


@pytest.mark.parametrize("kind", [Point, Pair, Point3, Counter])
def test_a_class_with_many_instances_keeps_its_manners(kind):
    made = value if kind is not Counter else record
    fresh = made(type(kind.__name__, (kind,), {"__annotations__": {}, "__module__": __name__}))
    first = {"name": "a"} if kind is Counter else {"left": 1} if kind is Pair else {"x": 1}
    early = fresh(**first)
    for _ in range(400):
        fresh(**first)
    assert "__init__" in vars(fresh) and vars(fresh)["__init__"] is not vars(kind).get("__init__")
    assert fresh(**first) == early and repr(fresh(**first)) == repr(early)
    assert [getattr(early, f.name) for f in dataclasses.fields(fresh)] == [
        getattr(fresh(**first), f.name) for f in dataclasses.fields(fresh)
    ]
    with pytest.raises(TypeError):
        fresh()
    with pytest.raises(TypeError):
        fresh(**first, nonsense=1)
    if kind is Counter:
        assert fresh("a").seen is not fresh("a").seen
        assert fresh("b", 3).count == 3
    if kind is Point3:
        assert fresh(x=1, y=2, z=3).total == 6
