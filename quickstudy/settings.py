"""One validated description of a run, from a file, the environment and flags, in that order of growing precedence."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from quickstudy.errors import SettingError, unknown

PREFIX = "QUICKSTUDY_"
"""Of environment variables: ``QUICKSTUDY_INNER_LR=0.1`` sets ``inner_lr``. ``QUICKSTUDY_CACHE`` alone is no setting."""

Algorithm = Literal[
    "maml",
    "reptile",
    "anil",
    "meta-sgd",
    "maml++",
    "imaml",
    "proto-maml",
    "siamese",
    "matching",
    "prototypical",
    "relation",
    "r2d2",
    "lrd2",
    "in-context",
    "baseline",
    "cosine-baseline",
    "simple-shot",
    "nearest-pixels",
]
Data = Literal["glyphs", "omniglot", "digits", "folders", "mini-imagenet", "clinc150", "text", "table", "sinusoid"]
TEXT = ("clinc150", "text")
"""Data that are sentences, embedded."""
VECTORS = (*TEXT, "table", "sinusoid")
"""Data that are no images."""


def _number(value: Any) -> Any:
    """Flags and variables are text, and a literal number is not read from text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Settings(BaseModel):
    """Everything that decides a run. What is None follows the algorithm or the data; ``complete`` fills it in."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    algorithm: Algorithm = Field("prototypical", description="How it learns; `quickstudy algorithms` explains each.")
    seed: int = Field(0, ge=0, lt=2**63, description="Of weights, splits and tasks.")

    data: Data = Field("glyphs", description="What tasks are drawn from.")
    data_root: Path | None = Field(None, description="Folder of the data; the cache folder if not given.")
    split: Literal["background", "vinyals", "random", "small1", "small2"] = Field(
        "background", description="Classes of Omniglot's splits."
    )
    rotations: Literal["none", "classes", "tasks"] = Field(
        "none", description="Turned training images: as new classes, or one turn a class a task."
    )
    within_alphabets: bool = Field(False, description="Train on tasks whose characters are of one alphabet (omniglot).")
    warp: bool = Field(False, description="Distort each training image a little: turn, shear, scale, move.")
    glyph_classes: int | None = Field(
        None, ge=1, description="Invented characters to train on: of glyphs 600 if not set, and beside omniglot none."
    )
    init: Path | None = Field(None, description="Model whose net the training starts from.")
    image_size: int = Field(28, ge=16, description="Pixels a side that images of folders are brought to.")
    channels: Annotated[Literal[1, 3], BeforeValidator(_number)] = Field(
        1, description="1 reads images of folders as grey, 3 as colour."
    )
    ink: bool = Field(True, description="Images of folders are drawings: paper becomes 0 and ink 1.")
    n_way: int = Field(5, ge=1, description="Classes of a validation or test task.")
    n_shot: int = Field(1, ge=1, description="Support examples a class.")
    n_query: int = Field(15, ge=1, description="Query examples a class.")
    train_way: int | None = Field(None, ge=1, description="Classes of a training task, at most all; n_way if not set.")
    train_shot: int | None = Field(None, ge=1, description="Support examples a class in training; n_shot if not set.")
    train_query: int | None = Field(None, ge=0, description="Query examples a class in training; n_query if not set.")

    net: Literal["conv4", "conv4-maps", "resnet6", "resnet12", "residual", "mlp"] | None = Field(
        None, description="conv4, conv4-maps, resnet6 and resnet12 for images, residual for sentences, mlp for tables."
    )
    width: int = Field(64, ge=1, description="Filters of the first convolution.")
    pool: bool | None = Field(None, description="Halve conv4 by max pooling; if not, by a stride of 2.")

    inner_lr: float | None = Field(None, gt=0, description="Inner step size.")
    inner_steps: int | None = Field(None, ge=0, description="Inner steps in training; LR-D2's Newton steps.")
    test_steps: int | None = Field(None, ge=0, description="Inner steps outside of training.")
    learned_head: bool | None = Field(None, description="Meta-learn the head too, not the net alone.")
    first_order: bool | None = Field(None, description="Drop the inner loop's second derivatives.")
    penalty: float | None = Field(None, gt=0, description="Of implicit MAML's distance from the meta-learned weights.")
    cg_steps: int | None = Field(None, ge=0, description="Implicit MAML's steps of conjugate gradient.")
    damping: float | None = Field(None, ge=0, description="Added to implicit MAML's penalty in its outer gradient.")
    inner_rule: Literal["sgd", "adam"] | None = Field(None, description="Reptile's inner rule.")
    inner_batch: int | None = Field(None, ge=1, description="Reptile's examples of an inner training step.")
    full_context: bool | None = Field(None, description="Matching Networks' full-context embeddings.")
    attention_steps: int | None = Field(None, ge=1, description="Steps of full context's attention LSTM.")
    layers: int | None = Field(None, ge=0, description="Layers of the in-context transformer.")
    head_lr: float | None = Field(None, gt=0, description="Step size of a baseline's new head.")
    head_steps: int | None = Field(None, ge=0, description="Gradient steps of a baseline's new head.")
    transductive: bool | None = Field(None, description="Normalise queries by their own batch statistics.")

    steps: int = Field(5000, ge=1, description="Outer steps.")
    tasks_per_step: int | None = Field(None, ge=1, description="Tasks of an outer step.")
    batch_size: int | None = Field(None, ge=1, description="Examples of a training step on plain batches.")
    outer_lr: float | None = Field(None, gt=0, description="Outer learning rate.")
    optimizer: Literal["adam", "sgd"] | None = Field(None, description="Outer optimiser.")
    schedule: Literal["constant", "cosine", "linear", "halving"] = Field(
        "cosine", description="Of the outer rate: cosine and linear fall to 0; halving halves it every so often."
    )
    halve_every: int = Field(2000, ge=1, description="Steps of schedule halving from one half to the next.")
    clip: float | None = Field(None, gt=0, description="Largest absolute entry of an outer gradient.")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Of the training loss.")
    validate_every: int = Field(500, ge=1, description="Steps from one validation to the next.")
    validation_tasks: int = Field(200, ge=2, description="Tasks of a validation.")
    patience: int | None = Field(None, ge=1, description="Stop after so many validations without a better one.")
    save_every: int | None = Field(None, ge=1, description="Steps between checkpoints; validate_every if not set.")
    skip_bad_tasks: bool = Field(False, description="Leave out tasks whose loss is NaN or infinite, and count them.")
    tensorboard: bool = Field(False, description="Write metrics for TensorBoard too, in the run folder.")
    device: str = Field("auto", description="cpu, cuda, or auto.")
    workers: int = Field(1, ge=1, description="Local processes that share a step's tasks, one thread each.")
    worker_timeout: float = Field(600, gt=0, description="Seconds after which a worker that stands still is given up.")
    threads: int | None = Field(None, ge=1, description="CPU threads; torch's own choice if not set.")


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
    "inner_batch",
    "full_context",
    "attention_steps",
    "layers",
    "head_lr",
    "head_steps",
    "transductive",
)
"""Settings that are arguments of some learners, and no business of the others."""

_ADAM = {"optimizer": "adam", "outer_lr": 1e-3}
_METRIC = {"train_way": 60, "train_query": 5, "tasks_per_step": 1, "pool": True, **_ADAM}
_GRADIENT = {"train_query": 5, "tasks_per_step": 32, "pool": False, "clip": 10.0, **_ADAM}
_PLAIN = {"batch_size": 128, "tasks_per_step": 1, "pool": True, **_ADAM}
PRESETS: dict[str, dict[str, Any]] = {
    "maml": {"test_steps": 3, **_GRADIENT},
    "reptile": {
        "train_shot": 10,
        "train_query": 0,
        "tasks_per_step": 5,
        "pool": False,
        "optimizer": "sgd",
        "outer_lr": 1.0,
        "schedule": "linear",
    },
    "anil": _GRADIENT,
    "meta-sgd": _GRADIENT,
    "maml++": {**_GRADIENT, "tasks_per_step": 16},
    "imaml": _GRADIENT,
    "proto-maml": {**_GRADIENT, "first_order": True},
    "siamese": _METRIC,
    "matching": {**_METRIC, "train_way": 20},
    "prototypical": _METRIC,
    "relation": {"train_query": 19, "tasks_per_step": 1, "net": "conv4-maps", **_ADAM},
    "r2d2": _METRIC,
    "lrd2": {**_METRIC, "train_way": 20},
    "in-context": {**_METRIC, "train_way": 20},
    "baseline": _PLAIN,
    "cosine-baseline": _PLAIN,
    "simple-shot": _PLAIN,
    "nearest-pixels": {"steps": 100, "tasks_per_step": 1, "optimizer": "adam", "outer_lr": 0.1},
}
"""What an algorithm is trained with where nothing else is said: the papers' protocols (see docs/protocols.md)."""

