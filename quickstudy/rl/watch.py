"""Pictures of paths before and after adapting, for environments in the plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.rl.run import Run

COLOURS = ("#9aa5b8", "#4c78d0", "#e0823d", "#2f9e62")
_TAKEN, _FRAMES = 3, 30


def watch(
    run: Run | Path | str, out: Path | str, *, n_tasks: int = 4, updates: int = 3, episodes: int = 20, seed: int = 0
) -> list[Path]:
    """Draw paths to new goals before and after each update, as a PNG and as a GIF.

    Args:
        run: Run on an environment in the plane, or its folder.
        out: Path of the PNG; the GIF lies beside it.
        n_tasks: Number of new goals.
        updates: Number of updates.
        episodes: Episodes per goal and update, from which the policy learns; three of them at most are drawn.
        seed: Seed of the goals and episodes.

    Returns:
        Paths of the files.

    Raises:
        SettingError: The run's environment has no paths in the plane, or matplotlib is not installed. Or the path does
            not end in .png, or a number is out of range.
    """
    out = Path(out)
    check_range(1, 10, n_tasks=n_tasks)
    check_range(0, 10, updates=updates)
    check_range(1, episodes=episodes)
    if out.suffix.lower() != ".png":
        raise SettingError(f"{str(out)!r} does not end in .png; choose such a name")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingError("matplotlib is not installed; pip install 'quickstudy[plot]'") from None
    run = run if isinstance(run, Run) else Run(run)
    if not isinstance(run.environment, Navigation):
        raise SettingError(f"{run.settings.environment!r} has no paths in the plane to draw; give a run on navigation")
    draws = Draws(seed, "watch", 0, n_tasks)
    goals: Tensor = draws.tasks(run.environment)
    played = list(run.agent.adaptation(run.environment, goals, draws, updates, episodes))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(2.6 * (updates + 1), 2.6 * n_tasks), dpi=80)
    _draw(figure, goals, played, None)
    figure.savefig(out)
    return [out, _animated(out.with_suffix(".gif"), goals[:2], [_first(each) for each in played])]


def _first(trajectories: Trajectories) -> Trajectories:
    return Trajectories(*(part[:2] for part in trajectories))


def _draw(figure: Any, goals: Tensor, played: list[Trajectories], last: int | None) -> None:
    """Draw one row per goal and one column per update, up to a step."""
    axes = figure.subplots(len(goals), len(played), sharex=True, sharey=True, squeeze=False)
    reach = 1.3 * max(float(goals.abs().max()), 0.5)
    for i, goal in enumerate(goals.tolist()):
        for t, trajectories in enumerate(played):
            axis = axes[i][t]
            for episode in range(min(_TAKEN, trajectories.alive.shape[1])):
                n = int(trajectories.alive[i, episode].sum())
                x, y = trajectories.observations[i, episode, : n if last is None else min(n, last + 1), :2].T.numpy()
                axis.plot(x, y, color=COLOURS[t % len(COLOURS)], linewidth=1, alpha=0.8)
                axis.plot(x[-1:], y[-1:], ".", color=COLOURS[t % len(COLOURS)], markersize=5)
            axis.plot(*goal, "*", color="#c22b3a", markersize=11)
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
            value = float(trajectories.returns[i].mean())
            words = "before" if t == 0 else f"{t} update{'s' * (t > 1)}"
            axis.set_title(f"{words}: {value:.1f}", fontsize=9)
    figure.tight_layout()


def _animated(path: Path, goals: Tensor, played: list[Trajectories]) -> Path:
    """Write a GIF of the same episodes, from their first to their last step."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    longest = max(int(each.alive.sum(-1).max()) for each in played)
    pages = []
    for step in np.linspace(0, longest - 1, min(_FRAMES, longest)).round().astype(int):
        figure = Figure(figsize=(2 * len(played), 2 * len(goals)), dpi=60)
        canvas: Any = FigureCanvasAgg(figure)
        _draw(figure, goals, played, int(step))
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        pages.append(image.quantize(32))
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=[120] * (len(pages) - 1) + [1500], loop=0)
    return path
