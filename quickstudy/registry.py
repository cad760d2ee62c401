"""Registries of learners, nets, sources and inputs by name, from this package and from other packages."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quickstudy.errors import SettingError, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Mapping from names to classes. Each class is imported when it is first used, so that names need no torch.

    Another package adds an entry by ``register``, or without an import by an entry point in its ``pyproject.toml``::

        [project.entry-points."quickstudy.learners"]
        mine = "my_package:Mine"

    Args:
        noun: Word for an entry in messages.
        own: "module:Name" of each entry of this package.
        base: "module:Name" of the class that every entry must extend.
        group: Name of the group of entry points.

    Attributes:
        builtin: Names of the entries of this package.

    >>> shapes = Registry("shape", {"dict": "builtins:dict"}, base="builtins:object", group="no.such.group")
    >>> shapes["dict"], list(shapes)
    (<class 'dict'>, ['dict'])
    >>> shapes["dikt"]
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: unknown shape 'dikt': did you mean 'dict'? (known: dict)
    """

    def __init__(self, noun: str, own: Mapping[str, str], *, base: str, group: str) -> None:
        self.noun, self.base, self.group = noun, base, group
        self._own: dict[str, str | T] = dict(own)
        self.builtin = frozenset(own)

    def register(self, name: str, entry: T) -> T:
        """Add an entry under a new name. A class that was defined again, as in a notebook, replaces its old version.

        Raises:
            SettingError: Another entry has the name, the name is not one word, or the entry does not extend the base.

        >>> shapes = Registry("shape", {"dict": "builtins:dict"}, base="builtins:dict", group="no.such.group")
        >>> shapes.register("list", list)
        Traceback (most recent call last):
            ...
        quickstudy.errors.SettingError: shape 'list': <class 'list'> does not extend dict
        """
        if not isinstance(name, str) or not name or name != "".join(name.split()):
            raise SettingError(f"{name!r} is not a name for a {self.noun}; give one word")
        if name in self and _place(self[name]) != _place(entry):
            raise SettingError(f"there is a {self.noun} {name!r} already; choose another name")
        self._own[name] = self._checked(name, entry)
        return entry

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise SettingError(unknown(self.noun, str(name)[:80], self))
        entry = self._own.get(name)
        if entry is None:
            entry = self._checked(name, self._loaded(self._theirs[name]))
        elif isinstance(entry, str):
            entry = _imported(entry)
        self._own[name] = entry
        return entry

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._theirs

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in self._theirs if name not in self._own)

    def __len__(self) -> int:
        return len(self._own.keys() | self._theirs.keys())

    def name_of(self, entry: T) -> str | None:
        """Return the name of an entry; None if it is not registered.

        >>> Registry("shape", {"dict": "builtins:dict"}, base="builtins:object", group="no.such.group").name_of(dict)
        'dict'
        """
        return next((name for name in self if self[name] is entry), None)

    @cached_property
    def _theirs(self) -> dict[str, EntryPoint]:
        """Entry points of other packages, without those that have a name of this package."""
        points: dict[str, EntryPoint] = {}
        for point in _announced(self.group):
            if point.name in self._own or point.name in points:
                warnings.warn(f"{point.value} is left out: there is a {self.noun} {point.name!r} already", stacklevel=2)
            else:
                points[point.name] = point
        return points

    def _loaded(self, point: EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:  # importing another package may raise any error
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            package = point.dist.name if point.dist else point.value
            raise SettingError(
                f"{self.noun} {point.name!r} of the package {package!r} cannot be imported ({reason}); "
                f"repair or remove that package"
            ) from error

    def _checked(self, name: str, entry: Any) -> T:
        base = _imported(self.base)
        if not (isinstance(entry, type) and issubclass(entry, base)):
            raise SettingError(f"{self.noun} {name!r}: {entry!r} does not extend {base.__name__}")
        checked: T = entry  # type: ignore[assignment]
        return checked


@cache
def _all_points() -> Any:
    """Return the entry points of all installed packages; one search serves all registries."""
    from importlib.metadata import entry_points

    return entry_points()


def _announced(group: str) -> list[EntryPoint]:
    return list(_all_points().select(group=group)) if _any_announced(tuple(sys.path)) else []


@cache
def _any_announced(places: tuple[str, ...]) -> bool:
    """Return whether any package in some folders may add entries.

    If False, importlib.metadata need not be imported. With 92 packages, this search takes 3 ms of processor time. The
    import and its search take 43 ms.
    """
    for place in places:
        try:
            infos = [each.path for each in os.scandir(place or ".") if each.name.endswith((".dist-info", ".egg-info"))]
        except NotADirectoryError:  # an archive
            return True
        except OSError:
            continue
        for info in infos:
            try:
                if b"[quickstudy." in Path(info, "entry_points.txt").read_bytes():
                    return True
            except OSError:
                continue
    return False


def _place(entry: Any) -> tuple[Any, ...]:
    """Return the place of definition of a class, which does not change if the class is defined again."""
    return (entry.__module__, entry.__qualname__) if isinstance(entry, type) else (id(entry),)


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
