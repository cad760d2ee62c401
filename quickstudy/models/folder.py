"""Model saved as a folder of data.

``config.json`` says how to build the learner and its inputs. ``model.safetensors`` holds the weights. For a classifier,
``labels.safetensors`` holds its labels, ``support.safetensors`` its encoded examples, and ``examples.safetensors`` the
names and small copies of these.
``probe.safetensors`` holds answers to a task of noise, and ``seal.json`` the SHA-256 of each file.

Nothing is unpickled. Files are checked before memory is allocated for their content and before it is used. A file that
fails the check is refused with a one-line error. All files of a model are replaced together, or none of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from quickstudy.errors import ModelError, SettingError, one_line
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs
from quickstudy.io.files import MAX_JSON, finish, read_json, replace, whole_files
from quickstudy.io.tensors import MAX_FILE, Kind, joined_texts, pack, split_texts, unpack
from quickstudy.learners import Learner
from quickstudy.models.build import blank, build, construct
from quickstudy.models.formats import from_format_1, labels_of_format_2
from quickstudy.models.seal import TOLERANCE, changed, difference, probe_of, read_seal, write_seal
from quickstudy.models.state import fill, kinds, saved

T = TypeVar("T")
FORMAT = 4
"""Number of the format that is written; a folder with a higher number was written by a later version."""
SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the models that come with quickstudy, one folder per name."""
_LABELS = "labels.safetensors"


