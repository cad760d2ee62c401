"""Time an episode cut from memory against the usual DataLoader that opens image files one by one.

20-way, 5 support and 5 query images a class, of 105x105 PNG files reduced to 28x28. Both in one run, in turn; medians.

    python benchmarks/episodes.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from quickstudy import Episodes, read_folder
from quickstudy.inputs.images import Images
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.glyphs import draw_glyphs

N_WAY, N_SHOT, N_QUERY, PER_CLASS = 20, 5, 5, 20


class Files(Dataset[torch.Tensor]):
    """Opens, reduces and converts one image file a call, as few-shot code commonly does."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> torch.Tensor:
        image = Image.open(self.paths[i]).convert("L").resize((28, 28))
        return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


class EpisodeRows(Sampler[list[int]]):
    """File numbers of one episode after another."""

    def __init__(self, n_classes: int, n_episodes: int) -> None:
        self.n_classes, self.n_episodes = n_classes, n_episodes

    def __len__(self) -> int:
        return self.n_episodes

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng(0)
        for _ in range(self.n_episodes):
            classes = rng.choice(self.n_classes, N_WAY, replace=False)
            rows = [c * PER_CLASS + rng.choice(PER_CLASS, N_SHOT + N_QUERY, replace=False) for c in classes]
            yield np.concatenate(rows).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--episodes", type=int, default=20, help="of the DataLoader; ten times as many from memory")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = write_files(Path(name), args.classes)
        data = read_folder(Path(name), Images())
        loader = iter(DataLoader(Files(paths), batch_sampler=EpisodeRows(args.classes, args.episodes)))
        episodes = Episodes(data, N_WAY, N_SHOT, N_QUERY)
        files, memory = [], []
        for step in range(args.episodes):
            start = time.perf_counter()
            next(loader)
            files.append(time.perf_counter() - start)
            start = time.perf_counter()
            episodes.sample(step, n_tasks=10)
            memory.append((time.perf_counter() - start) / 10)
    result = {
        "episode": f"{N_WAY}-way, {N_SHOT} support and {N_QUERY} query images a class",
        "dataloader_ms": 1e3 * median(files),
        "memory_ms": 1e3 * median(memory),
        "ratio": median(files) / median(memory),
        "episodes": args.episodes,
        **provenance(),
    }
    print(f"DataLoader over files {result['dataloader_ms']:.2f} ms, memory {result['memory_ms']:.3f} ms an episode: "
          f"{result['ratio']:.0f} times faster")  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


def write_files(folder: Path, n_classes: int) -> list[Path]:
    data = draw_glyphs(range(n_classes), PER_CLASS, size=105)
    paths = []
    for i, image in enumerate(data.x.numpy()):
        path = folder / data.names[int(data.y[i])] / f"{i % PER_CLASS:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(255 - image[0]).save(path)
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
