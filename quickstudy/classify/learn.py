"""Adaptation: classifiers from labelled examples in a folder of images or a file of sentences or rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.confidence import Confidence
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset, encoded
from quickstudy.io.files import check_new, whole_folder
from quickstudy.learners.prototypical import Prototypical
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity


def adapt(source: Path | str, model: Path | str | None = None, out: Path | str | None = None) -> Classifier:
    """Learn the classes of labelled examples.

    Args:
        source: Images, one folder per class; or a CSV, JSONL or Parquet file with the columns ``text`` and ``label``,
            or with ``label`` and any other columns.
        model: Run, classifier that learns more, or name of a model that comes with quickstudy. If None, the kind of
            inputs decides. Images and sentences are learned by a model that comes with quickstudy. Rows of a table
            are standardised and compared with the mean of each class.
        out: Folder of the classifier, which must not exist yet; nothing is written if None.

    Raises:
        DataError: The examples cannot be read, or have fewer than two classes.
        ModelError: The model is missing, or does not take the kind of examples in the source.
        SettingError: The folder exists already.
    """
    source = Path(source)
    if out is not None:
        check_new(Path(out))
    if model is None:
        classifier = without_run(source)
    else:
        folder = ModelFolder(model)
        inputs = taking(folder)
        classifier = with_model(folder, encoded(inputs, inputs.labelled(source)))
    if out is not None:
        with whole_folder(Path(out)) as partial:
            classifier.save(partial)
    return classifier


def taking(model: ModelFolder) -> Inputs:
    """Return the inputs of a model.

    Raises:
        ModelError: The model has no inputs, so it cannot read files.
    """
    if model.inputs is None:
        raise ModelError(
            f"{model.place!r} was not trained on {', '.join(INPUTS)}, so it cannot learn from files; give another model"
        )
    return model.inputs


def with_model(model: ModelFolder, data: ClassDataset) -> Classifier:
    """Return a classifier of some examples by a model; a classifier learns them in addition to its own."""
    if model.labels is not None:
        return Classifier.load(model).extend(data)
    return Classifier(model.learner, taking(model), data, model.entry("confidence", Confidence))


def without_run(source: Path) -> Classifier:
    """Return a classifier of labelled examples by the default model of their kind."""
    kind = kind_of(source)
    return with_default(kind, kind.labelled(source))


def kind_of(source: Path) -> type[Inputs]:
    """Return the kind of inputs that a file or folder holds.

    Raises:
        DataError: No kind recognises the file or folder.
    """
    for kind in INPUTS.values():
        if kind.recognises(source):
            return kind
    fault = "does not exist" if not source.exists() else "is not a source of examples"
    raise DataError(f"{str(source)!r} {fault}; give a folder of class folders, or a CSV, JSONL or Parquet file")


def with_default(kind: type[Inputs], labelled: Sequence[tuple[Item, str]]) -> Classifier:
    """Return a classifier of labelled items by the default model of their kind, or else by the nearest class mean.

    Raises:
        DataError: An item cannot be read.
        SettingError: The kind has no model, and its encoded inputs are not vectors.
    """
    if kind.model is not None:
        model = ModelFolder(kind.model)
        return with_model(model, encoded(taking(model), labelled))
    inputs = kind.fitted([item for item, _ in labelled])
    if len(inputs.shape) != 1:
        raise SettingError(f"{inputs.noun}s of shape {inputs.shape} have no default model; give a run")
    return Classifier(Prototypical(Identity(inputs.shape[0])), inputs, encoded(inputs, labelled))
