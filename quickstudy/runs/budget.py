"""Budget of minutes: the number of steps that fits it, by steps that are timed on this machine."""

from __future__ import annotations

import math
from itertools import islice

from quickstudy.errors import SettingError
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.settings import Settings
from quickstudy.training.workers import ALONE, Workers

_TRAINING = 0.85
"""Share of a budget that is used for steps; the rest is for validation."""
_MEASURED = 6.0
"""Seconds for which steps are timed."""
_TRIAL = 0.1
"""Largest share of a budget for which steps are timed."""
_VALIDATIONS = 10
"""Largest number of validations in a shortened training."""


def shorten(settings: Settings, minutes: float, workers: Workers = ALONE) -> Settings:
    """Return settings with as many steps as a budget allows, at most those that they have.

    A shortened training has at most ten validations, and fewer where they would take more than their share.

    Args:
        settings: Settings of the whole training.
        minutes: Budget.
        workers: Processes that share the training; all get the same settings.

    Raises:
        SettingError: The budget is too small for one step.

    >>> from quickstudy.runs.settings import complete
    >>> shorten(complete({"algorithm": "maml", "data": "sinusoid", "steps": 3}), minutes=1).steps
    3
    """
    limit = min(_MEASURED, _TRIAL * 60 * minutes)
    step, validation = _seconds(settings, 6, limit, workers)
    if 6 * step < limit:
        step, validation = _seconds(settings, max(6, int(limit / step)), limit, workers)
    steps = int(_TRAINING * 60 * minutes / step)
    if steps < 1:
        raise SettingError(f"{minutes:g} minutes are too few for one step of {step:.0f} s; give more")
    if steps >= settings.steps:
        return settings
    affordable = int((1 - _TRAINING) * 60 * minutes / validation)
    every = math.ceil(steps / max(1, min(_VALIDATIONS, affordable)))
    return settings.model_copy(update={"steps": steps, "validate_every": every})


def _seconds(settings: Settings, steps: int, limit: float, workers: Workers) -> tuple[float, float]:
    """Return the seconds per step and of a validation in a short training, which ends early at a limit of seconds.

    The training has a last step, because learners may anneal. The first two steps are left out where there are others,
    as they allocate memory. The validation takes infinitely long if the training did not reach it.
    """
    short = {"steps": steps, "validate_every": 10**9, "patience": None, "minutes": None}
    trial = Experiment(settings.model_copy(update=short), workers).train()
    times = [0.0]
    for p in islice(trial, steps):
        times.append(p.seconds)
        if workers.agree(p.seconds > limit):
            break
    whole = len(times) > steps
    ends = times[:-1] if whole else times
    first = min(2, len(ends) - 2)
    step = (ends[-1] - ends[first]) / (len(ends) - 1 - first)
    validation = max(times[-1] - times[-2] - step, 1e-6) if whole else math.inf
    # One process may be slower than another: the slowest counts, in all of them.
    return workers.agree(round(1e6 * step)) / 1e6, workers.agree(round(1e6 * min(validation, 1e6))) / 1e6
