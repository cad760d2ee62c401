"""Do explanations of photographs show what the answer rests on? Its probability without the places that they name.

A tenth of a photograph is painted with its mean colour: the places with the largest support, or random ones of the same
size. Integrated gradients are summed over 14 by 14 blocks, of which 20 are painted; of the 7 by 7 patches that are left
out one by one, 5 are.

python -m benchmarks.faithfulness --data-root DIR [--n-tasks 120] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.photos import MODEL, drawn, interval
from quickstudy.classify.classifier import Classifier
from quickstudy.classify.confidence import Confidence
from quickstudy.classify.explanation import explain, pixels
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.photos import Photos
from quickstudy.io.files import replace
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.provenance import provenance

N_WAY, N_SHOT, BLOCKS, PATCHES = 5, 5, 14, 7


def without(image: Image.Image, places: np.ndarray, side: int) -> Image.Image:
    """Return an image in which some places of a grid are painted with its mean colour."""
    x = np.asarray(image).copy()
    mean, length = x.mean((0, 1)), len(x) // side
    for place in places:
        row, column = divmod(int(place), side)
        x[row * length : (row + 1) * length, column * length : (column + 1) * length] = mean
    return Image.fromarray(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of photographs, one folder per category")
    parser.add_argument("--n-tasks", type=int, default=120)
    parser.add_argument("--json", type=Path, default=Path("results/photos/faithfulness.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = ModelFolder(MODEL)
    inputs = model.inputs
    assert isinstance(inputs, Photos)
    data = embedded(inputs, Photos.labelled(given.data_root))
    lost: dict[str, list[float]] = {}
    for task in range(given.n_tasks):
        support, query, _ = drawn(data, N_WAY, N_SHOT, task)
        few = Classifier(
            model.learner,
            inputs,
            ClassDataset.from_labels(
                data.x[support], [data.names[c] for c in data.y[support].tolist()], [data.items[i] for i in support]
            ),
            model.entry("confidence", Confidence),
        )
        rng = np.random.default_rng([3, task])
        seen = inputs.seen(data.items[rng.choice(query)]).x[0]
        image = Image.fromarray((255 * seen.permute(1, 2, 0)).round().byte().numpy())
        item = Item("photograph", image)
        probabilities = few.predict_proba([item])[0]
        best = int(probabilities.argmax())
        heat = pixels(few, item, "integrated-gradients")
        length = len(heat) // BLOCKS
        blocks = heat.reshape(BLOCKS, length, BLOCKS, length).sum((1, 3)).ravel()
        patches = np.array([share for _, share in explain(few, item).parts])
        for name, places, side in (("integrated gradients", blocks, BLOCKS), ("patches left out", patches, PATCHES)):
            n = round(len(places) / 10)
            for kind, rows in (("top", places.argsort()[-n:]), ("random", rng.choice(len(places), n, replace=False))):
                p = few.predict_proba([without(image, rows, side)])[0][best]
                lost.setdefault(f"{name}, {kind} tenth", []).append(float(probabilities[best] - p))
        print(task, {name: round(float(np.mean(values)), 4) for name, values in lost.items()}, flush=True)
    record = {
        "model": MODEL,
        "n_way": N_WAY,
        "n_shot": N_SHOT,
        "n_tasks": given.n_tasks,
        "split": f"{data.n_classes} categories, one photograph per task",
        "transductive": False,
        "lost": {name: interval(values) for name, values in lost.items()},
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
