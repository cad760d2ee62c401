"""Arguments of learners: which settings and which others a learner takes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from quickstudy.errors import SettingError
from quickstudy.learners.registry import LEARNERS
from quickstudy.runs.needs import takes
from quickstudy.runs.schema import HYPERPARAMETERS, Settings

if TYPE_CHECKING:
    from quickstudy.learners.base import Learner


def check_applies(name: str, algorithm: str) -> None:
    """Refuse a hyperparameter that an algorithm does not have.

    >>> check_applies("inner_lr", "maml")
    """
    if not takes(LEARNERS, algorithm, name):
        apt = ", ".join(key for key in LEARNERS if takes(LEARNERS, key, name))
        raise SettingError(f"{name} does not apply to {algorithm}, only to {apt}; leave it out")


def given_arguments(settings: Settings) -> dict[str, Any]:
    """Return the learner's arguments that a run gives beside the settings.

    Raises:
        SettingError: The learner does not take one, or it is a setting of its own.
    """
    known = own_arguments(LEARNERS[settings.algorithm])
    for name in settings.arguments or {}:
        if name in HYPERPARAMETERS:
            raise SettingError(f"arguments: {name} is a setting of its own; give it beside arguments, not in it")
        if name not in known:
            taken = f"only {', '.join(known)}" if known else "none"
            raise SettingError(f"arguments: {settings.algorithm} does not take {name!r}, {taken}; leave it out")
    return dict(settings.arguments or {})


def own_arguments(learner: type[Learner]) -> dict[str, Any]:
    """Return the arguments of a learner that no setting and no data decide, with their defaults.

    >>> own_arguments(LEARNERS["maml"])
    {}
    """
    decided = {"self", "net", "n_way", "n_classes", "loss", "channels", "size", *HYPERPARAMETERS}
    parameters = inspect.signature(learner.__init__).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in decided}