class ModelFolder:
    """Folder of a model. Each file is read once, when it is first needed. A write that was killed is completed first.

    Args:
        place: A folder, or the name of a model that comes with quickstudy (see ``locate``).

    Raises:
        ModelError: A killed write cannot be completed.

    >>> model = ModelFolder("glyphs-proto")
    >>> type(model.learner).__name__, model.inputs, model.labels
    ('Prototypical', Images(channels=1, size=28, ink=True), None)
    """

    def __init__(self, place: Path | str) -> None:
        self.place, self.path = str(place), locate(place)
        try:
            finish(self.path)
        except OSError as error:
            raise ModelError(
                f"{self.place!r} was not written completely, and this cannot be completed: {error.strerror}; make the "
                f"folder writable"
            ) from error

    @cached_property
    def config(self) -> dict[str, Any]:
        """Contents of ``config.json``, checked and converted to the current format.

        Raises:
            ModelError: The folder has no model, or its format is later than this version reads.
        """
        path = self.path / "config.json"
        if not os.path.lexists(path):
            if (record := self.path / "run.json").is_file():
                refuse_agent(self.place, read_json(record))
            raise ModelError(
                f"no model in {self.place!r}: config.json is missing; give the folder of a run, or one of the names "
                f"{', '.join(shipped())}"
            )
        config = read_json(path)
        if not isinstance(config, dict) or not isinstance(config.get("learner"), dict):
            raise ModelError(f"{path} is not a model's config: it has no 'learner'; train or adapt again")
        if config.get("format") == 1:
            return from_format_1(config)
        if config.get("format") not in (2, 3, FORMAT):  # formats.py has what was otherwise in them
            raise ModelError(
                f"{path} has format {one_line(repr(config.get('format')))}, this version reads 1 to {FORMAT}; upgrade"
            )
        return config

    @cached_property
    def learner(self) -> Learner:
        """The learner, ready to predict (in evaluation mode).

        Raises:
            ModelError: A file is missing, damaged, a link, too large, of a later format, or does not fit the others.
        """
        described, path = self.config["learner"], self.path / "model.safetensors"
        with torch.random.fork_rng(devices=[]):  # building draws random weights, which are then replaced
            try:
                expected = kinds(blank(described))
            except ModelError as error:
                raise ModelError(f"{self.path / 'config.json'}: {error}") from error
            tensors = unpack(path, expected)
            learner = build(described)
        fill(learner, tensors, self.config, f"{path}: ")
        learner.balanced = learner.balanced if self.balanced is None else self.balanced
        return learner.eval()

    @cached_property
    def inputs(self) -> Inputs | None:
        """The inputs that encode items for the learner; None if the model has none.

        Raises:
            ModelError: The entry is not a known kind of inputs.
        """
        return self._inputs_of(self.config.get("inputs"))

    def _inputs_of(self, entry: Any) -> Inputs | None:
        if entry is None:
            return None
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in INPUTS:
            raise ModelError(f"{self._says('inputs', entry)}; the kind must be one of {', '.join(INPUTS)}")
        return self._constructed("inputs", INPUTS[name], {k: v for k, v in entry.items() if k != "name"})

    @cached_property
    def labels(self) -> tuple[str, ...] | None:
        """Labels of a classifier; None for a learner.

        Raises:
            ModelError: They are not a list of words, or their file is missing or damaged.
        """
        if (n := self.config.get("n_labels")) is None:
            return labels_of_format_2(self.path, self.config)
        if not isinstance(n, int):
            raise ModelError(f"{self._says('n_labels', n)}, which is not a number of labels; adapt again")
        parts = self.tensors(_LABELS, {"labels": (torch.uint8, (-1,)), "ends": (torch.int64, (n,))})
        try:
            return tuple(split_texts(parts["labels"], parts["ends"]))
        except ModelError as error:
            raise ModelError(f"{self.path / _LABELS} is damaged: {error}") from error

    @cached_property
    def balanced(self) -> bool | None:
        """Whether classes of unequal numbers of examples weigh the same; not in a classifier before format 4.

        None leaves it to the learner's class, as folders of learners of earlier versions do.

        Raises:
            ModelError: The entry is no truth value.
        """
        is_learner = self.config.get("n_labels", self.config.get("labels")) is None
        balanced = self.config.get("balanced", None if is_learner else self.config["format"] == FORMAT)
        if not isinstance(balanced, bool | None):
            raise ModelError(f"{self._says('balanced', balanced)}, which is neither true nor false; adapt again")
        return balanced

    def entry(self, name: str, cls: type[T]) -> T | None:
        """Return an entry of the config as an object of a class; None if it is missing.

        Raises:
            ModelError: The entry does not fit the class.
        """
        arguments = self.config.get(name)
        return self._constructed(name, cls, arguments) if arguments else None

    def tensors(self, name: str, expected: dict[str, Kind]) -> dict[str, Tensor]:
        """Return the tensors of a file of the folder.

        Raises:
            ModelError: The file is missing or damaged, or its tensors are not the expected ones.
        """
        return unpack(self.path / name, expected)

    def write(
        self,
        learner: Learner,
        inputs: Inputs | None = None,
        tensors: Mapping[str, Mapping[str, Tensor]] | None = None,
        labels: Sequence[str] | None = None,
        **entries: Any,
    ) -> None:
        """Save a model and seal it. If that fails, the folder stays as it was.

        Args:
            learner: Learner of a class in ``LEARNERS``.
            inputs: Inputs of a class in ``INPUTS``.
            tensors: Tensors of additional files, by file name.
            labels: Labels of a classifier.
            entries: Additional entries of the config, plain data.

        Raises:
            ModelError: The learner, its net or the inputs are not registered, or what is written could not be loaded.
        """
        data = saved(learner)
        tensors = dict(tensors or {})
        if labels is not None:
            entries["n_labels"] = len(labels)
            tensors[_LABELS] = dict(zip(("labels", "ends"), joined_texts(labels), strict=True))
        about = inputs and describe_inputs(inputs)
        config = {"format": FORMAT, **data.config, "inputs": about, **entries}
        self._inputs_of(json.loads(_json(about)))  # fails for inputs that could not be loaded
        content = {"config.json": _json(config), "model.safetensors": pack(data.tensors)}
        content |= {name: pack(parts) for name, parts in tensors.items()}
        content |= {"probe.safetensors": pack(data.probe)} if data.probe else {}
        self._replace(content, {})

    def amend(self, **entries: Any) -> None:
        """Add or replace entries of the config, and seal the folder again.

        Raises:
            ModelError: The model is damaged: its files differ from the seal. Or the config would be too large.
        """
        sums = read_seal(self.path)
        for fault in changed(self.path, sums):
            raise ModelError(f"{fault}; nothing is written")
        self._replace({"config.json": _json(self.config | entries)}, sums)

    def faults(self) -> Iterator[str]:
        """Yield one line for each difference between the folder and its seal.

        Raises:
            ModelError: There is no seal, or the model cannot be loaded at all.
        """
        sums = read_seal(self.path)
        yield from changed(self.path, sums)
        if "probe.safetensors" not in sums or not (fresh := probe_of(self.learner)):
            return
        expected: dict[str, Kind] = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in fresh.items()}
        probe = self.tensors("probe.safetensors", expected)
        off = difference(self.learner, probe)
        if not off <= TOLERANCE:
            yield f"{self.path} answers its stored inputs differently than when it was written, by {off:.1e} relative"

    def _replace(self, content: Mapping[str, bytes], sums: Mapping[str, str]) -> None:
        """Replace files of the folder, and the seal: all, or none.

        Args:
            content: Content of each new file, by name.
            sums: SHA-256 of the files that stay, by name.
        """
        for name, data in content.items():
            if len(data) > (most := MAX_JSON if name.endswith(".json") else MAX_FILE):
                raise ModelError(f"{name} would have {len(data)} bytes, but at most {most} can be loaded; save less")
        with whole_files(self.path) as partial:
            for name, data in content.items():
                replace(partial / name, data)
            write_seal(partial, {**sums, **{name: hashlib.sha256(data).hexdigest() for name, data in content.items()}})
        for name in ("config", "labels", "inputs", "learner", "balanced"):
            self.__dict__.pop(name, None)

    def _constructed(self, name: str, cls: type[T], arguments: Any) -> T:
        try:
            return construct(cls, arguments)
        except (AttributeError, TypeError, SettingError) as error:
            raise ModelError(f"{self._says(name, arguments)}: {error}; train or calibrate again") from error

    def _says(self, name: str, entry: object) -> str:
        return f"{self.path / 'config.json'} says {name} = {one_line(repr(entry))}"


