"""Frozen dataclasses that cost little to define and to make.

The standard decorator compiles each method of each class anew, which for a hundred classes is half of the time a server
takes to start, and a frozen class of it sets each field by a search for its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """``@dataclass(frozen=True, slots=True)``, without ``InitVar``, ``kw_only`` and ``__post_init__``. A class
    may have its own ``__repr__``, or ``__eq__`` with ``__hash__``; a subclass is a record, too. ``fields``,
    ``replace``, ``asdict``, ``copy``, ``pickle`` and patterns take its instances as those of any dataclass."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    rows = fields(made)
    own = vars(cls)
    made.__new__ = _new(made, rows)
    if "__repr__" not in own:
        made.__repr__ = _repr([row.name for row in rows if row.repr])
    if "__eq__" not in own:
        made.__eq__, made.__hash__ = _comparison(made, [row.name for row in rows if row.compare])
    made.__setattr__, made.__delattr__, made.__reduce__ = _set, _delete, _reduce
    return made  # type: ignore[no-any-return]


def _new(cls: type, rows: tuple[Field[Any], ...]) -> Callable[..., Any]:
    """Makes an instance: as one of a class of the same slots that is not frozen, so that assignments do it, which then
    becomes what it is to be. That takes a third of the time of calling what sets a slot of a frozen class."""
    body = {
        "__slots__": vars(cls).get("__slots__", ()),
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,  # one slot with the other: only both together are as fast as in any class
    }
    known: dict[str, Any] = {
        "_missing": MISSING,
        "_new": object.__new__,
        "_open": type(cls)("_Open", cls.__bases__, body),
    }
    parameters, lines = ["cls"], ["self = _new(_open)"]
    for row in rows:
        name = row.name
        if row.default_factory is not MISSING:
            known[f"_make_{name}"] = row.default_factory
            parameters.append(f"{name}=_missing")
            lines.append(f"self.{name} = _make_{name}() if {name} is _missing else {name}")
            continue
        if row.default is not MISSING:
            known[f"_default_{name}"] = row.default
        parameters.append(name if row.default is MISSING else f"{name}=_default_{name}")
        lines.append(f"self.{name} = {name}")
    made: dict[str, Any] = {}
    body_lines = "\n ".join([*lines, "self.__class__ = cls", "return self"])
    exec(f"def __new__({', '.join(parameters)}):\n {body_lines}", known, made)
    new: Callable[..., Any] = made["__new__"]
    new.__qualname__ = f"{cls.__qualname__}.__init__"  # what a call with wrong arguments is told
    new.__annotations__ = {row.name: row.type for row in rows}
    return new


def _repr(names: list[str]) -> Callable[[object], str]:
    def __repr__(self: object) -> str:  # noqa: N807
        return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in names])})"

    return __repr__


def _comparison(cls: type, names: list[str]) -> tuple[Callable[[Any, object], bool], Callable[[Any], int]]:
    if not names:
        return lambda self, other: type(other) is type(self) or NotImplemented, lambda self: hash(())
    # Of one name it gives the value, of several a tuple of them.
    values = attrgetter(*names)

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __eq__, __hash__


def _set(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), tuple([getattr(self, row.name) for row in fields(self)])
