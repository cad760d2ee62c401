"""Everything that reads files of strangers, each as a function of one file's bytes: it is read, or refused in one line.

``tests/test_parsers.py`` holds them to that with drawn and with spoiled files, ``tests/fuzz.py`` with bred ones.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pillow_heif
import torch
from PIL import Image

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.load import load
from quickstudy.errors import QuickstudyError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences, read_sentences
from quickstudy.inputs.tables import Table
from quickstudy.learners import Prototypical
from quickstudy.nets import MLP
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete, load_settings
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.meta_album import meta_album
from quickstudy.tasks.mini_imagenet import mini_imagenet
from quickstudy.tasks.table import table
from quickstudy.training.checkpoint import read, write


class Parser(NamedTuple):
    """What is read in a folder that ``make`` filled; ``file`` is the one that strangers write."""

    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


def picture(kind: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (20, 20), (9, 99, 199)).save(content, kind)
    return content.getvalue()


def heic() -> bytes:
    content = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), (9, 99, 199))).save(content)
    return content.getvalue()


def one(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def classifier(folder: Path) -> None:
    torch.manual_seed(0)
    data = ClassDataset.from_labels(torch.rand(3, 2), ["a", "b", "c"])
    Classifier(Prototypical(MLP(2, (4,))), Arrays((2,)), data).save(folder)


def numpy_file(x: np.ndarray | None = None) -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros((3, 2)) if x is None else x, allow_pickle=False)
    return content.getvalue()


def workbook() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("text", "label"), ("will it rain", "weather"), ("a table, please", 3)):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def opened(inputs: Inputs, source: Path | bytes) -> list[Item]:
    return list(inputs.open(source))


def encode(inputs: Inputs, path: Path) -> object:
    return inputs.encode(opened(inputs, path))


def kept(inputs: Inputs, path: Path, encode: bool = True) -> object:
    """Use bytes in every way that what was kept of an example is used."""
    item = Item("example 1", path.read_bytes())
    shown = inputs.caption(item), inputs.picture(item), [name for name, _ in inputs.parts(item)], inputs.keep(item)
    return (inputs.encode([item]), shown) if encode else shown


def pictures(folder: Path) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        (folder / name / "0.png").write_bytes(picture("PNG"))


def tables(folder: Path) -> None:
    (folder / "images").mkdir()
    for i, split in enumerate(("train", "val", "test")):
        (folder / "images" / f"{i}.jpg").write_bytes(picture("JPEG"))
        (folder / f"{split}.csv").write_text(f"filename,label\n{i}.jpg,n{i}\n")


def album(folder: Path) -> None:
    (folder / "images").mkdir()
    for i in range(3):
        (folder / "images" / f"{i}.jpg").write_bytes(picture("JPEG"))
    (folder / "labels.csv").write_text("FILE_NAME,CATEGORY,SUPER_CATEGORY\n0.jpg,bee,a\n1.jpg,ant,a\n2.jpg,fly,b\n")


def run(folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"settings": complete({}).model_dump(mode="json")}))


def checkpoint(folder: Path) -> None:
    write(folder / "step", {"learner": {"w": torch.zeros(3)}}, {"step": 1})


RESULT = b'{"evaluations": [{"mean": 0.5}]}'
METRICS = (
    b'{"step": 1, "loss": 2.5, "lr": 0.001, "seconds": 0.25}\n'
    b'{"step": 2, "loss": 2.0, "lr": 0.0, "seconds": 0.5, "validation": {"metric": "accuracy", "mean": 0.5}}\n'
)
SENTENCES = b'text,label\nwill it rain,weather\n"a table, please",food\n'
LINES = b'{"text": "will it rain", "label": "weather"}\n{"text": "a table", "label": 3}\n'
TABLE = Table({"a": [1.0, 2.0]}, {"b": ["x"]})
ROWS = b"a,b,label\n1.5,x,one\n-2e3,,two\n,y,three\n"
EUROPEAN = "\ufeffa;b;label\n1,5;x;one\n-2,0;n/a;two\n3,25;y;three\n".encode("utf-16-le")
SETTINGS = b'algorithm = "maml"\nsteps = 7\ninner_lr = 0.5\npool = false\ndata_root = "there"\n'

PARSERS = {
    "settings": Parser("run.toml", one("run.toml", SETTINGS), lambda f: load_settings(f / "run.toml", {})),
    "PNG": Parser("image", one("image", picture("PNG")), lambda f: encode(Images(), f / "image")),
    "JPEG": Parser("image", one("image", picture("JPEG")), lambda f: encode(Images(3), f / "image")),
    "WebP": Parser("image", one("image", picture("WEBP")), lambda f: encode(Images(), f / "image")),
    "BMP": Parser("image", one("image", picture("BMP")), lambda f: encode(Images(), f / "image")),
    "GIF": Parser("image", one("image", picture("GIF")), lambda f: encode(Images(), f / "image")),
    "TIFF": Parser("image", one("image", picture("TIFF")), lambda f: encode(Images(), f / "image")),
    "HEIC": Parser("image", one("image", heic()), lambda f: encode(Images(), f / "image")),
    "folder": Parser("cat/0.png", pictures, lambda f: read_folder(f, Images())),
    "table": Parser("train.csv", tables, lambda f: mini_imagenet(f, size=20)),
    "labels of Meta-Album": Parser("labels.csv", album, lambda f: meta_album(f, size=20)),
    "sentences": Parser("all.csv", one("all.csv", SENTENCES), lambda f: read_sentences(f / "all.csv")),
    "lines": Parser("all.jsonl", one("all.jsonl", LINES), lambda f: read_sentences(f / "all.jsonl")),
    "workbook": Parser("all.xlsx", one("all.xlsx", workbook()), lambda f: read_sentences(f / "all.xlsx")),
    "semicolons": Parser("all.tsv", one("all.tsv", EUROPEAN), lambda f: table(f / "all.tsv")),
    "rows": Parser("all.csv", one("all.csv", ROWS), lambda f: table(f / "all.csv")),
    "row": Parser("all.csv", one("all.csv", ROWS), lambda f: encode(TABLE, f / "all.csv")),
    "upload of rows": Parser("kept", one("kept", ROWS), lambda f: opened(TABLE, (f / "kept").read_bytes())),
    "array": Parser("x.npy", one("x.npy", numpy_file()), lambda f: encode(Arrays((2,)), f / "x.npy")),
    "kept image": Parser("kept", one("kept", picture("PNG")), lambda f: kept(Images(), f / "kept")),
    "kept row": Parser("kept", one("kept", b'{"a": "1", "b": null}'), lambda f: kept(TABLE, f / "kept")),
    "kept array": Parser("kept", one("kept", numpy_file(np.zeros(2))), lambda f: kept(Arrays((2,)), f / "kept")),
    "kept sentence": Parser("kept", one("kept", b"will it rain"), lambda f: kept(Sentences(), f / "kept", False)),
    "config": Parser("config.json", classifier, Classifier.load),
    "weights": Parser("model.safetensors", classifier, Classifier.load),
    "labels": Parser("labels.safetensors", classifier, Classifier.load),
    "support": Parser("support.safetensors", classifier, Classifier.load),
    "examples": Parser("examples.safetensors", classifier, Classifier.load),
    "classifier": Parser("config.json", classifier, load),
    "run": Parser("run.json", run, lambda f: Run(f).settings),
    "metrics": Parser("metrics.jsonl", one("metrics.jsonl", METRICS), lambda f: (Run(f).seconds, Run(f).validation)),
    "result": Parser("result.json", one("result.json", RESULT), lambda f: Run(f).evaluations),
    "manifest": Parser("step/manifest.json", checkpoint, lambda f: read(f / "step")),
    "state": Parser("step/state.json", checkpoint, lambda f: read(f / "step")),
}


def refusal(parser: Parser, folder: Path) -> str:
    """The one line by which what lies in a folder is refused; nothing where it is read."""
    try:
        parser.read(folder)
    except QuickstudyError as error:
        said = str(error)
        assert said, "refused without a word"
        assert "\n" not in said, said
        assert len(said) < 2000, said
        return said
    return ""
