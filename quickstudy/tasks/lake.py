"""Lake's Omniglot challenge: 20 runs of 20-way one-shot classification within one alphabet."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from quickstudy.errors import DataError
from quickstudy.inputs.dataset import as_float
from quickstudy.tasks.omniglot import drawing
from quickstudy.tasks.task import Examples, Task, one_hot

_MAX_FILE = 2**16
_RUNS_A_STEP = 10


class LakeTrials:
    """Source of the runs of ``all_runs.zip``, in order; the error of people in the official ones is 4.5%.

    A run has ``runNN/training/classNN.png``, one drawing per character by one person, and ``runNN/test/itemNN.png`` by
    another person. In ``runNN/class_labels.txt``, each line names a test drawing and the training drawing of its class.

    Args:
        root: Archive, folder of the runs, or folder that contains one of them.

    Raises:
        DataError: A file is missing or damaged, or names a file that does not exist.

    Source: Lake et al. 2015, doi:10.1126/science.aab3050; Lake et al. 2019, arXiv:1902.03477.

    >>> LakeTrials(Path("nowhere"))
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no all_runs.zip in 'nowhere'; put that of Omniglot's one-shot challenge there
    """

    def __init__(self, root: Path) -> None:
        files = _files(root)
        names = sorted({name.split("/")[0] for name in files})
        self.runs = [_run(root, name, files) for name in names]
        if len({(len(task.support.x), len(task.query.x)) for task in self.runs}) > 1:
            raise DataError(f"the runs in {str(root)!r} have unequal numbers of drawings; fetch all_runs.zip again")

    def __len__(self) -> int:
        return len(self.runs)

    def sample(self, step: int, n_tasks: int) -> Task:
        """Return tasks of a step: task i of step s is run 10 s + i, modulo the number of runs."""
        chosen = [self.runs[(_RUNS_A_STEP * step + i) % len(self.runs)] for i in range(n_tasks)]
        return Task(*(Examples(*map(torch.stack, zip(*side, strict=True))) for side in zip(*chosen, strict=True)))


def _files(root: Path) -> dict[str, bytes]:
    """Return the contents of an archive or a folder, by file name below its ``run`` folders."""
    places = [root, root / "all_runs.zip", root / "all_runs"]
    archive = next((path for path in places if path.is_file() and path.suffix == ".zip"), None)
    try:
        if archive is not None:
            with zipfile.ZipFile(archive) as file:
                members = [name for name in file.namelist() if _below_run(name)]
                return {_below_run(name): file.open(name).read(_MAX_FILE) for name in members}
        for folder in places[:1] + places[2:]:
            contents = {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in (sorted(folder.glob("run*/**/*")) if folder.is_dir() else [])
                if path.is_file() and path.stat().st_size < _MAX_FILE
            }
            if contents:
                return contents
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"cannot read {archive or root}: {error}; fetch all_runs.zip again") from error
    raise DataError(f"no all_runs.zip in {str(root)!r}; put that of Omniglot's one-shot challenge there")


def _below_run(name: str) -> str:
    """Return the part ``runNN/...`` of a longer name, or "" if it is not in a run."""
    parts = name.split("/")
    at = next((i for i, part in enumerate(parts) if part.startswith("run") and part[3:].isdecimal()), None)
    return "" if at is None or name.endswith("/") or parts[0] == "__MACOSX" else "/".join(parts[at:])


def _run(root: Path, name: str, files: dict[str, bytes]) -> Task:
    try:
        lines = files[f"{name}/class_labels.txt"].decode().split("\n")
        pairs = [line.split() for line in lines if line.strip()]
        classes = sorted({training for _, training in pairs})
        support = _drawings(root, classes, files)
        query = _drawings(root, [test for test, _ in pairs], files)
    except KeyError as error:
        raise DataError(f"{root}: {error.args[0]} is missing; fetch all_runs.zip again") from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"{root / name / 'class_labels.txt'} does not have two names per line; fetch all_runs.zip again"
        ) from error
    y = torch.tensor([classes.index(training) for _, training in pairs])
    return Task(Examples(support, torch.eye(len(classes))), Examples(query, one_hot(y, len(classes))))


def _drawings(root: Path, names: list[str], files: dict[str, bytes]) -> torch.Tensor:
    """Return drawings (n, 1, 28, 28) in [0, 1], with ink 1."""
    return as_float(torch.from_numpy(np.stack([drawing(files[name], root / name) for name in names])[:, None]))
