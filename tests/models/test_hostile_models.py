"""Model folders made to harm: each is refused in a line that names the file, after few bytes, and nothing is run."""

import io
import json
import math
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.explanation import explain
from quickstudy.classify.page import page
from quickstudy.errors import DataError, ModelError
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.io.tensors import joined_bytes, pack
from quickstudy.learners import MAML
from quickstudy.models.folder import FORMAT
from quickstudy.nets import Conv4
from tests.limits import used

Spoil = Callable[[Path], object]
MODEL, CONFIG, SUPPORT = "model.safetensors", "config.json", "support.safetensors"
EXAMPLES, LABELS = "examples.safetensors", "labels.safetensors"
CANARY = "quickstudy-canary"


class Canary:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, (CANARY,)


PICKLE = pickle.dumps(Canary())


def torch_file(value: object, **options: bool) -> bytes:
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


def numpy_file(save: Callable[..., None]) -> bytes:
    content = io.BytesIO()
    save(content, np.array([Canary()], dtype=object), allow_pickle=True)
    return content.getvalue()


def archive(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, inside in members:
            file.writestr(name, inside)
    return content.getvalue()


def tape(name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        file.addfile(tarfile.TarInfo(name))
    return content.getvalue()


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: object = (1,), begin: object = 0, end: object = 4, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def content(name: str, made: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(made)


def cut(name: str, kept: float) -> Spoil:
    def spoil(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(kept * (len(whole) - 1))])

    return spoil


def flip(name: str, at: float) -> Spoil:
    def spoil(folder: Path) -> None:
        whole = bytearray((folder / name).read_bytes())
        whole[int(at * len(whole))] ^= 16
        (folder / name).write_bytes(whole)

    return spoil


def sparse(name: str, size: int, head: bytes = b"") -> Spoil:
    def spoil(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.write(head)
            file.truncate(size)

    return spoil


def instead(name: str, make: Callable[[Path], object]) -> Spoil:
    """Something that is no file in the place of one."""

    def spoil(folder: Path) -> None:
        (folder / name).rename(folder.parent / name)
        make(folder / name)

    return spoil


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "a link to the file outside": lambda path: path.symlink_to(path.parent.parent / path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe that nobody writes": os.mkfifo,
    "a folder": Path.mkdir,
}


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], name: str = MODEL) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(pack(change(load_file(folder / name))))

    return spoil


def header(change: Callable[[dict[str, dict[str, object]]], object]) -> Spoil:
    """The weights' own header, changed in place, before the same data."""

    def spoil(folder: Path) -> None:
        whole = (folder / MODEL).read_bytes()
        size = struct.unpack("<Q", whole[:8])[0]
        there = json.loads(whole[8 : 8 + size])
        (folder / MODEL).write_bytes(raw(change(there) or there, whole[8 + size :]))

    return spoil


def config(**entries: object) -> Spoil:
    def spoil(folder: Path) -> None:
        there = json.loads((folder / CONFIG).read_bytes())
        (folder / CONFIG).write_text(json.dumps(there | entries))

    return spoil


def learner(net: dict[str, object] | None = None, **entries: object) -> Spoil:
    def spoil(folder: Path) -> None:
        there = json.loads((folder / CONFIG).read_bytes())
        there["learner"] |= entries
        there["learner"]["net"] |= net or {}
        (folder / CONFIG).write_text(json.dumps(there))

    return spoil


def beside(name: str, made: bytes) -> Spoil:
    """Only what other libraries would unpickle."""

    def spoil(folder: Path) -> None:
        (folder / MODEL).unlink()
        (folder / name).write_bytes(made)

    return spoil


def nested(depth: int) -> dict[str, object]:
    net: dict[str, object] = {"name": "conv4"}
    for _ in range(depth):
        net = {"name": "mlp", "net": net}
    return net


FIRST, NORM, VARIANCE = "model.0.convs.0.weight", "model.0.norms.0.weight", "model.0.norms.1.var"

HOSTILE: dict[str, tuple[str, Spoil]] = {
    # what other libraries would run
    "a pickle": (MODEL, content(MODEL, PICKLE)),
    "torch.save": (MODEL, content(MODEL, torch_file(Canary()))),
    "torch.save before 1.6": (MODEL, content(MODEL, torch_file(Canary(), _use_new_zipfile_serialization=False))),
    "torch.save of weights": (MODEL, content(MODEL, torch_file({FIRST: torch.zeros(4)}))),
    "a .pt2": (MODEL, content(MODEL, archive(("archive_format", b"pt2"), ("data/weights/weight_0", PICKLE)))),
    "an .npy of objects": (MODEL, content(MODEL, numpy_file(np.save))),
    "an .npz of objects": (MODEL, content(MODEL, numpy_file(np.savez))),
    "a zip that climbs": (MODEL, content(MODEL, archive(("../../canary", b"")))),
    "a tar that climbs": (MODEL, content(MODEL, tape("../../canary"))),
    "only model.pt": (MODEL, beside("model.pt", torch_file(Canary()))),
    "only model.pt2": (MODEL, beside("model.pt2", archive(("data.pkl", PICKLE)))),
    "only pytorch_model.bin": (MODEL, beside("pytorch_model.bin", torch_file(Canary()))),
    "only model.pkl": (MODEL, beside("model.pkl", PICKLE)),
    "a pickle as settings": (CONFIG, content(CONFIG, PICKLE)),
    "a pickle as support": (SUPPORT, content(SUPPORT, PICKLE)),
    "a learner from elsewhere": (CONFIG, learner(name="os.system")),
    "a learner by a path": (CONFIG, learner(name="../../maml")),
    "a net from elsewhere": (CONFIG, learner({"name": "torch.nn.Module"})),
    "an argument of Python's own": (CONFIG, learner(__class__="Canary")),
    # no weights
    "empty": (MODEL, content(MODEL, b"")),
    "one byte": (MODEL, content(MODEL, b"\0")),
    "a size and no more": (MODEL, content(MODEL, struct.pack("<Q", 100))),
    "zeros": (MODEL, content(MODEL, bytes(1000))),
    "a third": (MODEL, cut(MODEL, 1 / 3)),
    "all but the last byte": (MODEL, cut(MODEL, 1.0)),
    "only the header": (MODEL, cut(MODEL, 0.1)),
    "a flipped bit of a weight": (MODEL, flip(MODEL, 0.9)),
    "a flipped bit of the header": (MODEL, flip(MODEL, 0.01)),
    "two gigabytes of nothing": (MODEL, sparse(MODEL, 2**31)),
    # headers
    "a header of 2^63 bytes": (MODEL, content(MODEL, struct.pack("<Q", 2**63) + b"{}")),
    "a header of 100 MB": (MODEL, sparse(MODEL, 10**8 + 8, struct.pack("<Q", 10**8) + b"{}")),
    "a header of 2 MB": (MODEL, content(MODEL, raw({str(i): entry() for i in range(40_000)}))),
    "a header 100,000 deep": (MODEL, content(MODEL, raw(b"[" * 100_000))),
    "a header that is no JSON": (MODEL, content(MODEL, raw(b"__import__('os')"))),
    "a header that is no text": (MODEL, content(MODEL, raw(b"\xff\xfe{}"))),
    "a header that is a list": (MODEL, content(MODEL, raw([1, 2]))),
    "a tensor twice": (MODEL, content(MODEL, raw(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2)))),
    "10,001 tensors": (MODEL, content(MODEL, raw({f"{i}": entry([0], 0, 0) for i in range(10_001)}))),
    "tensors that overlap": (MODEL, header(lambda h: h[FIRST].update(h[NORM]))),
    "data beyond the end": (MODEL, header(lambda h: h[FIRST].update(data_offsets=[0, 2**40]))),
    "data before the beginning": (MODEL, header(lambda h: h[FIRST].update(data_offsets=[-8, 28]))),
    "data backwards": (MODEL, header(lambda h: h[FIRST].update(data_offsets=h[FIRST]["data_offsets"][::-1]))),
    "a hole between tensors": (MODEL, header(lambda h: {k: v for k, v in h.items() if k != FIRST})),
    "a shape that overflows": (MODEL, header(lambda h: h[FIRST].update(shape=[2**62, 4]))),
    "a shape below nothing": (MODEL, header(lambda h: h[FIRST].update(shape=[-4, 1, 3, 3]))),
    "a shape of fractions": (MODEL, header(lambda h: h[FIRST].update(shape=[4.5]))),
    "a type that is none": (MODEL, header(lambda h: h[FIRST].update(dtype="PICKLE"))),
    "an entry that is none": (MODEL, header(lambda h: h.update({FIRST: 7}))),
    "bytes after the last tensor": (MODEL, lambda folder: (folder / MODEL).open("ab").write(b"more")),
    "another sum": (MODEL, header(lambda h: h["__metadata__"].update(sha256="0" * 64))),
    "no sum": (MODEL, header(lambda h: h.pop("__metadata__") and None)),
    # weights of another model
    "a name that climbs": (MODEL, weights(lambda t: {**t, "../../etc/passwd": torch.zeros(1)})),
    "a tensor missing": (MODEL, weights(lambda t: {k: v for k, v in t.items() if k != FIRST})),
    "a shape of another model": (MODEL, weights(lambda t: {**t, FIRST: torch.zeros(5, 1, 3, 3)})),
    "fewer dimensions": (MODEL, weights(lambda t: {**t, FIRST: torch.zeros(4)})),
    "more precise": (MODEL, weights(lambda t: {**t, FIRST: t[FIRST].double()})),
    "whole numbers": (MODEL, weights(lambda t: {**t, FIRST: t[FIRST].to(torch.int32)})),
    "NaN": (MODEL, weights(lambda t: {**t, FIRST: t[FIRST] * math.nan})),
    "infinity": (MODEL, weights(lambda t: {**t, VARIANCE: t[VARIANCE] / 0})),
    # settings
    "no settings": (CONFIG, lambda folder: (folder / CONFIG).unlink()),
    "empty settings": (CONFIG, content(CONFIG, b"")),
    "settings of zeros": (CONFIG, content(CONFIG, bytes(100))),
    "settings in no code": (CONFIG, content(CONFIG, b'{"learner": "\xff"}')),
    "a list": (CONFIG, content(CONFIG, b"[]")),
    "no learner": (CONFIG, content(CONFIG, b'{"format": 1}')),
    "a learner that is a word": (CONFIG, config(learner="maml")),
    "a name twice": (CONFIG, content(CONFIG, b'{"format": 1, "format": 1, "learner": {}}')),
    "a later version's": (CONFIG, config(format=FORMAT + 1)),
    "neither balanced nor not": (CONFIG, config(balanced="yes")),
    "a version that is a word": (CONFIG, config(format="2")),
    "a version that is a list": (CONFIG, config(format=[2])),
    "no version's": (CONFIG, config(format=None)),
    "settings 100,000 deep": (CONFIG, content(CONFIG, b'{"a":' * 100_000)),
    "settings of 2 MB": (CONFIG, config(note="a" * 2_000_000)),
    "settings of 2 GB": (CONFIG, sparse(CONFIG, 2**31)),
    "a number of 10,000 digits": (CONFIG, content(CONFIG, b'{"learner": {"n_way": %s}}' % (b"9" * 10_000))),
    "a net of 10^12 channels": (CONFIG, learner({"width": 10**12})),
    "a net of 10^6 channels": (MODEL, learner({"width": 10**6})),
    "an image of 10^9 pixels a side": (CONFIG, learner({"size": 10**9})),
    "10^9 classes": (CONFIG, learner(n_way=10**9)),
    "10^9 inner steps": (CONFIG, learner(inner_steps=10**9)),
    "a step size that is no number": (CONFIG, learner(inner_lr=math.nan)),
    "a step size without end": (CONFIG, learner(inner_lr=math.inf)),
    "a word for a number": (CONFIG, learner(n_way="3")),
    "a truth for a number": (CONFIG, learner(n_way=True)),
    "a list for a number": (CONFIG, learner({"width": [4] * 1000})),
    "nets within nets": (CONFIG, learner(net=nested(200))),
    "labels of format 2 that are a word": (CONFIG, config(labels="abc", n_labels=None)),
    "labels of format 2 that are numbers": (CONFIG, config(labels=[1, 2, 3], n_labels=None)),
    "labels of format 2, one less": (SUPPORT, config(labels=["a", "b"], n_labels=None)),
    "a number of labels that is a word": (CONFIG, config(n_labels="3" * 100_000)),
    "10^12 labels": (LABELS, config(n_labels=10**12)),
    "a number of labels less": (LABELS, config(n_labels=2)),
    "no labels": (LABELS, lambda folder: (folder / LABELS).unlink()),
    "a label less": (LABELS, weights(lambda t: {**t, "ends": t["ends"][:2] * 1}, LABELS)),
    "a label twice": (SUPPORT, weights(lambda t: {**t, "labels": torch.tensor([97, 98, 98]).byte()}, LABELS)),
    "a label in no code": (LABELS, weights(lambda t: {**t, "labels": t["labels"] | 128}, LABELS)),
    "a label that ends before it begins": (LABELS, weights(lambda t: {**t, "ends": torch.tensor([2, 1, 3])}, LABELS)),
    "labels of 2 GB": (LABELS, sparse(LABELS, 2**31)),
    # inputs
    "images of 10^9 pixels a side": (CONFIG, config(inputs={"name": "images", "size": 10**9})),
    "images with a loader": (CONFIG, config(inputs={"name": "images", "loader": "os.system"})),
    "inputs that are a word": (CONFIG, config(inputs="images")),
    "inputs that are a list": (CONFIG, config(inputs=["images"])),
    "inputs of no name": (CONFIG, config(inputs={"size": 16})),
    "inputs from elsewhere": (CONFIG, config(inputs={"name": "quickstudy.inputs.images:Images"})),
    "inputs by a path": (CONFIG, config(inputs={"name": "../../images"})),
    "an encoder by a path": (CONFIG, config(inputs={"name": "sentences", "encoder": "../../encoder"})),
    "a table without end": (CONFIG, config(inputs={"name": "table", "numbers": {"a": [0, 10**400]}, "categories": {}})),
    "images of format 1 with a loader": (CONFIG, config(format=1, images={"loader": "os.system"})),
    "images of format 1 that are a word": (CONFIG, config(format=1, images="all")),
    # support
    "no support": (SUPPORT, lambda folder: (folder / SUPPORT).unlink()),
    "half the support": (SUPPORT, cut(SUPPORT, 0.5)),
    "a flipped bit of the support": (SUPPORT, flip(SUPPORT, 0.8)),
    "a class of number 2^40": (SUPPORT, weights(lambda t: {**t, "y": torch.tensor([0, 1, 2**40])}, SUPPORT)),
    "a class below nothing": (SUPPORT, weights(lambda t: {**t, "y": torch.tensor([-1, 1, 2])}, SUPPORT)),
    "classes of fractions": (SUPPORT, weights(lambda t: {**t, "y": t["y"].float()}, SUPPORT)),
    "a label more than examples": (SUPPORT, weights(lambda t: {**t, "x": t["x"][:2]}, SUPPORT)),
    "images of another size": (SUPPORT, weights(lambda t: {**t, "x": torch.zeros(3, 1, 4000, 4000)}, SUPPORT)),
    "NaN in the support": (SUPPORT, weights(lambda t: {**t, "x": t["x"] * math.nan}, SUPPORT)),
    # examples
    "half the examples": (EXAMPLES, cut(EXAMPLES, 0.5)),
    "a flipped bit of the examples": (EXAMPLES, flip(EXAMPLES, 0.95)),
    "a flipped bit of their header": (EXAMPLES, flip(EXAMPLES, 0.03)),
    "a pickle as examples": (EXAMPLES, content(EXAMPLES, PICKLE)),
    "two gigabytes of examples": (EXAMPLES, sparse(EXAMPLES, 2**31)),
    "names that are no text": (EXAMPLES, weights(lambda t: {**t, "names": t["names"] * 0 + 255}, EXAMPLES)),
    "names that end backwards": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"].flip(0)}, EXAMPLES)),
    "names that end before they begin": (EXAMPLES, weights(lambda t: {**t, "name_ends": -t["name_ends"]}, EXAMPLES)),
    "names that end beyond the end": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"] + 1}, EXAMPLES)),
    "names that end too early": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"] - 1}, EXAMPLES)),
    "names that end at 2^62": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"] + 2**62}, EXAMPLES)),
    "ends of fractions": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"].float()}, EXAMPLES)),
    "a name less than examples": (EXAMPLES, weights(lambda t: {**t, "name_ends": t["name_ends"][1:]}, EXAMPLES)),
    "names in rows": (EXAMPLES, weights(lambda t: {**t, "names": t["names"][None]}, EXAMPLES)),
    "names of real numbers": (EXAMPLES, weights(lambda t: {**t, "names": t["names"].float()}, EXAMPLES)),
    "no names": (EXAMPLES, weights(lambda t: {k: v for k, v in t.items() if k != "names"}, EXAMPLES)),
    "pictures that end backwards": (EXAMPLES, weights(lambda t: {**t, "kept_ends": t["kept_ends"].flip(0)}, EXAMPLES)),
    "pictures beyond the end": (EXAMPLES, weights(lambda t: {**t, "kept": t["kept"][:-1]}, EXAMPLES)),
    "a picture more than examples": (
        EXAMPLES,
        weights(lambda t: {**t, "kept_ends": torch.cat([t["kept_ends"], t["kept_ends"][-1:]])}, EXAMPLES),
    ),
    "a tensor of another name": (EXAMPLES, weights(lambda t: {**t, "../../kept": t["kept"] * 1}, EXAMPLES)),
    **{f"{what} for weights": (MODEL, instead(MODEL, make)) for what, make in NOT_FILES.items()},
    **{f"{what} for settings": (CONFIG, instead(CONFIG, make)) for what, make in NOT_FILES.items()},
    **{f"{what} for labels": (LABELS, instead(LABELS, make)) for what, make in NOT_FILES.items()},
    **{f"{what} for support": (SUPPORT, instead(SUPPORT, make)) for what, make in NOT_FILES.items()},
    **{f"{what} for examples": (EXAMPLES, instead(EXAMPLES, make)) for what, make in NOT_FILES.items()},
}


