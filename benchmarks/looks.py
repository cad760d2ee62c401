"""How often is a drawing taken for a photograph, or a photograph for a drawing? Errors of ``is_drawing`` by kind.

Drawings: characters of Omniglot with each disturbance of ``benchmarks.disturbances`` (a phone's picture among them) and
at small sizes, digits, glyphs. Photographs: 40 categories and CIFAR-100, also grey, small, bright, pale, compressed.
The rule was fitted on one half of the classes (--fit); figures are of the other half.

    python -m benchmarks.looks --data-root DATA [--fit] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression

from benchmarks.disturbances.drawn import jpeg, levels, picture
from benchmarks.disturbances.kinds import kinds
from benchmarks.disturbances.measure import characters
from quickstudy.inputs.looks import LIMIT, MEASURES, decide, measures
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.digits import digits
from quickstudy.tasks.glyphs import draw_glyphs

Classes = dict[str, list[Image.Image]]
Change = Callable[[Image.Image], Image.Image]
Measured = dict[str, dict[str, np.ndarray]]
HALVES, SEED, N_WAY, N_SHOT = ("validation", "test"), 0, 3, 5
N_PRODUCTS, PENALTY = 9, 0.2  # of 0 to 66, and 0.2 or 1: least error in cross-validation on the validation half
GRAPHICS = ("snoopy", "yin_yang")
"""Categories that are cartoons and printed signs: counted apart, a choice made after their errors were seen."""
BOX, LANCZOS = Image.Resampling.BOX, Image.Resampling.LANCZOS


def square(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), LANCZOS)


def blurred(image: Image.Image) -> Image.Image:
    """A sixth of the pixels per side, as a picture out of focus."""
    return image.resize([max(1, side // 6) for side in image.size], BOX).resize(image.size, Image.Resampling.BICUBIC)


PHOTOGRAPHS: dict[str, Change] = {
    "as it is": lambda i: i,
    "grey": lambda i: i.convert("L"),
    "64 x 64": lambda i: square(i, 64),
    "32 x 32": lambda i: square(i, 32),
    "32 x 32, grey": lambda i: square(i.convert("L"), 32),
    "JPEG 10": lambda i: jpeg(i, 10),
    "JPEG 30, grey": lambda i: jpeg(i.convert("L"), 30),
    "bright": lambda i: picture(255 * (levels(i) / 255) ** 0.4),
    "overexposed": lambda i: picture(1.8 * levels(i)),
    "bright and pale": lambda i: picture(255 - 0.3 * (255 - levels(i))),
    "dark": lambda i: picture(0.3 * levels(i)),
    "blurred": blurred,
}
SMALL: dict[str, Change] = {
    "28 x 28": lambda i: i.resize((28, 28), BOX),
    "28 x 28, inverted": lambda i: ImageOps.invert(i.resize((28, 28), BOX)),
    "32 x 32": lambda i: square(i, 32),
    "32 x 32, JPEG in colour": lambda i: jpeg(square(i.convert("RGB"), 32), 75),
    "64 x 64": lambda i: i.resize((64, 64), BOX),
}


def half_of(names: list[str], half: int) -> list[str]:
    """Return one half of the classes, the same at each call."""
    order = np.random.default_rng(SEED).permutation(len(names))
    return sorted(np.array(sorted(names))[order[half::2]].tolist())


def changed(classes: Classes, change: Change) -> Classes:
    return {name: [change(image) for image in images] for name, images in classes.items()}


def photographs(root: Path, half: int, n: int) -> Iterator[tuple[str, Classes]]:
    folder = root / "photos"
    names = half_of([path.name for path in folder.iterdir()], half)
    originals = {name: [_opened(path.read_bytes()) for path in sorted((folder / name).iterdir())[:n]] for name in names}
    for kind, change in PHOTOGRAPHS.items():
        yield f"photograph, {kind}", changed(originals, change)
    small = cifar(root, half, n)
    yield "CIFAR-100", small
    yield "CIFAR-100, grey", changed(small, PHOTOGRAPHS["grey"])


def cifar(root: Path, half: int, n: int) -> Classes:
    with tarfile.open(root / "cifar100" / "cifar-100-binary.tar.gz") as archive:
        file = archive.extractfile("cifar-100-binary/test.bin")
        assert file
        rows = np.frombuffer(file.read(), np.uint8).reshape(-1, 2 + 3 * 32 * 32)
    result = {}
    for label in half_of([f"{k:02d}" for k in range(100)], half):
        pixels = rows[rows[:, 1] == int(label), 2:][:n].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        result[label] = [Image.fromarray(image) for image in pixels]
    return result


def drawings(root: Path, half: int, n: int) -> Iterator[tuple[str, Classes]]:
    """Yield drawings of n Omniglot characters per kind; the halves are the alphabets of its two archives."""
    files = characters(root / "omniglot", ("background", "evaluation")[half])
    names = np.random.default_rng([SEED, half]).choice(sorted(files), n, replace=False).tolist()
    originals = {name: [_opened(content).convert("L") for content in files[name][:N_SHOT]] for name in names}
    for kind, change in SMALL.items():
        yield f"Omniglot, {kind}", changed(originals, change)
    for kind, disturb in kinds().items():
        rng = np.random.default_rng([SEED, zlib.crc32(kind.encode())])
        yield (
            f"Omniglot, {kind}",
            {name: [disturb(image, rng) for image in images] for name, images in originals.items()},
        )
    numbers = digits()
    inked: dict[str, Classes] = {"digits": {}}
    for k in sorted(int(name) for name in half_of(numbers.names, half)):
        inked["digits"][str(k)] = [Image.fromarray(x[0].numpy()) for x in numbers.x[numbers.y == k][: 2 * n]]
    for size in (28, 84, 224):
        glyphs = draw_glyphs(range(half * 1000, half * 1000 + 2 * n), N_SHOT, size=size)
        inked[f"glyphs, {size} x {size}"] = {
            name: [Image.fromarray(x[0].numpy()) for x in glyphs.x[glyphs.y == k]]
            for k, name in enumerate(glyphs.names)
        }
    for kind, classes in inked.items():
        yield f"{kind}, white ink", classes
        yield f"{kind}, black ink", changed(classes, ImageOps.invert)


def measured(sets: Iterator[tuple[str, Classes]]) -> Measured:
    """Return the measures of each image by kind and class, and print the time of a kind."""
    result: Measured = {}
    for kind, classes in sets:
        start, n = time.process_time(), sum(map(len, classes.values()))
        result[kind] = {name: np.stack([measures(image) for image in images]) for name, images in classes.items()}
        print(f"{kind:60} {1000 * (time.process_time() - start) / n:6.1f} ms an image", flush=True)
    return result


def fit(photographs: Measured, drawings: Measured) -> str:
    """Return means, deviations and weights of a logistic regression on measures and products of two, as Python.

    Both looks weigh the same, and so do the kinds of a look. A fit on all products chooses those with large weights.
    """
    rows, drawn, weights = [], [], []
    for look, sets in enumerate((photographs, drawings)):
        for classes in sets.values():
            rows.append(np.concatenate(list(classes.values())))
            drawn.append(np.full(len(rows[-1]), look))
            weights.append(np.full(len(rows[-1]), 1000 / len(sets) / len(rows[-1])))
    x, names = np.concatenate(rows), list(MEASURES)
    means, deviations = x.mean(0).round(3), x.std(0).round(3)
    z = ((x - means) / deviations).clip(-LIMIT, LIMIT)
    terms: list[tuple[int, ...]] = [(k,) for k in range(len(names))]
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    for penalty in (1, PENALTY):
        columns = np.stack([z[:, term].prod(1) for term in [*terms, *pairs]], 1)
        model = LogisticRegression(C=1 / penalty, max_iter=1000)
        model.fit(columns, np.concatenate(drawn), sample_weight=np.concatenate(weights))
        result = zip([*terms, *pairs, ()], [*model.coef_[0], model.intercept_[0]], strict=True)
        largest = np.argsort(-np.abs(model.coef_[0][len(names) :]))[:N_PRODUCTS]
        pairs = [pairs[k] for k in sorted(largest)]
    lines = [f'    "{name}": ({means[k]:g}, {deviations[k]:g}),' for k, name in enumerate(names)]
    lines += [f"    {tuple(names[k] for k in term)}: {weight:.2f}," for term, weight in result]
    return "\n".join(lines)


def errors(classes: dict[str, np.ndarray], drawn: bool, n_folders: int) -> dict[str, Any]:
    """Return the errors of single images, and of folders of three classes with five images each.

    A folder of 15 images is decided by the majority, as ``are_drawings`` does.
    """
    wrong = {name: np.array([decide(row) != drawn for row in rows]) for name, rows in classes.items()}
    rng, folders = np.random.default_rng(SEED), 0
    for _ in range(n_folders):
        names = rng.choice(sorted(classes), N_WAY, replace=False).tolist()
        folder = np.concatenate([rng.choice(wrong[name], N_SHOT, replace=False) for name in names])
        folders += 2 * folder.sum() > len(folder)
    return {
        "images": sum(map(len, wrong.values())),
        "wrong": int(sum(row.sum() for row in wrong.values())),
        "folders": n_folders,
        "folders wrong": int(folders),
    }


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    result = {key: sum(row[key] for row in rows) for key in ("images", "wrong", "folders", "folders wrong")}
    shares = [row["wrong"] / row["images"] for row in rows]
    return result | {"wrong, %": round(100 * float(np.mean(shares)), 2)}


def _opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder with omniglot, photos and cifar100")
    parser.add_argument("--fit", action="store_true", help="fit the weights on the validation half, and print them")
    parser.add_argument("--n-photographs", type=int, default=10, help="photographs per class")
    parser.add_argument("--n-characters", type=int, default=3, help="characters per kind of drawing")
    parser.add_argument("--n-folders", type=int, default=20, help="folders per kind")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    half = HALVES.index("validation" if args.fit else "test")
    photos = measured(photographs(args.data_root, half, args.n_photographs))
    drawn = measured(drawings(args.data_root, half, args.n_characters))
    if args.fit:
        print(fit(photos, drawn))
    record: dict[str, Any] = {"half": HALVES[half], "n_way": N_WAY, "n_shot": N_SHOT, "seed": SEED}
    graphics = {kind: {name: rows for name, rows in sets.items() if name in GRAPHICS} for kind, sets in photos.items()}
    things = {kind: {name: sets[name] for name in sets if name not in GRAPHICS} for kind, sets in photos.items()}
    for look, sets in (("photographs", things), ("graphics", graphics), ("drawings", drawn)):
        n_folders = 0 if look == "graphics" else args.n_folders
        rows = {kind: errors(sets[kind], look == "drawings", n_folders) for kind in sets if sets[kind]}
        for kind, row in rows.items():
            print(f"{kind:60} {row['wrong']:4} of {row['images']}, folders {row['folders wrong']} of {row['folders']}")
        if rows:
            record[look] = total(list(rows.values())) | {"kinds": rows}
            print(f"{look}: {total(list(rows.values()))}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(record | provenance(), indent=1) + "\n")


if __name__ == "__main__":
    main()
