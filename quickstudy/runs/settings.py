"""Settings of a run, from a file, the environment and flags; a later one overrides an earlier one.

pydantic validates them. It is imported only for that, so that the command line can show its help without pydantic.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from quickstudy.errors import SettingError, unknown
from quickstudy.nets.registry import NETS
from quickstudy.runs.needs import kind_of
from quickstudy.runs.recipes import recipe_of, recipes
from quickstudy.runs.schema import (
    FIELDS,
    HYPERPARAMETERS,
    NOT_CHOSEN,
    Settings,
    choices,
    hints,
    kinds,
)

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = [
    "FIELDS",
    "HYPERPARAMETERS",
    "PREFIX",
    "Settings",
    "check_effects",
    "choices",
    "complete",
    "gather",
    "kinds",
    "load_settings",
    "read_settings",
]

PREFIX = "QUICKSTUDY_"
"""Prefix of variables: ``QUICKSTUDY_INNER_LR=0.1`` sets ``inner_lr``. ``QUICKSTUDY_CACHE`` is not a setting."""


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Load settings from a TOML file, ``QUICKSTUDY_*`` variables and flags, then complete and check them.

    A later source overrides an earlier one.

    Raises:
        SettingError: A name or value is wrong or has no effect; the message names the setting and its source.

    >>> load_settings(environment={"QUICKSTUDY_STEPS": "7"}, flags={"algorithm": "maml"}).steps
    7
    """
    return complete(*gather(file, environment, flags))


def gather(
    file: Path | None, environment: Mapping[str, str] | None, flags: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of ``load_settings`` before they are completed, and the source of each.

    Raises:
        SettingError: The file cannot be read.
    """
    variables = os.environ if environment is None else environment
    given: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in (
        (str(file), read_settings(file) if file else {}),
        ("the environment", _variables(variables)),
        ("the command line", flags or {}),
    ):
        given |= values
        origin |= dict.fromkeys(values, source)
    return given, origin


def complete(given: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Settings:
    """Check settings and fill in what is missing from the presets of the algorithm and the data.

    Args:
        given: Settings by name; for a stored run, all of them.
        origin: Source of each setting, by name, as text for messages. A setting with an origin is refused if it has no
            effect. Settings of a stored run have no origin, so they may have no effect.

    Raises:
        SettingError: A name or value is wrong, or a setting with an origin has no effect.
    """
    for name in given:
        if name not in FIELDS:
            raise SettingError(_from(name, origin) + unknown("setting", name, FIELDS))
    chosen = _validated(given, origin)
    recipe = recipe_of(chosen.algorithm)
    defaults = dict(recipe.preset)
    kind = kind_of(chosen.data, chosen.inputs)
    if kind is None:
        if recipe.regression is None:
            suitable = [name for name, each in recipes().items() if each.regression is not None]
            raise SettingError(
                f"{chosen.algorithm} is a classifier, but {chosen.data} is regression; choose one of "
                f"{', '.join(suitable)}"
            )
        defaults |= recipe.regression
    nets = ("mlp",) if kind is None else tuple(net for net in kind.nets if net not in NOT_CHOSEN)
    if chosen.net not in (None, *nets) and chosen.net in NETS.builtin:  # ``Experiment`` checks nets of other packages
        raise SettingError(
            f"net {chosen.net!r} does not take {chosen.data}, only {' or '.join(nets)} do; change net or data"
        )
    own_net = defaults.pop("net", None)
    settings = _validated({**defaults, **given}, origin)
    follow: dict[str, Any] = {
        "train_way": settings.n_way,
        "train_shot": settings.n_shot,
        "train_query": settings.n_query,
        "net": own_net if own_net in nets else nets[0],
    }
    unset = {name: value for name, value in follow.items() if getattr(settings, name) is None}
    settings = settings.model_copy(update=unset)
    check_effects(settings, origin or (), origin)
    return settings


def check_effects(settings: Settings, names: Iterable[str], origin: Mapping[str, str] | None = None) -> None:
    """Refuse settings that have no effect in combination with the others.

    Args:
        settings: Completed settings.
        names: Names of the settings that were given. A setting that is off, as by default, is never refused.
        origin: Source of each setting, by name.

    Raises:
        SettingError: A setting has no effect.

    >>> check_effects(complete({"schedule": "halving", "halve_every": 5}), ["halve_every"])
    """
    for name in names:
        value, default = getattr(settings, name), FIELDS[name].default
        if value is None or (value == default and value in (False, "none")):
            continue
        for need in FIELDS[name].metadata["needs"]:
            if not need.holds(settings):
                given = [other for other in need.by if getattr(settings, other) is not None]
                beside = " and ".join(f"{other} = {getattr(settings, other)}" for other in given)
                raise SettingError(
                    f"{_from(name, origin)}{name} = {value} has no effect with {beside}: it needs {need.words}; "
                    f"leave it out or change {' or '.join(need.by)}"
                )


@cache
def _schema() -> type[BaseModel]:
    """Return the settings as a pydantic model."""
    from pydantic import BeforeValidator, ConfigDict, Field, create_model

    types = hints() | {
        "channels": Annotated[Literal[1, 3], BeforeValidator(_number)],
        "arguments": Annotated[dict[str, Any] | None, BeforeValidator(_table)],
    }
    defaults = {name: Field(f.default, **f.metadata["bounds"]) for name, f in FIELDS.items()}
    entries: dict[str, Any] = {name: (types[name], default) for name, default in defaults.items()}
    return create_model("Settings", __config__=ConfigDict(allow_inf_nan=False, validate_default=True), **entries)


def _number(value: Any) -> Any:
    """Convert text to a number, because flags and variables are text and pydantic does not convert literals."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _table(value: Any) -> Any:
    """Convert JSON to a table, and refuse a table that JSON cannot represent."""
    try:
        table = json.loads(value) if isinstance(value, str) else value
        json.dumps(table, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        table = None if value is None else ()
    if not (table is None and value is None) and not isinstance(table, dict):
        raise ValueError('give a table, or an object in JSON such as {"temperature": 2}')
    return table


def _validated(given: Mapping[str, Any], origin: Mapping[str, str] | None) -> Settings:
    from pydantic import ValidationError

    try:
        settings = Settings(**_schema().model_validate(dict(given)).model_dump())
    except ValidationError as error:
        raise SettingError(_explain(error, origin)) from None
    for name in given:
        registry, value = FIELDS[name].metadata["names"], getattr(settings, name)
        if registry is not None and value is not None and (value not in registry or value in NOT_CHOSEN):
            words = unknown(name, str(value)[:80], choices(name))
            raise SettingError(f"{_from(name, origin)}{words}; a package that adds it may be missing here")
    return settings


def read_settings(file: Path) -> dict[str, Any]:
    """Return the settings in a TOML file, not yet checked.

    Raises:
        SettingError: There is no such file, or it is not TOML.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingError(f"no settings file {str(file)!r}; give the path of a TOML file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{file} is not a TOML file: {error}; correct it") from error


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and key != PREFIX + "CACHE"
    }


def _explain(error: ValidationError, origin: Mapping[str, str] | None) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "literal_error" and isinstance(first["input"], str) and choices(name):
        return _from(name, origin) + unknown(name, first["input"], choices(name))
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{_from(name, origin)}{name} = {first['input']!r}: {message}"


def _from(name: str, origin: Mapping[str, str] | None) -> str:
    return f"{origin[name]}: " if origin and name in origin else ""
