"""Runs in the form of Lake's challenge, from the background alphabets that a split keeps out of training.

Of the background split they are the three validation alphabets: no step is trained on them, but they choose the
checkpoint. Of a minimal set they are all others that have as many characters as a run has ways; no checkpoint is chosen
by them.

python benchmarks/lake_trials.py images_background.zip background|small1|small2 FOLDER
"""

from __future__ import annotations

import random
import sys
import zipfile
from pathlib import Path

from quickstudy.tasks.omniglot import MINIMAL_SETS

RUNS, WAYS, SEED = 600, 20, 0


def main(archive: Path, split: str, out: Path) -> None:
    rng = random.Random(SEED)
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".png") and not name.startswith("__"))
        drawings: dict[str, dict[str, list[str]]] = {}
        for name in names:
            *_, alphabet, character, _ = name.split("/")
            drawings.setdefault(alphabet, {}).setdefault(character, []).append(name)
        kept_out = sorted(drawings.keys() - MINIMAL_SETS[split]) if split in MINIMAL_SETS else sorted(drawings)[9::10]
        kept_out = [alphabet for alphabet in kept_out if len(drawings[alphabet]) >= WAYS]
        for r in range(RUNS):
            run = f"run{r + 1:03d}"
            characters = rng.sample(sorted(drawings[kept_out[r % len(kept_out)]].items()), WAYS)
            teacher, tester = rng.sample(range(20), 2)
            lines = []
            for item, c in enumerate(rng.sample(range(WAYS), WAYS)):
                test, training = f"{run}/test/item{item + 1:02d}.png", f"{run}/training/class{c + 1:02d}.png"
                for place, person in ((test, tester), (training, teacher)):
                    (out / place).parent.mkdir(parents=True, exist_ok=True)
                    (out / place).write_bytes(file.read(characters[c][1][person]))
                lines.append(f"{test} {training}\n")
            (out / run / "class_labels.txt").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
