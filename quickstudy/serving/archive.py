"""Classifiers as .zip files: written, and read from people who are not trusted."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import ModelError
from quickstudy.models.folder import ModelFolder
from quickstudy.models.seal import FILES, read_seal
from quickstudy.serving.limits import Limits, Refused

_SEAL = "seal.json"


def packed(name: str, folder: Path) -> bytes:
    """Return the files of a classifier's folder as a .zip file with one folder in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for each in (*read_seal(folder), _SEAL):
            file.write(folder / each, f"{name}/{each}")
    return content.getvalue()


def unpack(content: bytes, folder: Path, limits: Limits) -> Classifier:
    """Write the files of a .zip file to an empty folder, and load the classifier.

    Only the files of a classifier are written, under their own names. Others are refused, so no name leads elsewhere.

    Raises:
        Refused: The files are too large, or the classifier has too many classes or examples.
        ModelError: The file is damaged, or holds no classifier.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            for entry in _entries(file, limits):
                with file.open(entry) as source:
                    (folder / _name(entry)).write_bytes(source.read(limits.unpacked + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError("the .zip file is damaged or of another kind; save the classifier again") from error
    model = ModelFolder(folder)
    try:
        _check_steps(model, limits)
        for fault in model.faults():
            raise ModelError(fault)
        return Classifier.load(model)
    except ModelError as error:
        raise ModelError(str(error).replace(f"{folder}/", "").replace(str(folder), "the .zip file")) from error


def _entries(file: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, all of which are files of one classifier."""
    entries = [entry for entry in file.infolist()[:100] if not entry.is_dir()]
    names = [_name(entry) for entry in entries]
    folders = {entry.filename.rpartition("/")[0] for entry in entries}
    others = sorted(set(names) - {*FILES, _SEAL})
    odd = any("/" in each or "\\" in each or each.startswith(".") or ":" in each for each in folders)
    if others or odd or len(folders) != 1 or len(set(names)) < len(names) or len(file.infolist()) > 100:
        raise ModelError("the .zip file holds other files than those of one classifier; save the classifier again")
    if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        raise ModelError("the .zip file holds a link; save the classifier again")
    if (size := sum(entry.file_size for entry in entries)) > limits.unpacked:
        raise Refused(413, f"the files have {size} bytes, at most {limits.unpacked} are allowed; save less")
    return entries


def _name(entry: zipfile.ZipInfo) -> str:
    return entry.filename.rpartition("/")[2]


def _check_steps(model: ModelFolder, limits: Limits) -> None:
    """Refuse a learner that would learn for hours."""
    for name, value in model.config["learner"].items():
        if "steps" in name and isinstance(value, int) and value > limits.steps:
            raise ModelError(f"the learner has {name} = {value}, at most {limits.steps} are allowed; train again")
