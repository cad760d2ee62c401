"""``quickstudy evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quickstudy.cli.options import DataRoot, Json, Out, RunFolder


def evaluate(
    run: RunFolder,
    n_tasks: Annotated[int, typer.Option(help="Number of tasks.")] = 600,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    data: Annotated[
        str | None, typer.Option(help="Another source than the run's, to test whether it generalises.")
    ] = None,
    data_root: DataRoot = None,
    n_way: Annotated[int | None, typer.Option(help="Classes of a task; the run's if not given.")] = None,
    n_shot: Annotated[int | None, typer.Option(help="Support examples per class.")] = None,
    n_query: Annotated[int | None, typer.Option(help="Query examples per class.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the tasks.")] = None,
    test_steps: Annotated[int | None, typer.Option(min=0, help="Inner steps.")] = None,
    transductive: Annotated[
        bool | None, typer.Option("--transductive/--inductive", help="Normalise queries by their own statistics.")
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Turn each class of each task at random.")] = False,
    views: Annotated[
        int | None,
        typer.Option(
            min=1, help="Average over this number of views of each image: warps of a drawing, crops of a photograph."
        ),
    ] = None,
    aligned: Annotated[
        bool,
        typer.Option("--aligned", help="In place of their average, keep the best pair of a query's and a support's."),
    ] = False,
    turned: Annotated[
        bool,
        typer.Option("--turned", help="Average over the four quarter turns of each image; for --rotations classes."),
    ] = False,
    challenge: Annotated[
        str | None,
        typer.Option(help="lake: report the error on the 20 one-shot trials of all_runs.zip in --data-root."),
    ] = None,
    one_to_one: Annotated[
        bool, typer.Option("--one-to-one", help="Use that each class occurs equally often among the queries.")
    ] = False,
    unbalanced: Annotated[
        bool, typer.Option("--unbalanced", help="Draw the classes' shares of each task's queries at random.")
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure the accuracy of a run on new tasks, with its 95% interval."""
    from quickstudy.cli.output import print_json, write_record
    from quickstudy.errors import SettingError
    from quickstudy.runs.evaluation import evaluate_challenge, evaluate_run

    how: dict[str, Any] = {
        "test_steps": test_steps,
        "transductive": transductive,
        "views": views,
        "aligned": aligned,
        "turned": turned,
        "one_to_one": one_to_one,
    }
    if challenge is not None:
        if unbalanced:
            raise SettingError("--unbalanced has no effect on a challenge, whose queries are published; leave it out")
        score = evaluate_challenge(run, challenge, data_root, **how)
    else:
        how |= {"data": data, "data_root": data_root, "n_way": n_way, "n_shot": n_shot, "n_query": n_query}
        score = evaluate_run(run, n_tasks, split, seed=seed, rotate=rotate, unbalanced=unbalanced, **how)
    write_record(score.record, out)
    print_json(score.record) if json else print(score)
