"""One validated description of a run, from a file, the environment and flags, in that order of growing precedence.

pydantic validates it, and is imported only then: the command line shows its help without pydantic.
"""

# ruff: noqa: RUF009  (`_setting` makes a field, as `dataclasses.field` does)
from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from quickstudy.errors import SettingError, unknown

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

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


def _setting(default: Any, description: str, **bounds: float) -> Any:
    """A field with its description and what pydantic's ``Field`` takes besides."""
    return field(default=default, metadata={"description": description, **bounds})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a run. What is None follows the algorithm or the data; ``complete`` fills it in.

    ``complete`` and ``load_settings`` make and validate one.
    """

    algorithm: Algorithm = _setting("prototypical", "How it learns; `quickstudy algorithms` explains each.")
    seed: int = _setting(0, "Of weights, splits and tasks.", ge=0, lt=2**63)

    data: Data = _setting("glyphs", "What tasks are drawn from.")
    data_root: Path | None = _setting(None, "Folder of the data; the cache folder if not given.")
    split: Literal["background", "vinyals", "random", "small1", "small2"] = _setting(
        "background", "Classes of Omniglot's splits."
    )
    rotations: Literal["none", "classes", "tasks"] = _setting(
        "none", "Turned training images: as new classes, or one turn a class a task."
    )
    within_alphabets: bool = _setting(False, "Train on tasks whose characters are of one alphabet (omniglot).")
    warp: bool = _setting(False, "Distort each training image a little: turn, shear, scale, move.")
    glyph_classes: int | None = _setting(
        None, "Invented characters to train on: of glyphs 600 if not set, and beside omniglot none.", ge=1
    )
    init: Path | None = _setting(None, "Model whose net the training starts from.")
    image_size: int = _setting(28, "Pixels a side that images of folders are brought to.", ge=16)
    channels: Literal[1, 3] = _setting(1, "1 reads images of folders as grey, 3 as colour.")
    ink: bool = _setting(True, "Images of folders are drawings: paper becomes 0 and ink 1.")
    n_way: int = _setting(5, "Classes of a validation or test task.", ge=1)
    n_shot: int = _setting(1, "Support examples a class.", ge=1)
    n_query: int = _setting(15, "Query examples a class.", ge=1)
    train_way: int | None = _setting(None, "Classes of a training task, at most all; n_way if not set.", ge=1)
    train_shot: int | None = _setting(None, "Support examples a class in training; n_shot if not set.", ge=1)
    train_query: int | None = _setting(None, "Query examples a class in training; n_query if not set.", ge=0)

    net: Literal["conv4", "conv4-maps", "resnet6", "resnet12", "residual", "mlp"] | None = _setting(
        None, "conv4, conv4-maps, resnet6 and resnet12 for images, residual for sentences, mlp for tables."
    )
    width: int = _setting(64, "Filters of the first convolution.", ge=1)
    pool: bool | None = _setting(None, "Halve conv4 by max pooling; if not, by a stride of 2.")

    inner_lr: float | None = _setting(None, "Inner step size.", gt=0)
    inner_steps: int | None = _setting(None, "Inner steps in training; LR-D2's Newton steps.", ge=0)
    test_steps: int | None = _setting(None, "Inner steps outside of training.", ge=0)
    learned_head: bool | None = _setting(None, "Meta-learn the head too, not the net alone.")
    first_order: bool | None = _setting(None, "Drop the inner loop's second derivatives.")
    penalty: float | None = _setting(None, "Of implicit MAML's distance from the meta-learned weights.", gt=0)
    cg_steps: int | None = _setting(None, "Implicit MAML's steps of conjugate gradient.", ge=0)
    damping: float | None = _setting(None, "Added to implicit MAML's penalty in its outer gradient.", ge=0)
    inner_rule: Literal["sgd", "momentum", "adam", "adamw", "rmsprop"] | None = _setting(
        None, "Inner update of MAML and Reptile."
    )
    adapt_only: str | None = _setting(
        None, "What the inner loop changes: all, head, body, norm, or a pattern of names."
    )
    inner_batch: int | None = _setting(None, "Reptile's examples of an inner training step.", ge=1)
    full_context: bool | None = _setting(None, "Matching Networks' full-context embeddings.")
    attention_steps: int | None = _setting(None, "Steps of full context's attention LSTM.", ge=1)
    layers: int | None = _setting(None, "Layers of the in-context transformer.", ge=0)
    head_lr: float | None = _setting(None, "Step size of a baseline's new head.", gt=0)
    head_steps: int | None = _setting(None, "Gradient steps of a baseline's new head.", ge=0)
    transductive: bool | None = _setting(None, "Normalise queries by their own batch statistics.")

    steps: int = _setting(5000, "Outer steps.", ge=1)
    tasks_per_step: int | None = _setting(None, "Tasks of an outer step.", ge=1)
    batch_size: int | None = _setting(None, "Examples of a training step on plain batches.", ge=1)
    outer_lr: float | None = _setting(None, "Outer learning rate.", gt=0)
    optimizer: Literal["adam", "sgd"] | None = _setting(None, "Outer optimiser.")
    schedule: Literal["constant", "cosine", "linear", "halving"] = _setting(
        "cosine", "Of the outer rate: cosine and linear fall to 0; halving halves it every so often."
    )
    halve_every: int = _setting(2000, "Steps of schedule halving from one half to the next.", ge=1)
    clip: float | None = _setting(None, "Largest absolute entry of an outer gradient.", gt=0)
    precision: Literal["float32", "bfloat16"] = _setting("float32", "Of the training loss.")
    engine: Literal["auto", "vmap", "loop"] = _setting(
        "auto", "Tasks together (vmap), one after another, or what pays."
    )
    validate_every: int = _setting(500, "Steps from one validation to the next.", ge=1)
    validation_tasks: int = _setting(200, "Tasks of a validation.", ge=2)
    patience: int | None = _setting(None, "Stop after so many validations without a better one.", ge=1)
    save_every: int | None = _setting(None, "Steps between checkpoints; validate_every if not set.", ge=1)
    skip_bad_tasks: bool = _setting(False, "Leave out tasks whose loss is NaN or infinite, and count them.")
    tensorboard: bool = _setting(False, "Write metrics for TensorBoard too, in the run folder.")
    device: str = _setting("auto", "cpu, cuda, or auto.")
    workers: int = _setting(1, "Local processes that share a step's tasks, one thread each.", ge=1)
    worker_timeout: float = _setting(600, "Seconds after which a worker that stands still is given up.", gt=0)
    threads: int | None = _setting(None, "CPU threads; torch's own choice if not set.", ge=1)

    def model_dump(self, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Return all settings by name; in mode "json" paths are words."""
        return {k: str(v) if mode == "json" and isinstance(v, Path) else v for k, v in asdict(self).items()}

    def model_copy(self, update: Mapping[str, Any]) -> Settings:
        """Return the same settings but for those given, which are not validated."""
        return replace(self, **update)


