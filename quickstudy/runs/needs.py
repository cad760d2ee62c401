"""Needs: conditions on other settings without which a setting has no effect."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from quickstudy.inputs import INPUTS
from quickstudy.learners.registry import LEARNERS
from quickstudy.nets.registry import NETS
from quickstudy.registry import Registry
from quickstudy.tasks.sources import SOURCES

if TYPE_CHECKING:
    from quickstudy.inputs.base import Inputs


class Need(NamedTuple):
    """Condition without which a setting has no effect.

    Attributes:
        words: Text of the condition, which follows "it needs" in messages.
        by: Names of the settings that decide whether the condition holds.
        holds: Function of completed settings that returns whether the condition holds.
    """

    words: str
    by: tuple[str, ...]
    holds: Callable[[Any], bool]


def only(setting: str, *values: Any) -> Need:
    """Return the need that another setting has one of some values.

    >>> only("schedule", "halving").words
    'schedule = halving'
    """
    words = f"{setting} = {' or '.join(str(value) for value in values)}"
    return Need(words, (setting,), lambda settings: getattr(settings, setting) in values)


def takes(registry: Registry[Any], name: str | None, *arguments: str) -> bool:
    """Return whether the constructor of a registered class takes any of some arguments; the class is imported.

    >>> takes(NETS, "conv4", "pool"), takes(NETS, "resnet12", "pool")
    (True, False)
    """
    return name is not None and any(a in inspect.signature(registry[name].__init__).parameters for a in arguments)


def default_of(settings: Any, name: str) -> Any:
    """Return the value of a setting of a run: None stands for the default of the class that takes it.

    >>> from quickstudy.runs.settings import complete
    >>> default_of(complete({"algorithm": "maml"}), "inner_lr")
    0.4
    """
    value = getattr(settings, name)
    chosen = (LEARNERS, settings.algorithm), (NETS, settings.net), (SOURCES, settings.data)
    for registry, owner in chosen:
        if value is None and takes(registry, owner, name):
            default = inspect.signature(registry[owner].__init__).parameters[name].default
            value = None if default is inspect.Parameter.empty else default
    return value


def kind_of(source: str, inputs: str | None = None) -> type[Inputs] | None:
    """Return the kind of inputs of a source, which is imported; None if its tasks are functions.

    Args:
        source: Name of the source.
        inputs: Setting ``inputs``: another kind, as which the images of the source are read.

    >>> kind_of("digits").__name__, kind_of("digits", "photos").__name__, kind_of("sinusoid")
    ('Images', 'Photos', None)
    """
    kind: type[Inputs] | None = getattr(SOURCES[source], "kind", None)
    return INPUTS[inputs] if inputs is not None and kind is not None and kind.spatial else kind


HALVING = only("schedule", "halving")
SGD = only("optimizer", "sgd")
FULL_CONTEXT = only("full_context", True)
FOLDERS = Need(
    "data = folders, as images", ("data", "inputs"), lambda s: s.inputs is None and takes(SOURCES, s.data, "image_size")
)
TEXTS = Need("data = text", ("data",), lambda s: takes(SOURCES, s.data, "text_column"))
ROWS = Need("data = text or table", ("data",), lambda s: takes(SOURCES, s.data, "label_column"))
SPLIT = Need("data = omniglot", ("data",), lambda s: takes(SOURCES, s.data, "split"))
OMNIGLOT = only("data", "omniglot")
CHARACTERS = Need(
    "data = glyphs, or omniglot as images",
    ("data", "inputs"),
    lambda s: s.data == "glyphs" or (s.data == "omniglot" and s.inputs is None),
)
CLASSES = Need("data with classes", ("data",), lambda s: kind_of(s.data) is not None)
IMAGES = Need(
    "data that are images", ("data", "inputs"), lambda s: getattr(kind_of(s.data, s.inputs), "spatial", False)
)
PICTURES = Need("data that are images", ("data",), lambda s: getattr(kind_of(s.data), "spatial", False))
ENCODED = Need("photos or sentences", ("data", "inputs"), lambda s: getattr(kind_of(s.data, s.inputs), "frozen", False))
COLOUR = Need(
    "data that are images in colour",
    ("data", "inputs", "channels"),
    lambda s: IMAGES.holds(s) and (s.channels == 3 if FOLDERS.holds(s) else getattr(SOURCES[s.data], "colour", False)),
)
EPISODIC = Need("an algorithm that trains on tasks", ("algorithm",), lambda s: LEARNERS[s.algorithm].episodic)
PLAIN = Need("an algorithm that trains on plain batches", ("algorithm",), lambda s: not LEARNERS[s.algorithm].episodic)
TURNED_TASKS = Need(
    "an algorithm that trains on tasks", ("algorithm",), lambda s: s.rotations != "tasks" or EPISODIC.holds(s)
)
QUERIES = Need(
    "an algorithm that learns from queries", ("algorithm",), lambda s: s.algorithm != "reptile" or s.train_query == 0
)
NET = Need("an algorithm with a net", ("algorithm",), lambda s: takes(LEARNERS, s.algorithm, "net"))
WIDTH = Need(
    "a net with a width",
    ("net", "data"),
    lambda s: kind_of(s.data) is not None and takes(NETS, s.net, "width", "hidden"),
)
POOL = Need("a net that can pool, such as conv4", ("net",), lambda s: takes(NETS, s.net, "pool"))
NORMS = Need(
    "a net with batch normalisation", ("net",), lambda s: s.net not in ("mlp", "residual") or not s.transductive
)
WORKERS = Need("workers = 2 or more", ("workers",), lambda s: s.workers > 1 or "WORLD_SIZE" in os.environ)  # torchrun
