"""Tasks that a run is trained on, from its settings and its data."""

from __future__ import annotations

from collections.abc import Callable

import torch

from quickstudy.errors import NotEnoughClasses, SettingError
from quickstudy.inputs.dataset import ClassDataset, joined, rotated_classes
from quickstudy.learners import LEARNERS
from quickstudy.runs.settings import Settings, check_effects
from quickstudy.runs.sizes import check_sizes
from quickstudy.tasks.episodes import Batches, Episodes
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.omniglot import alphabet
from quickstudy.tasks.source import ClassSource, FunctionSource, Source
from quickstudy.tasks.splits import Splits
from quickstudy.tasks.task import TaskSource

_OF_TASKS = ("batch_size", "rotations", "warp", "augment", "within_alphabets", "glyph_classes")
"""Settings that are refused where they have no effect on the training tasks, wherever they come from."""


def training_tasks(s: Settings, source: Source, splits: Callable[[], Splits], device: torch.device) -> TaskSource:
    """Return tasks, or plain batches for a learner that needs them.

    Args:
        s: Settings of the run.
        source: Source of the data.
        splits: Function that returns the data of a source of classes; it is called after the settings are checked.
        device: Device of the data.

    Raises:
        SettingError: The settings do not fit the data, each other, or the learner.
    """
    check_effects(s, _OF_TASKS)
    if isinstance(source, FunctionSource):
        return source.tasks(s.train_shot or s.n_shot, s.train_query or 0, s.seed, "train")
    assert isinstance(source, ClassSource)
    check_sizes(s, source.numbered() or splits())
    data = _classes(s, splits().train).to(device)
    if not LEARNERS[s.algorithm].episodic:
        return Batches(data, s.batch_size or 128, seed=s.seed, warp=s.warp, augment=s.augment)
    return _episodes(s, data)


def _classes(s: Settings, data: ClassDataset) -> ClassDataset:
    """Return the training classes, with those that the settings add: rotations, invented characters."""
    if not data.n_classes:
        raise NotEnoughClasses(f"{s.data} has no training classes, only test classes; choose other data")
    if s.rotations == "classes":
        data = rotated_classes(data)
    if s.glyph_classes and s.data != "glyphs":
        data = joined(data, draw_glyphs(range(s.glyph_classes), seed=s.seed))
    return data


def _episodes(s: Settings, data: ClassDataset) -> Episodes:
    way, shot = min(s.train_way or s.n_way, data.n_classes), s.train_shot or s.n_shot
    query = s.n_query if s.train_query is None else s.train_query
    if query == 0 and s.algorithm != "reptile":
        raise SettingError(f"train_query = 0 gives {s.algorithm} no queries to learn from; give 1 or more")
    within = [alphabet(name) for name in data.names] if s.within_alphabets else None
    turn = s.rotations == "tasks"
    try:
        return Episodes(data, way, shot, query, seed=s.seed, rotate=turn, warp=s.warp, augment=s.augment, within=within)
    except NotEnoughClasses:
        raise NotEnoughClasses(f"train_way = {way} is more than any alphabet has; lower --train-way") from None
