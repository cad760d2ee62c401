"""Time and memory of answers in bulk: many small pictures, vectors of sentences, and photographs beside the bare net.

    python -m benchmarks.bulk DATA [--pictures N] [--vectors N] [--photographs N] [--json FILE]

DATA holds class folders of photographs. A part of which N is 0 stays as the file has it. Memory is that of the whole
process, sampled while it runs, beside that of a run on 64 inputs. Photographs a second stand beside those of a loop
that a user would write: one thread reads and decodes, and the net answers; and beside the net alone, on photographs
that are decoded already.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import quickstudy as qs
from quickstudy.inputs.base import Item
from quickstudy.inputs.batches import grouped
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.decode import decoded, upright
from quickstudy.inputs.encoders import photo_encoder
from quickstudy.runs.provenance import provenance

SAMPLES = 60


def memory_of(command: list[object]) -> dict[str, object]:
    """Run a bulk prediction; return its seconds and its resident memory over time, MiB."""
    start, curve = time.perf_counter(), []
    process = subprocess.Popen([sys.executable, "-m", "quickstudy", *map(str, command)], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            rows = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            curve.append(next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmRSS")))
        except (StopIteration, OSError):
            break
        time.sleep(0.5)
    assert process.wait() == 0
    every = max(1, len(curve) // SAMPLES)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "rss_mib": [round(each) for each in curve[::every]],
        "most_mib": round(max(curve)),
    }


def pictures(folder: Path, n: int) -> dict[str, object]:
    """Answer n pictures of 28x28 pixels: digits, each a file of its own."""
    data = qs.digits()
    qs.examples(folder)
    qs.adapt(folder / "pictures").save(folder / "digits")
    (folder / "many").mkdir()
    for i in range(n):
        pixels = 255 - data.x[i % len(data.x), 0].numpy()
        Image.fromarray(pixels).save(folder / "many" / f"{i:06d}.png")
    few = folder / "few"
    few.mkdir()
    for path in sorted((folder / "many").iterdir())[:64]:
        (few / path.name).symlink_to(path)
    start = memory_of(["predict", folder / "digits", few, "--out", folder / "few.csv"])
    whole = memory_of(["predict", folder / "digits", folder / "many", "--out", folder / "many.parquet"])
    return _compared(n, start, whole)


def vectors(folder: Path, n: int) -> dict[str, object]:
    """Answer n vectors of 384 numbers, as of embedded sentences."""
    dice = np.random.default_rng(0)
    means = torch.tensor(dice.normal(size=(10, 384)), dtype=torch.float32)
    data = ClassDataset.from_labels(means.repeat(3, 1), [f"class {i}" for i in range(10)] * 3)
    qs.Classifier(qs.Prototypical(qs.Identity(384)), qs.Arrays((384,)), data).save(folder / "vectors")
    sizes = {"few": 64, "many": n}
    for name, size in sizes.items():
        x = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=(size, 384))
        for begin in range(0, size, 10_000):
            x[begin : begin + 10_000] = dice.normal(size=(min(10_000, size - begin), 384))
        x.flush()
    runs = [
        memory_of(["predict", folder / "vectors", folder / f"{name}.npy", "--out", folder / f"v-{name}.parquet"])
        for name in sizes
    ]
    return _compared(n, *runs)


def _compared(n: int, start: dict[str, object], whole: dict[str, object]) -> dict[str, object]:
    above = int(str(whole["most_mib"])) - int(str(start["most_mib"]))
    print(n, "inputs:", whole["seconds"], "s,", above, "MiB above the start", flush=True)
    return {"n": n, "start": start, "whole": whole, "above_start_mib": above}


def photographs(data: Path, folder: Path, n: int) -> dict[str, object]:
    """Answer n photographs: by this package, by a reading thread beside the net, and by the net alone."""
    classes = sorted(path for path in data.iterdir() if path.is_dir())[:5]
    for each in classes:
        (folder / "taught" / each.name).mkdir(parents=True)
        for path in sorted(each.iterdir())[:5]:
            (folder / "taught" / each.name / path.name).symlink_to(path.absolute())
    qs.adapt(folder / "taught").save(folder / "photos")
    files = [path for each in classes for path in sorted(each.iterdir())[5:]]
    files = [files[i % len(files)] for i in range(n)]
    (folder / "new").mkdir()
    for i, path in enumerate(files):
        (folder / "new" / f"{i:05d}{path.suffix}").symlink_to(path.absolute())
    encoder = photo_encoder()
    speeds = {}
    for workers in (1, 2):
        start = time.perf_counter()
        out = folder / f"photos-{workers}.csv"
        qs.predict_to_file(folder / "photos", [folder / "new"], out, workers=workers)
        speeds[f"ours_{workers}"] = n / (time.perf_counter() - start)
    items = [Item(str(path), path) for path in sorted((folder / "new").iterdir())]

    def read(batch: list[Item]) -> list[np.ndarray]:
        return [decoded(item, lambda i: encoder.prepared(upright(i, "RGB")), encoder.size) for item in batch]

    def read_ahead() -> Iterator[list[np.ndarray]]:
        with ThreadPoolExecutor(1) as pool:
            waiting = None
            for batch in grouped(items, 16):
                following = pool.submit(read, batch)
                if waiting is not None:
                    yield waiting.result()
                waiting = following
            if waiting is not None:
                yield waiting.result()

    start = time.perf_counter()
    for pixels in read_ahead():
        encoder.embed(pixels)
    speeds["thread_and_net"] = n / (time.perf_counter() - start)
    ready = read(items[:16])
    start = time.perf_counter()
    for _ in range(n // 16):
        encoder.embed(ready)
    speeds["net_alone"] = n // 16 * 16 / (time.perf_counter() - start)
    print({name: round(speed, 1) for name, speed in speeds.items()}, flush=True)
    return {"n": n, "per_second": {name: round(speed, 2) for name, speed in speeds.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--photographs", type=int, default=480)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    record = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        if args.vectors:
            record["vectors"] = vectors(Path(folder), args.vectors)
        if args.pictures:
            record["pictures"] = pictures(Path(folder), args.pictures)
        if args.photographs:
            record["photographs"] = photographs(args.data, Path(folder), args.photographs)
    record |= provenance()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
