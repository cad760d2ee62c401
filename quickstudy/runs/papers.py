"""Published protocols and figures: what ``quickstudy reproduce`` trains, and beside what it puts the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from quickstudy.errors import SettingError, unknown


class Cell(NamedTuple):
    """A published figure: accuracy in percent, half of its 95% interval where one is given, and ways and shots."""

    n_way: int
    n_shot: int
    mean: float
    ci95: float | None = None


@dataclass(frozen=True)
class Protocol:
    """A method on a data set, as published.

    Attributes:
        title: Of the method, as people call it.
        source: Paper with the figures.
        transductive: Whether the figures are.
        settings: Of the training, all that is not the algorithm's preset.
        cells: The figures.
        by_way: Settings that differ with the ways of a cell.
        shots_match: Trained with the shots of the test, so that other shots are another training.
        train_query: Queries of a class in training, by the figure; the algorithm's preset if None.
        first: Settings of a training before it, whose net it starts from; None where it starts from drawn weights.
        rotated: Whether test classes too are turned at random: Snell et al. 2017, section 3.1, test on "the remaining
            classes, including rotations". One turn a class and task, so that a character never meets its own rotation.
    """

    title: str
    source: str
    transductive: bool
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    by_way: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    shots_match: bool = True
    train_query: Callable[[Cell], int] | None = None
    rotated: bool = False
    first: Mapping[str, Any] | None = None

    def training(self, cell: Cell) -> dict[str, Any]:
        """Settings of the training for a cell."""
        way, shot = cell.n_way, cell.n_shot
        queries = {} if self.train_query is None else {"train_query": self.train_query(cell)}
        return {"n_way": way, "n_shot": shot, **queries, **self.settings, **self.by_way.get(way, {})}


_FINN = "Finn et al. 2017, table 1, arXiv:1703.03400"
_NICHOL = "Nichol et al. 2018, tables 1 and 2, arXiv:1803.02999"
_SNELL = "Snell et al. 2017, tables 1 and 2, arXiv:1703.05175"
_RAGHU = "Raghu et al. 2020, table 1, arXiv:1909.09157"
_LI = "Li et al. 2017, tables 2 and 3, arXiv:1707.09835"
_ANTONIOU = "Antoniou et al. 2019, tables 1 and 2, arXiv:1810.09502"
_RAJESWARAN = "Rajeswaran et al. 2019, table 2, by gradient descent, arXiv:1909.04630"
_SUNG = "Sung et al. 2018, tables 1 and 2, arXiv:1711.06025"
_VINYALS = "Vinyals et al. 2016, tables 1 and 2, arXiv:1606.04080"

_MAML_OMNIGLOT = {
    "algorithm": "maml", "data": "omniglot", "split": "random", "rotations": "tasks", "learned_head": True,
    "transductive": True, "schedule": "constant", "steps": 60_000, "clip": None,
}  # fmt: skip
_MAML_20WAY = {20: {"inner_lr": 0.1, "inner_steps": 5, "test_steps": 5, "tasks_per_step": 16}}
_MAML_MINI = {
    "algorithm": "maml", "data": "mini-imagenet", "width": 32, "pool": True, "learned_head": True, "transductive": True,
    "inner_lr": 0.05, "inner_steps": 5, "test_steps": 10, "tasks_per_step": 4, "train_query": 15, "clip": 10.0,
    "schedule": "constant", "steps": 60_000,
}  # fmt: skip
_REPTILE_OMNIGLOT = {
    "algorithm": "reptile", "data": "omniglot", "split": "random", "rotations": "classes", "learned_head": True,
    "steps": 100_000, "train_shot": 10,
}  # fmt: skip
_REPTILE_20WAY = {20: {"inner_lr": 0.0005, "inner_batch": 20, "inner_steps": 10, "steps": 200_000}}
_METRIC_OMNIGLOT = {"data": "omniglot", "split": "vinyals", "rotations": "classes"}
_RESNET = {**_METRIC_OMNIGLOT, "warp": True, "net": "resnet6", "width": 24}
_GLYPHS = {"data": "omniglot", "rotations": "classes", "warp": True, "init": "glyphs-proto", "schedule": "cosine"}
_GLYPHS_20WAY = {"pool": True, "split": "random", "train_way": 20, "tasks_per_step": 1, "test_steps": 10}
_PROTOTYPICAL_MINI = {
    "algorithm": "prototypical", "data": "mini-imagenet", "train_way": 30, "train_query": 15, "schedule": "halving",
    "steps": 40_000,
}  # fmt: skip


def _as_many_as_shots(cell: Cell) -> int:
    return cell.n_shot


def _imaml(n_way: int) -> dict[str, float]:
    """The authors' rate, penalty and damping, which are for a loss averaged over the classes; ours is summed."""
    return {"inner_lr": 0.1 / n_way, "penalty": 2.0 * n_way, "damping": 22.0 * n_way}


