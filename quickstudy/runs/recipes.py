"""Recipes of learners: default settings, published protocols and their figures, read from TOML files."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from quickstudy.errors import SettingError, unknown
from quickstudy.learners.registry import LEARNERS
from quickstudy.runs.schema import FIELDS, HYPERPARAMETERS

PLACE = Path(__file__).parents[1] / "recipes"
"""Folder with one file per learner of this package."""

_STRICT = {"extra": "forbid"}


class Cell(NamedTuple):
    """A published figure.

    Attributes:
        n_way: Classes of a test task.
        n_shot: Support examples per class.
        mean: Accuracy in percent.
        ci95: Half of its 95% interval; None where the paper gives none.
        train_query: Queries per class in training; the protocol's or the preset's if None.
    """

    n_way: int
    n_shot: int
    mean: float
    ci95: float | None = None
    train_query: int | None = None


@dataclass(frozen=True)
class Protocol:
    """A method on a data set, as published.

    Attributes:
        title: Name of the method.
        source: Paper with the figures.
        transductive: Whether the figures are transductive.
        settings: Settings of the training that differ from the preset.
        cells: Published figures.
        by_way: Settings that differ with the number of classes of a cell.
        shots_match: Whether training uses the shots of the test, so that other shots need another training.
        rotated: Whether test classes are also turned at random. Snell et al. 2017, section 3.1, test on "the remaining
            classes, including rotations". Each class gets one turn per task, so a task never contains a character
            and its rotation.
        first: Settings of an earlier training, from whose net this training starts; None for random weights.
    """

    __pydantic_config__ = _STRICT

    title: str
    source: str
    transductive: bool
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    by_way: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    shots_match: bool = True
    rotated: bool = False
    first: Mapping[str, Any] | None = None

    def training(self, cell: Cell) -> dict[str, Any]:
        """Return the settings of the training for a cell."""
        queries = {} if cell.train_query is None else {"train_query": cell.train_query}
        sizes = {"n_way": cell.n_way, "n_shot": cell.n_shot, **queries}
        return {**sizes, **self.settings, **self.by_way.get(cell.n_way, {})}


@dataclass(frozen=True)
class Recipe:
    """Contents of a recipe file.

    Attributes:
        preset: Default settings of training.
        regression: Additional default settings for regression; None for a learner that only classifies.
        protocols: Published protocols by name.
    """

    preset: Mapping[str, Any]
    regression: Mapping[str, Any] | None = None
    protocols: Mapping[str, Protocol] = field(default_factory=dict)


_ADAM = {"optimizer": "adam", "outer_lr": 1e-3}
EPISODIC = Recipe({"train_query": 5, "tasks_per_step": 4, "pool": True, **_ADAM})
"""Default recipe of a learner that trains on tasks."""
PLAIN = Recipe({"batch_size": 128, "tasks_per_step": 1, "pool": True, **_ADAM})
"""Default recipe of a learner that trains on plain batches."""


def recipe_of(algorithm: str) -> Recipe:
    """Return the recipe of a learner: its own, that of the learner of this package that it extends, or a default.

    >>> recipe_of("maml").preset["tasks_per_step"]
    32
    """
    if algorithm in LEARNERS.builtin:
        return read(PLACE / f"{algorithm}.toml")
    cls = LEARNERS[algorithm]
    ours = {LEARNERS[name]: name for name in LEARNERS.builtin}
    extended = next((ours[base] for base in cls.__mro__ if base in ours), None)
    recipe = read(PLACE / f"{extended}.toml") if extended else EPISODIC if cls.episodic else PLAIN
    parameters = inspect.signature(cls.__init__).parameters
    regression = (recipe.regression or {}) if "loss" in parameters else None

    def applicable(settings: Mapping[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in settings.items() if name in parameters or name not in HYPERPARAMETERS}
        if arguments := rest.pop("arguments", None):
            rest["arguments"] = {name: value for name, value in arguments.items() if name in parameters}
        return rest

    return Recipe(applicable(recipe.preset), None if regression is None else applicable(regression))


def recipes() -> dict[str, Recipe]:
    """Return the recipes of all learners of this package, by name."""
    return {name: recipe_of(name) for name in LEARNERS if name in LEARNERS.builtin}


@cache
def read(file: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        SettingError: A key or value is wrong, in one line that names the file and the key.

    >>> read(PLACE / "anil.toml").regression["inner_lr"]
    0.01
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        recipe = TypeAdapter(Recipe).validate_python(_with_none(tomllib.loads(file.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{file} is not a recipe in TOML: {error}; correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingError(f"{file}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}; correct the recipe") from None
    for place, settings in _tables(recipe):
        for name in settings:
            if name not in FIELDS:
                raise SettingError(f"{file}: {place}.{name}: {unknown('setting', name, FIELDS)}")
    protocols = {
        name: replace(protocol, settings={"algorithm": file.stem, **protocol.settings})
        for name, protocol in recipe.protocols.items()
    }
    return replace(recipe, protocols=protocols)


def _with_none(value: Any) -> Any:
    """Set the settings that a table lists under ``unset`` to None, because TOML has no null."""
    if not isinstance(value, dict):
        return value
    unset = value.get("unset", [])
    if not isinstance(unset, list):
        return value  # the schema refuses it
    given = {name: _with_none(each) for name, each in value.items() if name != "unset"}
    return given | dict.fromkeys(unset)


def _tables(recipe: Recipe) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the place in the file and the content of every table of settings."""
    yield "preset", recipe.preset
    yield "regression", recipe.regression or {}
    for name, protocol in recipe.protocols.items():
        yield f"protocols.{name}.settings", protocol.settings
        yield f"protocols.{name}.first", protocol.first or {}
        for way, settings in protocol.by_way.items():
            yield f"protocols.{name}.by_way.{way}", settings
