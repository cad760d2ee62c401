"""Which encoder and which head for which images: every pair of them on drawings and photographs.

Heads see features of length 1 from frozen encoders. They are chosen by the validation classes of each set, and
reported on its test classes.

python benchmarks/matrix.py --photos DIR --omniglot DIR --cifar DIR [--run CIFAR_RUN] [--json FILE]

Features are saved in the cache. Of CIFAR-FS, 40 photographs per class are read; of glyphs and Omniglot, 40 classes for
validation and 40 for tests; of the folder of photographs, every second category for each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from quickstudy.inputs.base import Item
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.encoders import photo_encoder
from quickstudy.inputs.images import Images
from quickstudy.inputs.layout import find_classes
from quickstudy.io.files import replace
from quickstudy.learners import R2D2, Prototypical, SimpleShot
from quickstudy.learners.metric import MetricLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs
from quickstudy.tasks.glyphs import glyphs
from quickstudy.tasks.omniglot import omniglot
from quickstudy.tasks.task import Examples

Encode = Callable[[Sequence[Image.Image]], Tensor]
QUERIES, SHOTS, COPIES, PER_CLASS, CLASSES = 10, (1, 5), 5, 40, 40
WHITE = 255


class Pictures:
    """Images of one split of one set, class by class."""

    def __init__(self, images: Sequence[Callable[[], Image.Image]], y: Sequence[int], key: str) -> None:
        self.images, self.y, self.key = images, np.asarray(y), key


def arrays(data: ClassDataset, drawings: bool, key: str) -> Pictures:
    """Return images of a data set of arrays; drawings are black on white."""
    x = WHITE - data.x if drawings else data.x

    def image(row: int) -> Image.Image:
        return Image.fromarray(x[row].permute(1, 2, 0).squeeze(-1).numpy()).convert("RGB")

    rows = [int(s) + i for s, n in zip(data.starts, data.counts, strict=True) for i in range(min(n, PER_CLASS))]
    return Pictures([lambda row=row: image(row) for row in rows], data.y[rows].tolist(), key)  # type: ignore[misc]


def photographs(root: Path, start: int) -> Pictures:
    """Return every second category of a folder."""
    classes = find_classes(root)
    paths = [(path, c) for c, name in enumerate(sorted(classes)[start::2]) for path in classes[name]]
    key = "photos-" + hashlib.sha256(b"".join(path.read_bytes() for path, _ in paths)).hexdigest()[:16]
    return Pictures(
        [lambda path=path: Image.open(path).convert("RGB") for path, _ in paths],  # type: ignore[misc]
        [c for _, c in paths],
        key,
    )


def sets(given: argparse.Namespace) -> dict[str, dict[str, Pictures]]:
    drawn = {"glyphs": glyphs(), "omniglot": omniglot(given.omniglot)}
    cifar = cifar_fs(given.cifar)
    found = {
        name: {
            split: arrays(data.select(range(min(CLASSES, data.n_classes))), True, f"{name}-{split}")
            for split, data in (("validation", splits.validation), ("test", splits.test))
        }
        for name, splits in drawn.items()
    }
    found["cifar-fs"] = {
        split: arrays(data, False, f"cifar-fs-{split}")
        for split, data in (("validation", cifar.validation), ("test", cifar.test))
    }
    found["photographs"] = {"validation": photographs(given.photos, 0), "test": photographs(given.photos, 1)}
    return found


def encoders(run: Path | None) -> dict[str, Encode]:
    def drawn(images: Sequence[Image.Image]) -> Tensor:
        return as_float(Images().encode([Item(f"image {i}", image) for i, image in enumerate(images)]))

    def small(images: Sequence[Image.Image]) -> Tensor:
        return as_float(Images(3, 32, False).encode([Item(f"image {i}", image) for i, image in enumerate(images)]))

    shipped = ModelFolder("glyphs-proto").learner
    assert isinstance(shipped, MetricLearner)
    found: dict[str, Encode] = {
        "pixels": lambda images: drawn(images).flatten(1),
        "glyphs-proto": lambda images: shipped.embed(drawn(images)),
        "efficientnet-lite0": photo_encoder().encode,
    }
    if run is not None:
        own = ModelFolder(run).learner
        embed = own.embed if isinstance(own, MetricLearner) else own.features if isinstance(own, SimpleShot) else None
        assert embed is not None, "the run has no net"
        found["conv4-64 of CIFAR-FS"] = lambda images: embed(small(images))
    return found


def copy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a part of at least 70 % of each side, mirrored or not."""
    share = rng.uniform(0.7, 1)
    width, height = (max(1, round(share * side)) for side in image.size)
    left, top = (int(rng.integers(0, a - b + 1)) for a, b in zip(image.size, (width, height), strict=True))
    part = image.crop((left, top, left + width, top + height))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def features(pictures: Pictures, name: str, encode: Encode, copies: int) -> Tensor:
    """Return features of length 1: of each image, and of copies of it, (n, 1 + copies, d)."""

    def make() -> ClassDataset:
        rows, started = [], time.perf_counter()
        for i, opened in enumerate(pictures.images):
            image, rng = opened(), np.random.default_rng([1, i])
            with torch.no_grad():
                rows.append(F.normalize(encode([image, *(copy(image, rng) for _ in range(copies))]), dim=-1))
        print(f"{pictures.key} by {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        return ClassDataset.from_labels(torch.stack(rows), pictures.y)

    return prepared(f"matrix-{pictures.key}-{name.replace(' ', '-').lower()}-{copies}", make).x


def by_learner(kind: type[Prototypical | R2D2]) -> Callable[..., np.ndarray]:
    def head(x: Tensor, y: np.ndarray, q: Tensor) -> np.ndarray:
        learner = kind(Identity(x.shape[1])).eval()
        with torch.no_grad():
            answers: np.ndarray = learner.adapt(Examples(x, torch.eye(int(y.max()) + 1)[y]))(q).argmax(1).numpy()
        return answers

    return head


def centred(x: Tensor, y: np.ndarray, q: Tensor) -> np.ndarray:
    mean = x.mean(0)
    return by_learner(Prototypical)(F.normalize(x - mean, dim=-1), y, F.normalize(q - mean, dim=-1))


def logistic(x: Tensor, y: np.ndarray, q: Tensor) -> np.ndarray:
    answers: np.ndarray = LogisticRegression(max_iter=1000).fit(x.numpy(), y).predict(q.numpy())
    return answers


def shrunk(x: Tensor, y: np.ndarray, q: Tensor) -> np.ndarray:
    """One covariance for all classes, shrunk by Ledoit and Wolf's rule."""
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    answers: np.ndarray = model.fit(x.numpy(), y).predict(q.numpy())
    return answers


HEADS: dict[str, Callable[..., np.ndarray]] = {
    "nearest mean": by_learner(Prototypical),
    "centred nearest mean": centred,
    "ridge regression": by_learner(R2D2),
    "logistic regression": logistic,
    "shrunk covariance": shrunk,
}


def measured(pictures: Pictures, z: Tensor, n_way: int, n_shot: int, n_tasks: int) -> dict[str, Any]:
    """Return the accuracy of each head, and of each with copies of the support; task i depends on i alone."""
    found: dict[str, list[float]] = {}
    for task in range(n_tasks):
        rng = np.random.default_rng([n_way, n_shot, task])
        classes = rng.choice(pictures.y.max() + 1, n_way, replace=False)
        rows = [rng.permutation(np.flatnonzero(pictures.y == c)) for c in classes]
        support = np.concatenate([each[:n_shot] for each in rows])
        query = np.concatenate([each[n_shot : n_shot + QUERIES] for each in rows])
        right, y = np.repeat(np.arange(n_way), QUERIES), np.repeat(np.arange(n_way), n_shot)
        many, many_y = z[support].flatten(0, 1), np.repeat(y, z.shape[1])
        for name, head in HEADS.items():
            if not (name == "shrunk covariance" and n_shot == 1):  # one example has no covariance
                found.setdefault(name, []).append(np.mean(head(z[support, 0], y, z[query, 0]) == right))
            if name in ("ridge regression", "logistic regression", "nearest mean"):
                found.setdefault(f"{name}, copies", []).append(np.mean(head(many, many_y, z[query, 0]) == right))
    return {
        name: {"mean": float(np.mean(a)), "ci95": float(1.96 * np.std(a, ddof=1) / len(a) ** 0.5)}
        for name, a in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photos", "omniglot", "cifar"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    parser.add_argument("--run", type=Path, help="run on CIFAR-FS whose net is an encoder too")
    parser.add_argument("--n-tasks", type=int, default=300)
    parser.add_argument("--json", type=Path, default=Path("results/matrix/matrix.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for name, splits in sets(given).items():
        for encoder, encode in encoders(given.run).items():
            for split, pictures in splits.items():
                z = features(pictures, encoder, encode, COPIES)
                for n_shot in SHOTS:
                    heads = measured(pictures, z, 5, n_shot, given.n_tasks)
                    rows.append({"images": name, "encoder": encoder, "split": split, "n_shot": n_shot, "heads": heads})
                    best = max(heads, key=lambda head: heads[head]["mean"])
                    print(
                        f"{name:12} {encoder:20} {split:10} {n_shot:2}-shot: {best} {heads[best]['mean']:.4f}",
                        flush=True,
                    )
    record = {
        "n_way": 5,
        "n_query": QUERIES,
        "n_tasks": given.n_tasks,
        "copies": COPIES,
        "transductive": False,
        "rows": rows,
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
