"""Answers to many inputs, written to a file part by part, so that a call that was killed continues."""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from quickstudy.classify.answer import Basis
from quickstudy.classify.answer_files import check_suffix, write_answers
from quickstudy.classify.classifier import Classifier
from quickstudy.classify.spread import spread
from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.frames import is_frame
from quickstudy.inputs.rows import COMMON, Columns
from quickstudy.inputs.stream import Part, expanded, parts_of, stamp
from quickstudy.io import files
from quickstudy.io.console import shown
from quickstudy.models.seal import read_seal

_WHOLE = "whole.json"
"""Size and time of the whole file, in the folder of its parts; written before the file gets its name."""


class Written(NamedTuple):
    """Result of ``predict_to_file``.

    Attributes:
        n_answers: Number of answers.
        skipped: Messages about the inputs that were left out.
    """

    n_answers: int
    skipped: list[str]


@dataclass(frozen=True)
class Question:
    """Question about each input; see ``Classifier.answer``."""

    coverage: float | None
    false_alarms: float | None
    rest_on: Basis
    skip_bad: bool


def predict_to_file(
    classifier: Path | str,
    sources: Sequence[Path | str],
    out: Path | str,
    *,
    coverage: float | None = None,
    false_alarms: float | None = None,
    rest_on: Basis = "examples",
    skip_bad: bool = False,
    text: bool = False,
    columns: Columns = COMMON,
    workers: int = 1,
    ray: str | None = None,
    patterns: bool = True,
) -> Written:
    """Answer many inputs, and write the answers to a file in constant memory.

    Parts of 1,024 answers are saved in the folder ``.OUT.parts`` beside the file, until all are there. The same call
    after an interruption answers only what is missing.

    Args:
        classifier: Folder of a classifier.
        sources: Files, folders, patterns such as "new/*.png", sentences, or .npy files of encoded inputs, (n, *input).
        out: Name of a new file, .csv, .jsonl or .parquet; docs/output.md describes its columns.
        coverage: See ``Classifier.answer``.
        false_alarms: See ``Classifier.answer``.
        rest_on: See ``Classifier.answer``.
        skip_bad: Whether inputs that cannot be read are left out. Otherwise the first one raises its error.
        text: Whether every source is a sentence, also if it names a file.
        columns: Columns and encoding of files of rows.
        workers: Number of processes on this machine; each loads the classifier.
        ray: Address of a Ray cluster that answers instead, such as "auto". Its machines need the same files.
        patterns: Whether sources such as "new/*.png" are patterns, unless a file has that name.

    Raises:
        DataError: An input cannot be read, or a single one is given instead of a list.
        SettingError: The file exists, parts of another call are there, or the learner is transductive.
        ModelError: The folder holds no classifier.

    >>> from tempfile import TemporaryDirectory
    >>> from quickstudy import adapt, examples
    >>> with TemporaryDirectory() as folder:
    ...     _ = examples(folder)
    ...     adapt(f"{folder}/pictures").save(f"{folder}/sorter")
    ...     predict_to_file(f"{folder}/sorter", [f"{folder}/new*.png"], f"{folder}/answers.csv").n_answers
    2
    """
    folder, out = Path(classifier).absolute(), Path(out).absolute()
    check_suffix(out)
    model = Classifier.load(folder)
    if model.learner.transductive:
        raise SettingError(
            "a transductive learner answers all inputs together; leave out --out, or use Classifier.answer"
        )
    if isinstance(sources, str | bytes | Path):
        raise model.inputs.no_list(sources)
    if is_frame(sources):
        raise DataError(
            f"a {type(sources).__name__} is given, but a list of sources is needed; give a file of it, or one column"
        )
    names = expanded(sources) if patterns and not text else [str(each) for each in sources]
    question = Question(coverage, false_alarms, rest_on, skip_bad)
    key = asdict(question)
    del key["skip_bad"]  # a call that failed at a bad input is continued with it; the parts before have none
    about = {"classifier": read_seal(folder), "question": key, "inputs": stamp(names)}
    errors: list[str] = []
    n = 0

    def missing() -> Iterator[tuple[int, Part]]:
        nonlocal n
        for n, part in enumerate(parts_of(model.inputs, names, columns, text, _noted(errors) if skip_bad else None), 1):
            if not _file(parts, n).exists():
                yield n, part

    with _parts(out, about) as parts:
        job = partial(answered, folder, json.dumps(about["classifier"]), question)
        for number, content in shown(spread(job, missing(), workers=workers, ray=ray), "answering"):
            files.replace(_file(parts, number), json.dumps(content).encode())
        written = _Reader([_file(parts, number) for number in range(1, n + 1)])
        if _is_whole(out, parts):
            deque(written, maxlen=0)  # counts them
        else:
            whole = parts / f"whole{out.suffix}"
            write_answers(whole, written, model.labels)
            files.replace(parts / _WHOLE, json.dumps(_mark(whole)).encode())
            _check_free(out, parts)  # again, since hours may have passed
            os.replace(whole, out)
            files.sync(out.parent)
    shutil.rmtree(parts)
    return Written(written.n, errors + written.skipped)


