"""Schema of a run's settings: type, default, description and needs of each setting."""

# ruff: noqa: RUF009  (`_setting` makes a field, as `dataclasses.field` does)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from quickstudy.learners.registry import LEARNERS
from quickstudy.nets.registry import NETS
from quickstudy.registry import Registry
from quickstudy.runs.needs import (
    CHARACTERS,
    CLASSES,
    COLOUR,
    ENCODED,
    EPISODIC,
    FOLDERS,
    FULL_CONTEXT,
    HALVING,
    IMAGES,
    NET,
    NORMS,
    OMNIGLOT,
    PICTURES,
    PLAIN,
    POOL,
    QUERIES,
    ROWS,
    SGD,
    SPLIT,
    TEXTS,
    TURNED_TASKS,
    WIDTH,
    WORKERS,
    Need,
)
from quickstudy.tasks.sources import SOURCES

NOT_CHOSEN = ("identity", "low-rank")
"""Nets that a run cannot choose: one has no weights to train, the other wraps a net."""
MOST = 1_000_000
"""Largest rate or time, as of the arguments of learners; torch fails on numbers beyond those of float32."""


def _setting(default: Any, description: str, *needs: Need, names: Registry[Any] | None = None, **bounds: float) -> Any:
    """Return the field of a setting.

    Args:
        default: Default value.
        description: Text for ``--help``.
        needs: Conditions without which the setting has no effect, so that a given value is refused.
        names: Registry of its valid values.
        bounds: Arguments of pydantic's ``Field``.
    """
    return field(
        default=default, metadata={"description": description, "needs": needs, "names": names, "bounds": bounds}
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a run.

    ``complete`` and ``load_settings`` create and validate them. They replace None by defaults of the algorithm and the
    data.
    """

    algorithm: str = _setting("prototypical", "Learner; `quickstudy algorithms` explains each.", names=LEARNERS)
    arguments: dict[str, Any] | None = _setting(
        None, "Arguments of the learner that are not settings: a table, or JSON on the command line."
    )
    seed: int = _setting(0, "Seed of weights, splits and tasks.", ge=0, lt=2**63)

    data: str = _setting("glyphs", "Source of the tasks; `quickstudy tasks` lists them.", names=SOURCES)
    data_root: Path | None = _setting(None, "Folder of the data; the cache folder if not given.")
    inputs: Literal["photos"] | None = _setting(
        None, "photos embeds the images of the data by a frozen encoder; as the data has them if not set.", PICTURES
    )
    encoder: str | None = _setting(
        None, "Frozen encoder of photos or sentences; `quickstudy encoders` explains the choice.", ENCODED
    )
    split: Literal["background", "vinyals", "random", "small1", "small2"] = _setting(
        "background", "Classes of Omniglot's splits.", SPLIT
    )
    rotations: Literal["none", "classes", "tasks"] = _setting(
        "none", "Turn training images: as new classes, or with one turn per class and task.", IMAGES, TURNED_TASKS
    )
    within_alphabets: bool = _setting(
        False, "Train on tasks whose characters come from one alphabet (omniglot).", OMNIGLOT, EPISODIC
    )
    warp: bool = _setting(False, "Distort each training image a little: turn, shear, scale, move.", IMAGES)
    augment: bool = _setting(False, "Change each training photograph: padded crop, mirror, colours.", COLOUR)
    glyph_classes: int | None = _setting(
        None, "Invented characters to train on; if not set, 600 for glyphs and 0 for omniglot.", CHARACTERS, ge=1
    )
    init: Path | None = _setting(None, "Model with the net from which training starts.", NET)
    image_size: int = _setting(28, "Pixels per side that images of folders are resized to.", FOLDERS, ge=16)
    channels: Literal[1, 3] = _setting(1, "1 reads images of folders as grey, 3 as colour.", FOLDERS)
    ink: bool = _setting(True, "Images of folders are drawings: paper becomes 0 and ink 1.", FOLDERS)
    text_column: str = _setting("text", "Column of sentences.", TEXTS)
    label_column: str = _setting("label", "Column of labels.", ROWS)
    encoding: str | None = _setting(None, "Encoding of a CSV file, such as cp1252; UTF-8 if not set.", ROWS)
    n_way: int = _setting(5, "Classes of a validation or test task.", CLASSES, ge=1)
    n_shot: int = _setting(1, "Support examples per class.", ge=1)
    n_query: int = _setting(15, "Query examples per class.", ge=1)
    train_way: int | None = _setting(
        None,
        "Classes of a training task, at most all; the algorithm's own, or n_way, if not set.",
        CLASSES,
        EPISODIC,
        ge=1,
    )
    train_shot: int | None = _setting(
        None, "Support examples per class in training; the algorithm's own, or n_shot, if not set.", EPISODIC, ge=1
    )
    train_query: int | None = _setting(
        None,
        "Query examples per class in training; the algorithm's own, mostly 5, if not set.",
        EPISODIC,
        QUERIES,
        ge=0,
    )

    net: str | None = _setting(
        None,
        "conv4, conv4-maps, resnet6 and resnet12 for images, residual for photos and sentences, mlp for tables.",
        NET,
        names=NETS,
    )
    width: int = _setting(64, "Filters of the first convolution.", NET, WIDTH, ge=1)
    pool: bool | None = _setting(None, "Halve images in conv4 by max pooling; if not, by a stride of 2.", NET, POOL)

    inner_lr: float | None = _setting(None, "Inner step size.", gt=0)
    inner_steps: int | None = _setting(None, "Inner steps in training; LR-D2's Newton steps.", ge=0)
    test_steps: int | None = _setting(None, "Inner steps outside of training.", ge=0)
    learned_head: bool | None = _setting(None, "Meta-learn the head too, not only the net.", CLASSES)
    first_order: bool | None = _setting(None, "Drop the inner loop's second derivatives.")
    penalty: float | None = _setting(
        None, "Implicit MAML's penalty on the distance from the meta-learned weights.", gt=0
    )
    cg_steps: int | None = _setting(None, "Implicit MAML's steps of conjugate gradient.", ge=0)
    damping: float | None = _setting(None, "Added to implicit MAML's penalty in its outer gradient.", ge=0)
    inner_rule: Literal["sgd", "momentum", "adam", "adamw", "rmsprop"] | None = _setting(
        None, "Inner update of MAML and Reptile."
    )
    adapt_only: str | None = _setting(
        None, "Weights that the inner loop changes: all, head, body, norm, or a pattern of names."
    )
    inner_batch: int | None = _setting(None, "Examples per inner step of Reptile's training.", ge=1)
    full_context: bool | None = _setting(None, "Matching Networks' full-context embeddings.")
    attention_steps: int | None = _setting(None, "Steps of full context's attention LSTM.", FULL_CONTEXT, ge=1)
    layers: int | None = _setting(None, "Layers of the in-context transformer.", ge=0)
    head_lr: float | None = _setting(None, "Step size of a baseline's new head.", gt=0)
    head_steps: int | None = _setting(None, "Gradient steps of a baseline's new head.", ge=0)
    transductive: bool | None = _setting(None, "Normalise queries by their own batch statistics.", NORMS)

    steps: int = _setting(5000, "Outer steps.", ge=1)
    minutes: float | None = _setting(
        None, "Minutes after which training ends; as many steps are made as fit, at most --steps.", gt=0
    )
    tasks_per_step: int | None = _setting(None, "Tasks per outer step.", ge=1)
    batch_size: int | None = _setting(None, "Examples per training step on plain batches.", PLAIN, ge=1)
    outer_lr: float | None = _setting(None, "Outer learning rate.", gt=0, le=MOST)
    optimizer: Literal["adam", "sgd"] | None = _setting(None, "Outer optimiser.")
    momentum: float = _setting(0.0, "Nesterov's momentum of the outer SGD.", SGD, ge=0, lt=1)
    weight_decay: float = _setting(0.0, "Weight decay of the outer optimiser; Adam's is decoupled.", ge=0, le=MOST)
    schedule: Literal["constant", "cosine", "linear", "halving"] = _setting(
        "cosine", "Schedule of the outer rate: cosine and linear fall to 0; halving halves it every halve_every steps."
    )
    halve_every: int = _setting(2000, "Steps after which schedule halving halves the outer rate.", HALVING, ge=1)
    clip: float | None = _setting(
        None, "Largest absolute value of an entry of the outer gradient; larger values are clipped.", gt=0, le=MOST
    )
    precision: Literal["float32", "bfloat16"] = _setting("float32", "Number type of the training loss.")
    engine: Literal["auto", "vmap", "loop"] = _setting(
        "auto", "How tasks are computed: together (vmap), one after another (loop), or the faster way."
    )
    validate_every: int = _setting(500, "Steps from one validation to the next.", ge=1)
    validation_tasks: int = _setting(200, "Tasks of a validation.", ge=2)
    patience: int | None = _setting(None, "Number of validations without improvement after which training stops.", ge=1)
    save_every: int | None = _setting(None, "Steps between checkpoints; validate_every if not set.", ge=1)
    skip_bad_tasks: bool = _setting(False, "Leave out tasks whose loss or gradient is NaN or infinite, and count them.")
    tensorboard: bool = _setting(False, "Also write metrics for TensorBoard, in the run folder.")
    device: str = _setting("auto", "cpu, cuda, or auto.")
    workers: int = _setting(1, "Local processes that share a step's tasks, one thread each.", ge=1)
    worker_timeout: float = _setting(
        600, "Seconds after which a worker that does not answer counts as lost.", WORKERS, gt=0, le=MOST
    )
    threads: int | None = _setting(None, "CPU threads; torch's own choice if not set.", ge=1)

    def model_dump(self, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Return all settings by name; in mode "json", paths are strings."""
        return {k: str(v) if mode == "json" and isinstance(v, Path) else v for k, v in asdict(self).items()}

    def model_copy(self, update: Mapping[str, Any]) -> Settings:
        """Return the settings with some of them replaced, without validation."""
        return replace(self, **update)


FIELDS = {field.name: field for field in fields(Settings)}
"""Field of each setting, with its default and metadata, by name."""


HYPERPARAMETERS = (
    "inner_lr",
    "inner_steps",
    "test_steps",
    "learned_head",
    "first_order",
    "penalty",
    "cg_steps",
    "damping",
    "inner_rule",
    "adapt_only",
    "inner_batch",
    "full_context",
    "attention_steps",
    "layers",
    "head_lr",
    "head_steps",
    "transductive",
)
"""Settings that are arguments of some learners and do not apply to others."""


def choices(name: str) -> tuple[str, ...]:
    """Return the words that a setting takes; empty if it takes numbers or any text.

    >>> choices("rotations")
    ('none', 'classes', 'tasks')
    """
    registry = FIELDS[name].metadata["names"]
    if registry is not None:
        return tuple(each for each in registry if each not in NOT_CHOSEN)
    return tuple(
        word for kind in kinds(name) if get_origin(kind) is Literal for word in get_args(kind) if isinstance(word, str)
    )


def kinds(name: str) -> tuple[Any, ...]:
    """Return the types that a setting takes, without None.

    >>> kinds("inner_lr")
    (<class 'float'>,)
    """
    hint = hints()[name]
    union = get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)
    return tuple(kind for kind in union if kind is not type(None))


@cache
def hints() -> dict[str, Any]:
    """Return the type of each setting."""
    return get_type_hints(Settings)
