"""Arguments of learners: those that are settings, and those that are not."""

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

    Raises:
        SettingError: The algorithm does not have it.

    >>> check_applies("inner_lr", "maml")
    """
    if not takes(LEARNERS, algorithm, name):
        suitable = ", ".join(key for key in LEARNERS if takes(LEARNERS, key, name))
        raise SettingError(f"{name} does not apply to {algorithm}, only to {suitable}; leave it out")


def given_arguments(settings: Settings) -> dict[str, Any]:
    """Return the arguments of the learner that the setting ``arguments`` gives.

    Raises:
        SettingError: The learner does not take an argument, or the argument is a setting.
    """
    known = own_arguments(LEARNERS[settings.algorithm])
    for name in settings.arguments or {}:
        if name in HYPERPARAMETERS:
            raise SettingError(f"arguments: {name} is a setting; give it as a setting, not in arguments")
        if name not in known:
            taken = f"only {', '.join(known)}" if known else "nor any other argument"
            raise SettingError(f"arguments: {settings.algorithm} does not take {name!r}, {taken}; leave it out")
    return dict(settings.arguments or {})


def own_arguments(learner: type[Learner]) -> dict[str, Any]:
    """Return the arguments of a learner that neither settings nor data decide, with their defaults.

    >>> own_arguments(LEARNERS["maml"])
    {}
    """
    decided = {"self", "net", "n_way", "n_classes", "loss", "channels", "size", *HYPERPARAMETERS}
    parameters = inspect.signature(learner.__init__).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in decided}