PROTOCOLS: dict[str, Protocol] = {
    "maml-omniglot": Protocol(
        "MAML",
        _FINN,
        True,
        _MAML_OMNIGLOT,
        (Cell(5, 1, 98.7, 0.4), Cell(5, 5, 99.9, 0.1), Cell(20, 1, 95.8, 0.3), Cell(20, 5, 98.9, 0.2)),
        _MAML_20WAY,
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "first-order-maml-omniglot": Protocol(
        "First-order MAML",
        _NICHOL,
        True,
        _MAML_OMNIGLOT | {"first_order": True},
        (Cell(5, 1, 98.3, 0.5), Cell(5, 5, 99.2, 0.2), Cell(20, 1, 89.4, 0.5), Cell(20, 5, 97.9, 0.1)),
        _MAML_20WAY,
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "reptile-omniglot": Protocol(
        "Reptile",
        _NICHOL,
        False,
        _REPTILE_OMNIGLOT,
        (Cell(5, 1, 95.39, 0.09), Cell(5, 5, 98.90, 0.10), Cell(20, 1, 88.14, 0.15), Cell(20, 5, 96.65, 0.33)),
        _REPTILE_20WAY,
        shots_match=False,
    ),
    "matching-omniglot": Protocol(
        "Matching Networks",
        _VINYALS,
        False,
        _METRIC_OMNIGLOT | {"algorithm": "matching", "steps": 100_000},
        (Cell(5, 1, 98.1), Cell(5, 5, 98.9), Cell(20, 1, 93.8), Cell(20, 5, 98.5)),
        rotated=True,
    ),
    "siamese-omniglot": Protocol(
        "Siamese Networks",
        _VINYALS,
        False,
        _METRIC_OMNIGLOT | {"algorithm": "siamese", "steps": 100_000},
        (Cell(5, 1, 97.3), Cell(5, 5, 98.4), Cell(20, 1, 88.1), Cell(20, 5, 97.0)),
        shots_match=False,
        rotated=True,
    ),
    "prototypical-omniglot": Protocol(
        "Prototypical Networks",
        _SNELL,
        False,
        _METRIC_OMNIGLOT | {"algorithm": "prototypical", "schedule": "halving", "steps": 100_000},
        (Cell(5, 1, 98.8), Cell(5, 5, 99.7), Cell(20, 1, 96.0), Cell(20, 5, 98.9)),
        rotated=True,
    ),
    "relation-omniglot": Protocol(
        "Relation Networks",
        _SUNG,
        True,
        {
            "algorithm": "relation",
            "data": "omniglot",
            "split": "random",
            "rotations": "classes",
            "transductive": True,
            "schedule": "halving",
            "halve_every": 100_000,
            "steps": 1_000_000,
        },
        (Cell(5, 1, 99.6, 0.2), Cell(5, 5, 99.8, 0.1), Cell(20, 1, 97.6, 0.2), Cell(20, 5, 99.1, 0.1)),
        train_query=lambda cell: {(5, 1): 19, (5, 5): 15, (20, 1): 10, (20, 5): 5}[cell.n_way, cell.n_shot],
        rotated=True,
    ),
    "warped-prototypical-omniglot": Protocol(
        "Prototypical Networks on warped images (a recipe of our own)",
        _SNELL,
        False,
        _METRIC_OMNIGLOT | {"algorithm": "prototypical", "warp": True, "steps": 9_000},
        (Cell(5, 1, 98.8), Cell(5, 5, 99.7), Cell(20, 1, 96.0), Cell(20, 5, 98.9)),
        shots_match=False,
        rotated=True,
    ),
    "glyphs-prototypical-omniglot": Protocol(
        "Prototypical Networks from a net that knows glyphs (a recipe of our own)",
        _SNELL,
        False,
        {**_GLYPHS, "split": "vinyals", "algorithm": "prototypical", "steps": 14_000},
        (Cell(5, 1, 98.8), Cell(5, 5, 99.7), Cell(20, 1, 96.0), Cell(20, 5, 98.9)),
        shots_match=False,
        rotated=True,
    ),
    "resnet-prototypical-omniglot": Protocol(
        "Prototypical Networks from a net that first told all training characters apart (a recipe of our own)",
        _SNELL,
        False,
        {**_RESNET, "algorithm": "prototypical", "train_shot": 1, "schedule": "cosine", "steps": 1_500},
        (Cell(5, 1, 98.8), Cell(5, 5, 99.7), Cell(20, 1, 96.0), Cell(20, 5, 98.9)),
        shots_match=False,
        rotated=True,
        first={  # Chen et al. 2021, arXiv:2003.04390: a classifier of all training classes, then episodes
            **_RESNET,
            "algorithm": "cosine-baseline",
            "head_steps": 0,
            "n_way": 20,
            "batch_size": 256,
            "outer_lr": 0.002,
            "steps": 5_000,
        },
    ),
    "glyphs-matching-omniglot": Protocol(
        "Matching Networks from a net that knows glyphs (a recipe of our own)",
        _VINYALS,
        False,
        {**_GLYPHS, "split": "vinyals", "algorithm": "matching", "train_way": 60, "steps": 4_000},
        (Cell(5, 1, 98.1), Cell(5, 5, 98.9), Cell(20, 1, 93.8), Cell(20, 5, 98.5)),
        shots_match=False,
        rotated=True,
    ),
    "glyphs-siamese-omniglot": Protocol(
        "Siamese Networks from a net that knows glyphs (a recipe of our own)",
        _VINYALS,
        False,
        {**_GLYPHS, "split": "vinyals", "algorithm": "siamese", "train_way": 40, "train_query": 3, "steps": 5_000},
        (Cell(5, 1, 97.3), Cell(5, 5, 98.4), Cell(20, 1, 88.1), Cell(20, 5, 97.0)),
        shots_match=False,
        rotated=True,
    ),
    "glyphs-maml-omniglot": Protocol(
        "MAML from a net that knows glyphs (a recipe of our own)",
        _FINN,
        True,
        {
            **_GLYPHS,
            **_GLYPHS_20WAY,
            "algorithm": "maml",
            "train_shot": 1,
            "train_query": 2,
            "inner_lr": 0.05,
            "outer_lr": 0.002,
            "steps": 12_000,
        },
        (Cell(5, 1, 98.7, 0.4), Cell(5, 5, 99.9, 0.1), Cell(20, 1, 95.8, 0.3), Cell(20, 5, 98.9, 0.2)),
        {20: {"test_steps": 1}},  # as in training; with twenty classes more steps go too far
        shots_match=False,
        rotated=True,
    ),
    "glyphs-reptile-omniglot": Protocol(
        "Reptile from a net that knows glyphs (a recipe of our own)",
        _NICHOL,
        False,
        {
            **_GLYPHS,
            **_GLYPHS_20WAY,
            "algorithm": "reptile",
            "train_shot": 5,
            "inner_rule": "sgd",
            "inner_lr": 0.03,
            "inner_batch": 20,
            "optimizer": "adam",
            "outer_lr": 0.002,
            "steps": 5_000,
        },
        (Cell(5, 1, 95.39, 0.09), Cell(5, 5, 98.90, 0.10), Cell(20, 1, 88.14, 0.15), Cell(20, 5, 96.65, 0.33)),
        shots_match=False,
    ),
    "anil-omniglot": Protocol(
        "ANIL",
        _RAGHU,
        True,
        _MAML_OMNIGLOT | {"algorithm": "anil"},
        (Cell(20, 1, 96.2, 0.5), Cell(20, 5, 98.0, 0.3)),
        _MAML_20WAY,
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "meta-sgd-omniglot": Protocol(
        "Meta-SGD",
        _LI,
        True,
        {name: value for name, value in _MAML_OMNIGLOT.items() if name != "learned_head"} | {"algorithm": "meta-sgd"},
        (Cell(5, 1, 99.53, 0.26), Cell(5, 5, 99.93, 0.09), Cell(20, 1, 95.93, 0.38), Cell(20, 5, 98.97, 0.19)),
        {20: {"tasks_per_step": 16, "inner_lr": 0.0025}},
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "maml++-omniglot": Protocol(
        "MAML++",
        _ANTONIOU,
        True,
        _MAML_OMNIGLOT | {"algorithm": "maml++", "inner_steps": 5, "tasks_per_step": 16, "schedule": "cosine"},
        (Cell(5, 1, 99.47), Cell(5, 5, 99.93), Cell(20, 1, 97.65, 0.05), Cell(20, 5, 99.33, 0.03)),
        {n_way: {"inner_lr": 0.1 / n_way} for n_way in (5, 20)},  # 0.1 is for a loss averaged over the classes
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "imaml-omniglot": Protocol(
        "iMAML",
        _RAJESWARAN,
        True,
        _MAML_OMNIGLOT | {"algorithm": "imaml", "inner_steps": 16, "test_steps": 16, "cg_steps": 5, **_imaml(5)},
        (Cell(5, 1, 99.16, 0.35), Cell(5, 5, 99.67, 0.12), Cell(20, 1, 94.46, 0.42), Cell(20, 5, 98.69, 0.1)),
        {20: {"inner_steps": 25, "test_steps": 25, "tasks_per_step": 16, **_imaml(20)}},
        train_query=_as_many_as_shots,
        rotated=True,
    ),
    "maml-mini-imagenet": Protocol("MAML", _FINN, True, _MAML_MINI, (Cell(5, 1, 48.70, 1.84), Cell(5, 5, 63.11, 0.92))),
    "first-order-maml-mini-imagenet": Protocol(
        "First-order MAML",
        _FINN,
        True,
        _MAML_MINI | {"first_order": True},
        (Cell(5, 1, 48.07, 1.75), Cell(5, 5, 63.15, 0.91)),
    ),
    "reptile-mini-imagenet": Protocol(
        "Reptile",
        _NICHOL,
        False,
        {
            "algorithm": "reptile",
            "data": "mini-imagenet",
            "width": 32,
            "pool": True,
            "learned_head": True,
            "train_shot": 15,
            "inner_steps": 8,
            "steps": 100_000,
        },
        (Cell(5, 1, 47.07, 0.26), Cell(5, 5, 62.74, 0.37)),
        shots_match=False,
    ),
    "anil-mini-imagenet": Protocol(
        "ANIL", _RAGHU, True, _MAML_MINI | {"algorithm": "anil"}, (Cell(5, 1, 46.7, 0.4), Cell(5, 5, 61.5, 0.5))
    ),
    "prototypical-mini-imagenet": Protocol(
        "Prototypical Networks",
        _SNELL,
        False,
        _PROTOTYPICAL_MINI,
        (Cell(5, 1, 49.42, 0.78), Cell(5, 5, 68.20, 0.66)),
    ),
}
"""By the first part of the names of ``reproduce``. ``-NwayKshot`` follows."""


def names() -> list[str]:
    """Everything that can be reproduced.

    >>> names()[0]
    'maml-omniglot-5way-1shot'
    """
    return [f"{key}-{c.n_way}way-{c.n_shot}shot" for key, protocol in PROTOCOLS.items() for c in protocol.cells]


def find(name: str) -> tuple[str, Protocol, Cell]:
    """The protocol and the figure of a name.

    Raises:
        SettingError: There is none of that name.

    >>> find("prototypical-omniglot-20way-5shot")[2]
    Cell(n_way=20, n_shot=5, mean=98.9, ci95=None)
    """
    for key, protocol in PROTOCOLS.items():
        for cell in protocol.cells:
            if name == f"{key}-{cell.n_way}way-{cell.n_shot}shot":
                return key, protocol, cell
    raise SettingError(unknown("reproduction", name, names()))
