"""What `check` takes for copies: photographs and drawings at half their size, saved again as JPEG of quality 60.

The largest distance that counts is between the copies' largest and the originals' smallest on every second category;
counted are the others. Pairs of originals that come that near are listed by name, since some are copies.

python benchmarks/copies.py --photos DIR --omniglot ZIP [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import KDTree

from quickstudy.classify.advice import nearness
from quickstudy.inputs.base import Item
from quickstudy.inputs.images import Images
from quickstudy.inputs.photos import Photos
from quickstudy.inputs.pictures import Pictures
from quickstudy.io.files import replace
from quickstudy.runs.provenance import provenance


def again(content: bytes, mirrored: bool = False) -> bytes:
    """Return a picture at half its size as JPEG of quality 60."""
    image, file = Image.open(io.BytesIO(content)).convert("RGB"), io.BytesIO()
    image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image
    image.save(file, "JPEG", quality=60)
    return file.getvalue()


def vectors(inputs: Pictures, contents: list[bytes]) -> np.ndarray:
    result = inputs.thumbnails([Item(str(i), content) for i, content in enumerate(contents)])
    assert result is not None
    return result


def measured(inputs: Pictures, pictures: list[tuple[str, str, bytes]]) -> dict[str, Any]:
    """Return distances on every second category, and what is found among the others."""
    categories = sorted({category for category, _, _ in pictures})
    row: dict[str, Any] = {"within": inputs.copies_within}  # at most; see ``nearness``
    for half, name in enumerate(("chosen on", "measured on")):
        part = [each for each in pictures if each[0] in categories[half::2]]
        contents = [content for _, _, content in part]
        x, copies = vectors(inputs, contents), vectors(inputs, [again(content) for content in contents])
        flipped = vectors(inputs, [again(content, mirrored=True) for content in contents])
        gaps, flips = (np.linalg.norm(x - other, axis=1) for other in (copies, flipped))
        within = nearness(x, np.unique([each[0] for each in part], return_inverse=True)[1], inputs.copies_within)
        pairs = sorted(KDTree(x).query_pairs(2 * within))
        apart = {pair: float(np.linalg.norm(x[pair[0]] - x[pair[1]])) for pair in pairs}
        near = [pair for pair in pairs if apart[pair] <= within]
        row[name] = {
            "pictures": len(part),
            "categories": len(categories[half::2]),
            "copies_found": int((gaps <= within).sum()),
            "mirrored_copies_found": int((flips <= within).sum()),
            "largest_distance_of_a_copy": float(gaps.max()),
            "pairs_of_originals_found": [[part[i][1], part[j][1]] for i, j in near],
            "smallest_distance_of_others": min((apart[p] for p in pairs if p not in near), default=None),
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs, one folder per category")
    parser.add_argument("--omniglot", type=Path, required=True, help="images_evaluation.zip")
    parser.add_argument("--json", type=Path, default=Path("results/copies/copies.json"))
    given = parser.parse_args()
    photos = [
        (path.parent.name, f"{path.parent.name}/{path.name}", path.read_bytes())
        for path in sorted(given.photos.glob("*/*.jpg"))
    ]
    with zipfile.ZipFile(given.omniglot) as file:
        names = [name for name in sorted(file.namelist()) if name.endswith(".png")]
        characters = sorted({name.rsplit("/", 1)[0] for name in names})
        some = set(np.random.default_rng(0).choice(characters, 100, replace=False).tolist())
        drawings = [(c, name, file.read(name)) for name in names if (c := name.rsplit("/", 1)[0]) in some]
    record = {
        "copy": "half the width and height by BICUBIC, JPEG of quality 60",
        "photographs": measured(Photos(), photos),
        "drawings": measured(Images(), drawings),
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
