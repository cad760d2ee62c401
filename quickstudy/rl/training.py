"""The outer loop over environments, with checkpoints from which a run continues exactly."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quickstudy.errors import Interrupted, SettingError
from quickstudy.rl.rollout import Draws
from quickstudy.rl.run import Run, recorded
from quickstudy.rl.settings import Settings, build_agent, build_environment, settings_of
from quickstudy.runs.outer_rate import FALLING, restored, schedule_of
from quickstudy.runs.signals import between_steps
from quickstudy.training import State
from quickstudy.training.bar import show_steps
from quickstudy.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class Progress:
    """Progress of the outer loop after a step.

    Attributes:
        step: Number of steps done, from 1.
        figures: Figures of the step: "return" before adapting, "adapted" after, "steps" of the environment, and more.
        seconds: Seconds since the loop began.
    """

    step: int
    figures: dict[str, float]
    seconds: float


def outer_loop(
    settings: Settings, folder: Path | str | None = None, *, resume: bool = False, stop: Callable[[], int] = lambda: 0
) -> Iterator[Progress]:
    """Train an agent, and yield after every step.

    All random numbers of step s are functions of (seed, s, task). So a run that was interrupted and continued ends with
    the same weights, bit by bit, on the same machine.

    Args:
        settings: Settings from ``settings_of``.
        folder: Folder of the run; nothing is saved if None.
        resume: Continue from the newest valid checkpoint in the folder.
        stop: Function that is called after every step; it returns the number of a signal that ends the run, or 0.

    Raises:
        SettingError: There is a run in the folder already, or it has other settings.
        Interrupted: ``stop`` returned a signal; the run was saved.

    >>> settings = settings_of({"steps": 2, "environment": "bandits", "agent_arguments": {"hidden": ()}})
    >>> [progress.step for progress in outer_loop(settings)]
    [1, 2]
    """
    environment = build_environment(settings)
    agent = build_agent(settings, environment)
    optimizer, state, begun = agent.optimizer(settings.outer_lr or 0.0), State(), 0  # a trust region reads no rate
    schedule = schedule_of(settings.schedule, optimizer, settings.steps)
    folder = None if folder is None else Path(folder)
    checkpoints: Checkpoints | None = None
    if folder is not None:
        _check(folder, resume, settings)
        checkpoints = Checkpoints(folder / "checkpoints", agent, optimizer, schedule, state)
        if resume and checkpoints.steps():
            begun = checkpoints.restore()["metrics_bytes"]
            schedule = checkpoints.schedule = restored(schedule, settings.schedule, settings.steps, state.step)

    def steps() -> Iterator[Progress]:
        start = time.perf_counter() - state.seconds
        for step in range(state.step + 1, settings.steps + 1):
            draws = Draws(settings.seed, "train", step, settings.tasks_per_step)
            figures = agent.improve(environment, draws, optimizer)
            if settings.schedule in FALLING:
                schedule.step()
            state.step, state.seconds = step, time.perf_counter() - start
            yield Progress(step, figures, state.seconds)

    if folder is None or checkpoints is None:
        yield from steps()
        return
    with recorded(folder, settings, agent, begun) as record:
        for p in steps():
            record.add({"step": p.step, "seconds": round(p.seconds, 3), **p.figures})
            yield p
            signal = stop()
            if signal or p.step == settings.steps or p.step % settings.save_every == 0:
                checkpoints.save(metrics_bytes=record.save())
            if signal:
                raise Interrupted(
                    f"stopped at step {p.step} and saved; continue with `quickstudy rl train --resume {folder}`",
                    128 + signal,
                )


def train(settings: Settings | dict[str, Any], folder: Path | str | None = None, *, resume: bool = False) -> Path:
    """Train an agent by its settings, with a progress bar on a terminal.

    SIGINT and SIGTERM end the run after the current step; the run is saved.

    Args:
        settings: Settings, or a dictionary of them.
        folder: Folder of the run; ``default_folder`` if None.
        resume: Continue the run in the folder from its newest checkpoint.

    Returns:
        Folder of the run.

    Raises:
        SettingError: The settings do not fit, or there is a run in the folder already.
        Interrupted: A signal ended the run, which was saved.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     folder = train({"environment": "bandits", "steps": 2, "agent_arguments": {"hidden": ()}}, place + "/run")
    ...     len(list(Run(folder).metrics()))
    2
    """
    if isinstance(settings, dict):
        settings = settings_of(settings)
    folder = Path(folder or default_folder(settings))
    with between_steps() as stop:
        progress = outer_loop(settings, folder, resume=resume, stop=stop)
        title = f"{settings.agent} on {settings.environment}"
        for _ in show_steps(progress, settings.steps, title, _state):
            pass
    return folder


def resumed(folder: Path | str, steps: int | None = None) -> Settings:
    """Return the settings with which a run continues, to more steps if they are given.

    Args:
        folder: Folder of the run.
        steps: New number of outer steps; that of the run if None.

    Raises:
        ModelError: The folder is not a run.
        SettingError: There are fewer steps than before.
    """
    settings = Run(folder).settings
    if steps is None:
        return settings
    if steps < settings.steps:
        raise SettingError(f"--steps {steps}: the run in {str(folder)!r} has {settings.steps} steps; give more")
    return settings_of(settings.model_dump() | {"steps": steps})


def default_folder(settings: Settings) -> Path:
    """Return the default folder of a run.

    >>> default_folder(settings_of({"seed": 7})).as_posix()
    'runs/maml-navigation-seed7'
    """
    return Path("runs") / f"{settings.agent}-{settings.environment.replace(':', '-')}-seed{settings.seed}"


def _check(folder: Path, resume: bool, settings: Settings) -> None:
    """Refuse a run that cannot be begun or continued, and warn where more steps change the training."""
    if resume:
        before = Run(folder).settings
        differing = [name for name, value in settings if name != "steps" and value != getattr(before, name)]
        if differing or settings.steps < before.steps:
            raise SettingError(
                f"the run in {str(folder)!r} has another {' and '.join(differing) or 'number of steps'}; continue it "
                f"with its own settings, to as many steps or more"
            )
        if settings.schedule in FALLING and settings.steps > before.steps:
            warnings.warn(
                f"the outer rate ({settings.schedule}) depends on the number of steps: the result differs from "
                f"{settings.steps} steps at once",
                stacklevel=3,
            )
    elif Run(folder).exists():
        raise SettingError(
            f"there is a run in {str(folder)!r} already; continue it by --resume, or choose another folder by --out"
        )


def _state(p: Progress) -> str:
    return f"return {p.figures['return']:.3g}, adapted {p.figures['adapted']:.3g}"