@pytest.fixture(scope="module")
def sound() -> Classifier:
    torch.manual_seed(0)
    data = ClassDataset.from_labels(torch.rand(3, 1, 16, 16), ["a", "b", "c"])
    items = [Item(f"{label}/1.png", x.numpy()) for label, x in zip(data.names, data.x, strict=True)]
    data = ClassDataset(data.x, data.y, data.names, tuple(items))
    return Classifier(MAML(Conv4(size=16, width=4), 3, test_steps=1), Images(size=16), data)


@pytest.fixture
def folder(sound: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sound.save(tmp_path / "classifier")
    Classifier.load(tmp_path / "classifier")  # whole before it is spoiled; imports are not counted
    return tmp_path / "classifier"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused(folder, name):
    file, spoil = HOSTILE[name]
    spoil(folder)
    with used() as effort, pytest.raises(ModelError) as caught:
        Classifier.load(folder)
    said = str(caught.value)
    assert file in said
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 800
    assert effort.read < 1_000_000
    assert effort.calls < 100_000
    assert effort.megabytes < 200
    assert not any(Path(place, CANARY).exists() for place in (folder, folder.parent))


def test_the_canary_sings_where_it_is_unpickled(folder):
    pickle.loads(PICKLE)
    assert Path(CANARY).exists()


def test_examples_that_are_missing_are_none(folder, sound):
    """A classifier that was shared without its examples answers the same, and numbers them."""
    (folder / EXAMPLES).unlink()
    again = Classifier.load(folder)
    assert again.predict(sound.data.x.numpy()) == sound.predict(sound.data.x.numpy())
    assert [item.name for item in again.items] == ["example 1", "example 2", "example 3"]


KEPT = {
    "nothing": b"",
    "text": b"this is no picture",
    "a pickle": PICKLE,
    "a PNG that claims 10^10 pixels": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 10**5, 10**5) + bytes(9),
    "half a PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a page": b"<svg onload=alert(1)>",
}


@pytest.mark.parametrize("what", KEPT)
def test_a_kept_picture_made_to_harm_is_one_line_where_it_is_shown(folder, sound, what):
    """It is not decoded before: the answers do not rest on it."""
    names, kept = [b"a", b"<script>b", b"c"], [KEPT[what]] * 3
    parts = [*joined_bytes(names), *joined_bytes(kept)]
    (folder / EXAMPLES).write_bytes(pack(dict(zip(("names", "name_ends", "kept", "kept_ends"), parts, strict=True))))
    again = Classifier.load(folder)
    item = Item("mine", sound.data.x[0].numpy())
    why = explain(again, item)
    assert why.label == sound.predict([item])[0]
    with used() as effort, pytest.raises(DataError) as caught:
        page(why, again, item)
    assert "\n" not in str(caught.value)
    assert effort.megabytes < 100
    assert not Path(CANARY).exists()
