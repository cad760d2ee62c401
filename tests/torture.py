"""Runs that are killed, interrupted and damaged, by real processes: what is conformal_quantile of them, counted.

python -m tests.torture [--json FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from quickstudy.errors import CheckpointError
from quickstudy.training.checkpoint import read
from tests.limits import HANGING

QUICKSTUDY = [sys.executable, "-m", "quickstudy"]
EVERY = 20
TRAIN = [
    "train", "--algorithm", "maml", "--data", "sinusoid", "--tasks-per-step", "4", "--validation-tasks", "4",
    "--validate-every", "100", "--save-every", str(EVERY), "--threads", "1",
]  # fmt: skip

Row = tuple[str, int, int]
"""What was tried, how often it held, and how often it was tried."""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*QUICKSTUDY, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def train(folder: Path, steps: int, workers: int = 1) -> subprocess.Popen[str]:
    return start(*TRAIN, "--steps", steps, "--workers", workers, "--out", folder)


def logged(folder: Path) -> list[int]:
    """Steps of the metrics, of whole lines."""
    try:
        lines = (folder / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line)["step"] for line in lines]


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def until(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = HANGING) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if condition():
            return True
        time.sleep(0.0005)
    return condition()


def saving(folder: Path) -> bool:
    return any((folder / "checkpoints").glob(".step-*"))


def killed(times: int, place: Path, seed: int = 0) -> list[Row]:
    """One run, killed and resumed again and again: half of the times inside a save."""
    rng = random.Random(seed)
    folder, resumed, bounded, inside = place / "killed", 0, 0, 0
    process = train(folder, 10**6)
    for trial in range(times):
        before = len(logged(folder))
        assert until(lambda b=before: len(logged(folder)) > b + rng.randrange(1, 3 * EVERY), process)
        if trial % 2:
            inside += until(lambda: saving(folder), process)
        process.kill()
        process.communicate()
        reached = logged(folder)[-1]
        newest = max((int(p.name[5:]) for p in (folder / "checkpoints").glob("step-*")), default=0)
        bounded += newest >= reached - EVERY
        process = start("train", "--resume", folder)
        again = until(lambda r=reached: logged(folder)[-1:] != [r], process)
        steps = logged(folder)
        resumed += again and process.poll() is None and steps == list(range(1, len(steps) + 1))
    process.kill()
    process.communicate()
    return [
        ("killed with SIGKILL, went on unaided, metrics without a gap", resumed, times),
        ("of these inside a save", inside, times // 2),
        ("at most one interval lost", bounded, times),
    ]


def interrupted(times: int, place: Path, workers: int, within: float = 10) -> Row:
    """Interrupted once and resumed, against a run that never was; it ends within so many seconds."""
    steps = 400
    whole = place / f"whole-{workers}"
    assert train(whole, steps, workers).wait() == 0
    equal = 0
    for trial in range(times):
        folder, number = place / f"interrupted-{workers}-{trial}", (signal.SIGINT, signal.SIGTERM)[trial % 2]
        process = train(folder, steps, workers)
        until(lambda f=folder, t=trial: len(logged(f)) > 10 + t * 30 % 300, process)
        process.send_signal(number)
        begun = time.monotonic()
        code = process.wait()
        in_time = time.monotonic() - begun < within
        ended = start("train", "--resume", folder).wait()
        same = (folder / "metrics.jsonl").read_bytes().count(b"\n") == steps and weights(folder) == weights(whole)
        equal += code == 128 + number and in_time and ended == 0 and same
    return f"interrupted with {workers} worker{'s' * (workers > 1)}, ended with the same SHA-256", equal, times


def lost_worker(place: Path, within: float = 15) -> Row:
    """One of two workers is killed: the run ends within so many seconds, with its cause, and leaves no process."""
    folder = place / "lost"
    process = train(folder, 10**6, 2)
    assert until(lambda: len(logged(folder)) > 50, process)
    children = _children(process.pid)
    os.kill(children[1], signal.SIGKILL)
    begun = time.monotonic()
    _, said = process.communicate(timeout=HANGING)
    held = time.monotonic() - begun < within and process.returncode == 1 and "killed by SIGKILL" in said
    held = held and not any(Path(f"/proc/{child}").exists() for child in children)
    resumed = start("train", "--resume", folder)
    newest = logged(folder)[-1]
    held = held and until(lambda: logged(folder)[-1] > newest, resumed)
    resumed.send_signal(signal.SIGTERM)
    return (
        f"one of two workers killed: ended within {within} s with the cause, no process left, went on",
        int(held and resumed.wait() == 143),
        1,
    )


def stalled_worker(place: Path, timeout: int = 5, within: float = 40) -> Row:
    """One of two workers stands still: the run ends within the timeout and so many seconds."""
    folder = place / "stalled"
    process = start(*TRAIN, "--steps", 10**6, "--workers", 2, "--worker-timeout", timeout, "--out", folder)
    assert until(lambda: len(logged(folder)) > 50, process)
    children = _children(process.pid)
    os.kill(children[1], signal.SIGSTOP)
    begun = time.monotonic()
    _, said = process.communicate(timeout=HANGING)
    held = time.monotonic() - begun < timeout + within and process.returncode == 1 and "did not respond" in said
    held = held and not any(Path(f"/proc/{child}").exists() for child in children)
    return f"one of two workers stopped: ended within the timeout and {within} s, no process left", int(held), 1


def full_disk(times: int, place: Path) -> Row:
    """A disk of its own that a run fills, smaller and larger: one line and code 1; with room again, it goes on."""
    held = 0
    for trial in range(times):
        disk = place / f"disk-{trial}"
        disk.mkdir()
        _root("mount", "-t", "tmpfs", "-o", f"size={8 + 12 * trial}k", "tmpfs", str(disk))
        try:
            folder = disk / "run"
            process = train(folder, 10**6)
            _, said = process.communicate(timeout=HANGING)
            lines = [line for line in said.splitlines() if "takes about" not in line]  # what the run will need
            told = process.returncode == 1 and len(lines) == 1 and "No space left" in said and str(disk) in said
            _root("mount", "-o", "remount,size=100m", str(disk))
            process = start("train", "--resume", folder) if (folder / "run.json").exists() else train(folder, 10**6)
            reached = 3 * EVERY + max([0, *logged(folder)])
            again = until(lambda f=folder, r=reached: logged(f)[-1:] >= [r], process)
            process.terminate()
            process.communicate()
            steps = logged(folder)
            held += told and again and process.returncode == 143 and steps == list(range(1, len(steps) + 1))
        finally:
            _root("umount", str(disk))
    return "a real disk filled to its end: one line that names the file, and went on with room again", held, times


def _root(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def damaged(flips: int, cuts: int, place: Path, seed: int = 0) -> list[Row]:
    """Bits flipped and files cut in a checkpoint of a run."""
    rng = random.Random(seed)
    run = place / "damaged"
    assert train(run, 40).wait() == 0
    folder = run / "checkpoints" / "step-000000040"
    files = [path for path in sorted(folder.iterdir()) for _ in range(1)]
    found = {"flip": 0, "cut": 0}
    for kind, times in (("flip", flips), ("cut", cuts)):
        for _ in range(times):
            path = rng.choice(files)
            content = path.read_bytes()
            changed = bytearray(content)
            if kind == "flip":
                bit = rng.randrange(8 * len(content))
                changed[bit // 8] ^= 1 << bit % 8
            else:
                del changed[rng.randrange(len(content)) :]
            path.write_bytes(changed)
            try:
                read(folder)
            except CheckpointError as error:
                found[kind] += str(folder) in str(error)
            path.write_bytes(content)
    read(folder)
    return [("bits flipped in a checkpoint, found", found["flip"], flips), ("files cut, found", found["cut"], cuts)]


def faults() -> Row:
    """The tests that let every write, sync and rename of a save fail."""
    return _tests("faults injected into a save, survived", "tests/training/test_checkpoint.py", "-k", "fault")


def hostile() -> Row:
    """The tests that load model folders made to harm."""
    return _tests("hostile model folders refused", "tests/models/test_hostile_models.py")


def _tests(name: str, *arguments: str) -> Row:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    said = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[-1]
    passed, failed = (int(m[1]) if (m := re.search(rf"(\d+) {word}", said)) else 0 for word in ("passed", "failed"))
    return name, passed, passed + failed


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    place = Path(tempfile.mkdtemp())
    parts: list[Callable[[], Row | list[Row]]] = [
        lambda: killed(100, place),
        lambda: interrupted(10, place, 1),
        lambda: interrupted(10, place, 2),
        lambda: lost_worker(place),
        lambda: stalled_worker(place),
        lambda: full_disk(10, place),
        lambda: damaged(1000, 200, place),
        faults,
        hostile,
    ]
    rows: list[Row] = []
    try:
        for part in parts:
            done = part()
            for row in done if isinstance(done, list) else [done]:
                rows.append(row)
                print(f"{row[1]:5} of {row[2]:5}  {row[0]}", flush=True)
    finally:
        shutil.rmtree(place)
    if args.json:
        from quickstudy.runs.provenance import provenance

        record = {"rows": [dict(zip(("what", "held", "tried"), row, strict=True)) for row in rows], **provenance()}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(any(held < tried or not tried for _, held, tried in rows))


if __name__ == "__main__":
    sys.exit(main())
