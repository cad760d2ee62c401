"""``quickstudy rl``: train, evaluate, adapt and watch agents on environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import Command, Commands, Json, manners

app = typer.Typer(cls=Commands, help="Learn to learn to act, on distributions of environments.", rich_markup_mode=None)

RunFolder = Annotated[Path, typer.Argument(help="Run folder that `quickstudy rl train` wrote.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the tasks and episodes.")]
Updates = Annotated[int, typer.Option(min=0, help="Number of updates per task.")]
Episodes = Annotated[int, typer.Option(min=1, help="Episodes per task and update.")]


def train(
    agent: Annotated[
        str | None,
        typer.Option(help="maml, reptile, rl2, finetuned, random, oracle, or your own.", show_default="maml"),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(help="Name of an environment, or module:function for your own.", show_default="navigation"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of outer steps.", show_default="100")] = None,
    tasks_per_step: Annotated[int | None, typer.Option(help="Tasks in one step.", show_default="20")] = None,
    outer_lr: Annotated[
        float | None,
        typer.Option(help="Outer rate of reptile and rl2; others have none.", show_default="0.1; rl2: 0.001"),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="How that rate falls: constant, cosine or linear.", show_default="constant"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything.", show_default="0")] = None,
    save_every: Annotated[int | None, typer.Option(help="Steps between checkpoints.", show_default="10")] = None,
    agent_arguments: Annotated[str, typer.Option(metavar="JSON", help="Arguments of the agent.")] = "{}",
    env_arguments: Annotated[str, typer.Option(metavar="JSON", help="Arguments of the environment.")] = "{}",
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/AGENT-ENV-... if not given.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue the run in this folder; with --steps, to more steps.")
    ] = None,
) -> None:
    """Meta-train an agent; save settings, metrics, checkpoints and weights in a run folder."""
    from quickstudy.errors import SettingError
    from quickstudy.rl.settings import arguments_of, settings_of
    from quickstudy.rl.training import resumed, train
    from quickstudy.training.process import keep_memory

    values: dict[str, Any] = {
        "agent": agent,
        "environment": env,
        "tasks_per_step": tasks_per_step,
        "outer_lr": outer_lr,
        "schedule": schedule,
        "seed": seed,
        "save_every": save_every,
        "agent_arguments": arguments_of("--agent-arguments", agent_arguments),
        "environment_arguments": arguments_of("--env-arguments", env_arguments),
    }
    given = {name: value for name, value in values.items() if value not in (None, {})}
    if resume is not None and (given or out):
        raise SettingError("--resume continues with the run's own settings; leave out all others except --steps")
    if resume is not None:
        settings = resumed(resume, steps)
    else:
        settings = settings_of(given | ({} if steps is None else {"steps": steps}))
    keep_memory()
    print(train(settings, resume or out, resume=resume is not None))


def evaluate(
    run: RunFolder,
    tasks: Annotated[int, typer.Option(min=2, help="Number of new tasks.")] = 100,
    updates: Updates = 3,
    episodes: Episodes = 20,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure the mean return on new tasks after 0, 1, 2, ... updates, with 95 % intervals."""
    from quickstudy.cli.output import print_json
    from quickstudy.rl.evaluation import evaluate
    from quickstudy.rl.run import Run

    folder = Run(run)
    returns = evaluate(folder.agent, folder.environment, n_tasks=tasks, updates=updates, n_episodes=episodes, seed=seed)
    result = {**returns.summary(), "seed": seed}
    folder.save_result(result)
    if json:
        print_json(result)
    else:
        print(returns)


def adapt(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the policy.", show_default=False)],
    env: Annotated[
        str | None, typer.Option(help="module:function for your own environment; the run's if not given.")
    ] = None,
    task_seed: Annotated[int, typer.Option(min=0, help="Seed of the task; your function receives it.")] = 0,
    episodes: Episodes = 20,
    updates: Updates = 1,
    onnx: Annotated[Path | None, typer.Option(help="Also write the policy as ONNX to this file.")] = None,
    json: Json = False,
) -> None:
    """Adapt a trained agent to one environment, and save the policy."""
    from quickstudy.cli.output import print_json
    from quickstudy.io.files import check_new
    from quickstudy.rl.adapt import adapt, export_policy, save_policy

    check_new(out)
    adapted = adapt(run, env, task_seed=task_seed, episodes=episodes, updates=updates)
    about = {"run": str(run), "env": env, "task_seed": task_seed, "returns": adapted.returns}
    if onnx is not None:  # first, since it may fail
        export_policy(adapted.policy, onnx)
    save_policy(adapted.policy, out, **about)
    if json:
        print_json({"policy": str(out), "returns": adapted.returns, "episodes": adapted.n_episodes})
    else:
        words = " / ".join(f"{value:.2f}" for value in adapted.returns)
        print(f"{out}: return after 0 to {updates} updates: {words}, learned from {adapted.n_episodes} episodes")


def watch(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG file; a GIF is written beside it.", show_default=False)],
    tasks: Annotated[int, typer.Option(min=1, max=10, help="Number of new goals.")] = 4,
    updates: Updates = 3,
    episodes: Episodes = 20,
    seed: Seed = 0,
) -> None:
    """Draw paths before and after each update, for environments in the plane."""
    from quickstudy.rl.watch import watch

    for path in watch(run, out, n_tasks=tasks, updates=updates, episodes=episodes, seed=seed):
        print(path)


@app.callback()
def rl() -> None:
    """Learn to learn to act, on distributions of environments."""


for each in (train, evaluate, adapt, watch):
    app.command(cls=Command)(manners(each))