def locate(model: Path | str) -> Path:
    """Return the folder of a model: that of a model of quickstudy by its name, or else the path itself.

    >>> locate("glyphs-proto").parent.name, locate("runs/mine")
    ('shipped', PosixPath('runs/mine'))
    """
    named = SHIPPED / str(model)
    return named if named.parent == SHIPPED and named.is_dir() and not Path(model).exists() else Path(model)


def shipped() -> list[str]:
    """Return the names of the models that come with quickstudy.

    >>> "glyphs-proto" in shipped()
    True
    """
    return sorted(folder.name for folder in SHIPPED.iterdir())


def save(learner: Learner, folder: Path | str, inputs: Inputs | None = None) -> None:
    """Save a learner in a folder, as data.

    Args:
        learner: Learner of a class in ``LEARNERS``.
        folder: Folder of the model; it is created if missing.
        inputs: Inputs that encode items for the learner.

    Raises:
        ModelError: The learner, its net or the inputs are not registered.

    >>> from tempfile import TemporaryDirectory
    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import MLP
    >>> with TemporaryDirectory() as folder:
    ...     save(Prototypical(MLP(2, (8,))), folder)
    ...     sorted(path.name for path in Path(folder).iterdir())[:2]
    ['config.json', 'model.safetensors']
    """
    ModelFolder(Path(folder)).write(learner, inputs)


def describe_inputs(inputs: Inputs) -> dict[str, Any]:
    """Return the name of a kind of inputs and its arguments, as plain data.

    Raises:
        ModelError: The kind is not registered.

    >>> from quickstudy.inputs.arrays import Arrays
    >>> describe_inputs(Arrays((2,)))
    {'name': 'arrays', 'shape': (2,)}
    """
    name = INPUTS.name_of(type(inputs))
    if name is None:
        raise ModelError(f"{type(inputs).__name__} is not registered; add it by quickstudy.INPUTS.register")
    return {"name": name, **vars(inputs)}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def refuse_agent(name: str, record: Any) -> None:
    """Refuse the record of a run that trained an agent, which other commands read.

    Raises:
        ModelError: The record is of ``quickstudy rl train``.

    >>> refuse_agent("point", {"settings": {"agent": "maml"}})
    Traceback (most recent call last):
        ...
    quickstudy.errors.ModelError: 'point' is a run of `quickstudy rl train`; use `quickstudy rl evaluate` or `adapt`
    """
    settings = record.get("settings") if isinstance(record, dict) else None
    if isinstance(settings, dict) and "agent" in settings:
        raise ModelError(f"{name!r} is a run of `quickstudy rl train`; use `quickstudy rl evaluate` or `adapt`")
