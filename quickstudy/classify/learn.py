"""Adaptation: classifiers from labelled examples in a folder of images or a file of sentences or rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.confidence import Confidence
from quickstudy.classify.start import Start
from quickstudy.errors import DataError, ModelError, SettingError, unknown
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset, encoded
from quickstudy.inputs.rows import COMMON, Columns, RowInputs, no_columns
from quickstudy.io.files import check_new
from quickstudy.learners import LEARNERS
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity

Look = Literal["photos", "drawings"]
"""Kind of pictures: photographs, learned by an encoder that knows things, or drawings, learned by their ink."""
_KINDS: dict[Look, str] = {"photos": "photos", "drawings": "images"}


def adapt(
    source: Path | str,
    model: Path | str | None = None,
    out: Path | str | None = None,
    columns: Columns = COMMON,
    *,
    look: Look | None = None,
    encoder: str | None = None,
    download: bool = False,
) -> Classifier:
    """Learn the classes of labelled examples.

    Args:
        source: Images, one folder per class; or a CSV, TSV, JSONL, Parquet or Excel file. Its columns are ``text`` and
            ``label``, or ``label`` and any others.
        model: Run, classifier that learns more, or name of a model that comes with quickstudy. If None, the kind of
            inputs decides. Drawings and sentences are learned by a model that comes with quickstudy. Photographs are
            embedded by a frozen encoder, and learned by ridge regression. Rows of a table are standardised and
            compared with the mean of each class.
        out: Folder of the classifier, which must not exist yet; nothing is written if None.
        columns: Other names of the columns, and the encoding of the file.
        look: "photos" or "drawings"; if None, the pictures decide.
        encoder: Frozen encoder of photographs or sentences, without a model (see ``quickstudy encoders``).
        download: Whether an encoder that is not on this machine is downloaded.

    Raises:
        DataError: The examples cannot be read, or have fewer than two classes.
        ModelError: The model is missing, or does not take the kind of examples in the source.
        SettingError: The folder exists already, or the encoder is not there.

    >>> from tempfile import TemporaryDirectory
    >>> from quickstudy.tasks.examples import examples
    >>> with TemporaryDirectory() as folder:
    ...     _ = examples(folder)
    ...     adapt(f"{folder}/pictures").predict([f"{folder}/new1.png"])
    ['six']
    """
    source = Path(source)
    if out is not None:
        check_new(Path(out))
    if model is None:
        kind = kind_of(source, columns, look, encoder)
        labelled = _labelled(kind, source, columns)
        items = [item for item, _ in labelled]
        classifier = _learned(default_start(kind, items, encoder, download=download), labelled)
    elif look is not None or encoder is not None:
        raise SettingError(f"{str(model)!r} decides how examples are encoded; leave --as and --encoder out")
    else:
        folder = ModelFolder(model)
        start = start_of(folder)
        labelled = _labelled(type(start.inputs), source, columns)
        if folder.labels is None:
            classifier = _learned(start, labelled)
        else:
            classifier = Classifier.load(folder).extend(_encoded(start.inputs, labelled))
    if classifier.separation and classifier.separation.doubtful:
        warnings.warn(str(classifier.separation), stacklevel=2)
    if out is not None:
        classifier.save(out)
    return classifier


def _labelled(kind: type[Inputs], source: Path, columns: Columns) -> list[tuple[Item, str]]:
    """Return the labelled items of a source, with a warning about the files that are left out."""
    labelled = labelled_items(kind, source, columns)
    if rest := kind.left_out(source):
        warnings.warn(rest, stacklevel=3)
    return labelled


def _learned(start: Start, labelled: Sequence[tuple[Item, str]]) -> Classifier:
    return Classifier(start.learner, start.inputs, _encoded(start.inputs, labelled), start.confidence)


def _encoded(inputs: Inputs, labelled: Sequence[tuple[Item, str]]) -> ClassDataset:
    """Return labelled items as a data set, with a warning about blank ones."""
    data = encoded(inputs, labelled)
    inputs.warn_of_blank(data.x, [item.name for item in data.items])
    return data


def start_of(model: ModelFolder) -> Start:
    """Return the starting point that a model is.

    Raises:
        ModelError: The model has no inputs, so it cannot read files.
    """
    if model.inputs is None:
        raise ModelError(
            f"{model.place!r} was not trained on {', '.join(INPUTS)}, so it cannot learn from files; give another model"
        )
    return Start(model.learner, model.inputs, model.entry("confidence", Confidence))


def default_start(
    kind: type[Inputs], items: Sequence[Item], encoder: str | None = None, *, download: bool = False
) -> Start:
    """Return the starting point for a kind of inputs without a run: its model, or else its plain head.

    Args:
        kind: Kind of inputs.
        items: Examples, to which inputs without a model are fitted.
        encoder: Frozen encoder of photographs or sentences instead of the model's.
        download: Whether an encoder that is not on this machine is downloaded.

    Raises:
        DataError: An item cannot be read.
        SettingError: The kind has no model, and its encoded inputs are not vectors.
    """
    start = None if kind.model is None else start_of(ModelFolder(kind.model))
    if start is not None and encoder is None:
        return start
    inputs = kind.fitted(items) if encoder is None else kind.encoded_by(encoder, download=download)
    if start is not None and inputs == start.inputs:
        return start
    if len(inputs.shape) != 1:
        raise SettingError(f"{inputs.noun}s of shape {inputs.shape} have no default model; give a run")
    head: Any = LEARNERS[kind.head]
    return Start(head(Identity(inputs.shape[0])), inputs)


def labelled_items(kind: type[Inputs], source: Path, columns: Columns = COMMON) -> list[tuple[Item, str]]:
    """Return the items of a file or folder with their labels.

    Raises:
        DataError: The source cannot be read, or an item has no label.
        SettingError: Columns are given for inputs that are not rows.
    """
    if columns == COMMON:
        return kind.labelled(source)
    if not issubclass(kind, RowInputs):
        raise no_columns(kind.noun)
    return kind.labelled(source, columns)


def kind_of(
    source: Path, columns: Columns = COMMON, look: Look | None = None, encoder: str | None = None
) -> type[Inputs]:
    """Return the kind of inputs that a file or folder holds.

    Args:
        source: File or folder of labelled examples.
        columns: Other names of the columns, and the encoding of the file.
        look: Kind of pictures; if None, they decide.
        encoder: Encoder, which drawings do not have.

    Raises:
        DataError: No kind recognises the file or folder.
        SettingError: A look is given for something that is not a folder of pictures.
    """
    if look is not None and look not in _KINDS:
        raise SettingError(unknown("look", look, _KINDS))
    if (look or encoder) and INPUTS["images"].recognises(source):
        return INPUTS[_KINDS[look or "photos"]]
    if look is not None:
        raise SettingError(f"{str(source)!r} is not a folder of pictures; leave --as out")
    for kind in INPUTS.values():
        if columns != COMMON and issubclass(kind, RowInputs):
            recognised = kind.recognises(source, columns)
        else:
            recognised = kind.recognises(source)
        if recognised:
            return kind
    fault = "does not exist" if not source.exists() else "is not a source of examples"
    raise DataError(
        f"{str(source)!r} {fault}; give a folder of class folders, or a CSV, TSV, JSONL, Parquet or Excel file"
    )