_SINUSOID = {"n_shot": 10, "tasks_per_step": 25, "train_query": 10, "clip": None}
SINUSOID: dict[str, dict[str, Any]] = {
    "maml": {**_SINUSOID, "inner_lr": 0.001, "test_steps": 1},
    "reptile": {
        "n_shot": 10,
        "inner_lr": 0.02,
        "inner_rule": "sgd",
        "train_shot": 50,
        "tasks_per_step": 1,
        "outer_lr": 0.1,
        "test_steps": 32,
    },
    "anil": {**_SINUSOID, "inner_lr": 0.01},
    "meta-sgd": {**_SINUSOID, "inner_lr": 0.01},
    "maml++": {**_SINUSOID, "inner_lr": 0.01},
    "imaml": {**_SINUSOID, "inner_lr": 0.01, "penalty": 2.0},
    "r2d2": {"n_shot": 10, "tasks_per_step": 25, "train_query": 10},
}
"""The same for regression on sinusoids, which not all learners can do."""


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from a TOML file, overridden by ``QUICKSTUDY_*`` variables, overridden by flags; completed and checked.

    Raises:
        SettingError: A name or value is wrong, in one line that says which and from where.

    >>> load_settings(environment={"QUICKSTUDY_STEPS": "7"}, flags={"algorithm": "maml"}).steps
    7
    """
    variables = os.environ if environment is None else environment
    given: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in (
        (str(file), _read(file) if file else {}),
        ("the environment", _variables(variables)),
        ("the command line", flags or {}),
    ):
        given |= values
        origin |= dict.fromkeys(values, source)
    return complete(given, origin)


def complete(given: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Settings:
    """What was given, checked, with what was left open filled in from the algorithm's and the data's presets."""
    for name in given:
        if name not in Settings.model_fields:
            raise SettingError(_from(name, origin) + unknown("setting", name, Settings.model_fields))
    try:
        chosen = Settings.model_validate(dict(given))
    except ValidationError as error:
        raise SettingError(_explain(error, origin)) from None
    defaults = dict(PRESETS[chosen.algorithm])
    if chosen.data == "sinusoid":
        if chosen.algorithm not in SINUSOID:
            raise SettingError(
                f"{chosen.algorithm} classifies, sinusoid is regression; choose one of {', '.join(SINUSOID)}"
            )
        defaults |= SINUSOID[chosen.algorithm]
    apt = {"sinusoid": ("mlp",), "table": ("mlp",), **dict.fromkeys(TEXT, ("residual", "mlp"))}.get(
        chosen.data, ("conv4", "conv4-maps", "resnet6", "resnet12")
    )
    if chosen.net not in (None, *apt):
        raise SettingError(
            f"net {chosen.net!r} does not take {chosen.data}, only {' or '.join(apt)}; change net or data"
        )
    own_net = defaults.pop("net", None)
    settings = Settings.model_validate({**defaults, **given})
    follow: dict[str, Any] = {
        "train_way": settings.n_way,
        "train_shot": settings.n_shot,
        "train_query": settings.n_query,
        "net": own_net if own_net in apt else apt[0],
    }
    unset = {name: value for name, value in follow.items() if getattr(settings, name) is None}
    return settings.model_copy(update=unset)


def choices(name: str) -> tuple[str, ...]:
    """The words that a setting takes; none where it takes numbers.

    >>> choices("net")
    ('conv4', 'conv4-maps', 'resnet6', 'resnet12', 'residual', 'mlp')
    """
    kinds = get_args(Settings.model_fields[name].annotation)
    return tuple(word for kind in kinds for word in (get_args(kind) or (kind,)) if isinstance(word, str))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingError(f"no settings file {str(file)!r}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{file} is no TOML file: {error}") from error


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and key != PREFIX + "CACHE"
    }


def _explain(error: ValidationError, origin: Mapping[str, str] | None) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "literal_error" and isinstance(first["input"], str) and choices(name):
        return _from(name, origin) + unknown(name, first["input"], choices(name))
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{_from(name, origin)}{name} = {first['input']!r}: {message}"


def _from(name: str, origin: Mapping[str, str] | None) -> str:
    return f"{origin[name]}: " if origin and name in origin else ""