def answered(folder: Path, version: str, question: Question, numbered: tuple[int, Part]) -> tuple[int, dict[str, Any]]:
    """Return the number of a part, and its answers as plain data.

    Args:
        folder: Folder of the classifier, which each process loads once.
        version: Checksums of the classifier's files.
        question: Question about each input.
        numbered: Number of the part, and its inputs.
    """
    number, part = numbered
    skipped: list[str] = []
    options = asdict(question)
    skip = _noted(skipped) if options.pop("skip_bad") else None
    answers = _loaded(folder, version).answer(part.things, **options, skip=skip, names=part.names)
    return number, {"answers": [answer.summary() for answer in answers], "skipped": skipped}


@cache
def _loaded(folder: Path, version: str) -> Classifier:
    return Classifier.load(folder)


def _noted(messages: list[str]) -> Callable[[DataError], None]:
    return lambda error: messages.append(str(error))


def _file(parts: Path, number: int) -> Path:
    return parts / f"{number:08d}.json"


@contextmanager
def _parts(out: Path, about: dict[str, Any]) -> Iterator[Path]:
    """Context with the folder of the parts of a file, for one process at a time.

    They are kept if the block fails and one is there.

    Raises:
        SettingError: The file is there, or the parts are of another call, or another process writes.
    """
    parts = out.with_name(f".{out.name}.parts")
    _check_free(out, parts)
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts / "lock", blocking=False):
            record = parts / "about.json"
            if not any(parts.glob("[0-9]*.json")):
                files.replace(record, json.dumps(about).encode())
            elif files.read_json(record) != about:
                raise SettingError(
                    f"{str(parts)!r} holds answers of another classifier, question or other inputs; delete it, or "
                    f"choose another --out"
                )
            try:
                yield parts
            finally:
                if not any(parts.glob("[0-9]*.json")):
                    shutil.rmtree(parts, ignore_errors=True)
    except Timeout:
        raise SettingError(f"{str(out)!r} is being written by another process; wait for it") from None


def _check_free(out: Path, parts: Path) -> None:
    """Refuse the name of a file that is there and was not written from these parts.

    Raises:
        SettingError: There is such a file.
    """
    if os.path.lexists(out) and not _is_whole(out, parts):
        raise SettingError(f"{str(out)!r} exists already; choose another name with --out")


def _is_whole(out: Path, parts: Path) -> bool:
    """Return whether a file was written from its parts, by a call that was killed before it deleted them."""
    mark = parts / _WHOLE
    return os.path.lexists(out) and mark.exists() and files.read_json(mark) == _mark(out)


def _mark(path: Path) -> list[int]:
    """Return size and time of a file, which stay when it is renamed."""
    about = path.lstat()
    return [about.st_size, about.st_mtime_ns]


class _Reader:
    """Answers in parts, one after another; counts them, and collects the messages about inputs that were left out."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.n, self.skipped = 0, list[str]()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self._paths:
            content = json.loads(path.read_bytes())
            self.skipped += content["skipped"]
            self.n += len(content["answers"])
            yield from content["answers"]
