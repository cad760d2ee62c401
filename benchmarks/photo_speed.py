"""Time and memory of learning 25 photographs and answering others, beside adaptshot, on one core.

Both programs run in turn on the same tasks of five categories with five photographs each: whole processes that answer
one photograph, then processes that answer 30. Compare the two, and not with other machines or other hours.

python benchmarks/photo_speed.py --data-root DIR --other PYTHON [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WAY, SHOT = 5, 5
CHILD = "--child"  # how this file is called in a process of its own


def clock() -> tuple[float, float]:
    """Return seconds of wall clock and of this process's work."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> dict[str, float]:
    return {name: b - a for name, a, b in zip(("wall_s", "cpu_s"), start, clock(), strict=True)}


def child(program: str, folder: Path, queries: list[str]) -> None:
    """Learn the photographs of a folder and answer others, and print what it takes."""
    start = clock()
    predict: Any
    if program == "quickstudy":
        import quickstudy as qs

        few: Any = None
        imported = since(start)
        start = clock()
        few = qs.adapt(folder)
        predict = lambda path: few.predict([path])[0]  # noqa: E731
    else:
        from adaptshot import FewShotLearner  # type: ignore[import-not-found]

        learner = FewShotLearner()
        imported = since(start)
        start = clock()
        paths = sorted(folder.glob("*/*"))
        learner.load_support_images([str(path) for path in paths], [path.parent.name for path in paths])
        predict = lambda path: learner.predict(path).prediction  # noqa: E731
    adapted, answers, right = since(start), [], 0
    for path in queries:
        start = clock()
        right += predict(path) == Path(path).parent.name
        answers.append(since(start))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"imported": imported, "adapted": adapted, "answers": answers, "right": right, "memory_mib": memory})
    )


def run(python: str, program: str, folder: Path, queries: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Run one process on one core; return what it takes as a whole, and what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start, before = time.perf_counter(), os.times()
    done = subprocess.run(
        ["taskset", "-c", "0", python, __file__, CHILD, program, str(folder), *queries],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    work = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": time.perf_counter() - start, "cpu_s": work}, json.loads(done.stdout.splitlines()[-1])


def spread(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the median and the 95th percentile of wall clock and work."""
    import numpy as np

    return {
        name: {f"p{q}": float(np.percentile([row[name] for row in rows], q)) for q in (50, 95)}
        for name in ("wall_s", "cpu_s")
    }


def tasks(root: Path, n: int, n_queries: int, place: Path) -> list[tuple[Path, list[str]]]:
    """Return a folder of examples and the queries of each task; task i depends on i alone.

    Grey photographs are left out, which adaptshot does not read.
    """
    import numpy as np
    from PIL import Image

    result, categories = [], sorted(path for path in root.iterdir() if path.is_dir())
    for i in range(n):
        rng, queries = np.random.default_rng([25, i]), []
        for k in rng.choice(len(categories), WAY, replace=False):
            coloured = [str(path) for path in categories[k].iterdir() if Image.open(path).mode == "RGB"]
            paths = [Path(path) for path in rng.permutation(sorted(coloured))]
            (place / str(i) / categories[k].name).mkdir(parents=True)
            for path in paths[:SHOT]:
                (place / str(i) / categories[k].name / path.name).symlink_to(path.resolve())
            queries += [str(path) for path in paths[SHOT : SHOT + n_queries // WAY]]
        result.append((place / str(i), queries))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of photographs, one folder per category")
    parser.add_argument("--other", required=True, help="Python of an environment with adaptshot and without torch")
    parser.add_argument("--n-tasks", type=int, default=5)
    parser.add_argument("--n-queries", type=int, default=30)
    parser.add_argument("--json", type=Path, default=Path("results/photos/speed.json"))
    given = parser.parse_args()
    from quickstudy.io.files import replace
    from quickstudy.runs.provenance import provenance

    pythons = {"quickstudy": sys.executable, "adaptshot": given.other}
    whole: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as place:
        for i, (folder, queries) in enumerate(tasks(given.data_root, given.n_tasks, given.n_queries, Path(place))):
            for name in list(pythons)[:: 1 if i % 2 else -1]:  # who begins changes
                whole[name].append(run(pythons[name], name, folder, queries[:1])[0])
                parts[name].append(run(pythons[name], name, folder, queries)[1])
    programs = {
        name: {
            "whole_process_one_answer": spread(whole[name]),
            "start": spread([part["imported"] for part in parts[name]]),
            "adapt_25": spread([part["adapted"] for part in parts[name]]),
            "answer_one": spread([row for part in parts[name] for row in part["answers"]]),
            "peak_memory_mib": max(part["memory_mib"] for part in parts[name]),
            "accuracy": sum(part["right"] for part in parts[name]) / (given.n_tasks * given.n_queries),
        }
        for name in pythons
    }
    package = subprocess.run(
        [given.other, "-c", "import importlib.metadata as m; print(m.version('adaptshot'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    record = {
        "n_way": WAY,
        "n_shot": SHOT,
        "n_tasks": given.n_tasks,
        "n_query": given.n_queries,
        "programs": programs,
        "adaptshot": package.stdout.strip(),
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(programs, indent=1))


if __name__ == "__main__":
    if CHILD in sys.argv:
        at = sys.argv.index(CHILD)
        child(sys.argv[at + 1], Path(sys.argv[at + 2]), sys.argv[at + 3 :])
    else:
        main()