FIELDS = {field.name: field for field in fields(Settings)}
"""Default and description of each setting, by name."""


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
        if name not in FIELDS:
            raise SettingError(_from(name, origin) + unknown("setting", name, FIELDS))
    chosen = _validated(given, origin)
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
    settings = _validated({**defaults, **given}, origin)
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
    return tuple(word for kind in kinds(name) for word in get_args(kind) if isinstance(word, str))


def kinds(name: str) -> tuple[Any, ...]:
    """The types that a setting takes beside None.

    >>> kinds("inner_lr")
    (<class 'float'>,)
    """
    hint = _hints()[name]
    union = get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)
    return tuple(kind for kind in union if kind is not type(None))


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)


@cache
def _schema() -> type[BaseModel]:
    """The settings as a pydantic model."""
    from pydantic import BeforeValidator, ConfigDict, Field, create_model

    hints = _hints() | {"channels": Annotated[Literal[1, 3], BeforeValidator(_number)]}
    entries: dict[str, Any] = {name: (hints[name], Field(f.default, **f.metadata)) for name, f in FIELDS.items()}
    return create_model("Settings", __config__=ConfigDict(allow_inf_nan=False, validate_default=True), **entries)


def _number(value: Any) -> Any:
    """Flags and variables are text, and a literal number is not read from text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _validated(given: Mapping[str, Any], origin: Mapping[str, str] | None) -> Settings:
    from pydantic import ValidationError

    try:
        return Settings(**_schema().model_validate(dict(given)).model_dump())
    except ValidationError as error:
        raise SettingError(_explain(error, origin)) from None


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
