import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace

import pytest

from mockmail.records import record


@record
class Point:
    """A place."""

    x: int
    y: int = 2
    secret: str = field(default="s", repr=False)
    notes: list[str] = field(default_factory=list, compare=False)


@record
class Solid(Point):
    """A place in space."""

    z: int = 3


@record
class Nothing:
    """No fields."""


@record
class Named:
    """Has methods of its own."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


@dataclass(frozen=True, slots=True)
class Standard:
    x: int
    y: int = 2
    secret: str = field(default="s", repr=False)
    notes: list[str] = field(default_factory=list, compare=False)


def test_it_is_made_like_a_dataclass():
    assert repr(Point(1)) == repr(Standard(1)).replace("Standard", "Point") == "Point(x=1, y=2, notes=[])"
    assert repr(Solid(1, z=5)) == "Solid(x=1, y=2, notes=[], z=5)"
    assert (repr(Nothing()), Nothing() == Nothing(), hash(Nothing())) == ("Nothing()", True, hash(Nothing()))
    assert Point(1).notes is not Point(1).notes
    assert is_dataclass(Point)
    assert [row.name for row in fields(Solid)] == ["x", "y", "secret", "notes", "z"]
    assert asdict(Point(1)) == asdict(Standard(1))
    assert list(inspect.signature(Point).parameters) == list(inspect.signature(Standard).parameters)
    assert not hasattr(Point(1), "__dict__")


@pytest.mark.parametrize("arguments", [(), (1, 2, "s", [], 4)])
def test_wrong_arguments_raise(arguments):
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        Point(*arguments)


def test_it_is_compared_by_type_and_fields():
    assert Point(1, notes=["a"]) == Point(1, notes=["b"])
    assert hash(Point(1, notes=["a"])) == hash(Point(1))
    assert Point(1) != Point(2)
    assert Point(1) != Solid(1)
    assert Point(1) != Standard(1)
    assert Nothing() != Point(1)


def test_methods_of_its_own_stay():
    assert (repr(Named("A")), Named("A"), hash(Named("A"))) == ("<A>", Named("a"), hash(Named("a")))


def test_it_is_frozen():
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        point.other = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    assert point.x == 1


def test_copies_are_equal():
    solid = Solid(1, 2, "t", ["n"], 4)
    for other in (copy.copy(solid), copy.deepcopy(solid), pickle.loads(pickle.dumps(solid))):
        assert (other, other.notes) == (solid, ["n"])
    assert replace(solid, x=7) == Solid(7, 2, "t", [], 4)


def test_patterns_take_it_apart():
    match Solid(1, 2):
        case Nothing():
            found = None
        case Solid(x, y, z=z):
            found = (x, y, z)
    assert found == (1, 2, 3)
