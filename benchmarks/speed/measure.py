"""Contenders side by side: each in processes of its own, asked in turn, and held to the same numbers."""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.contenders import CONTENDERS, Step, ours, plain_loop, takes
from benchmarks.speed.work import Work
from quickstudy.training.workers import ENVIRONMENT, join

AGREEMENT = 1e-4
"""Largest relative difference of losses and gradients between contenders that do the same."""

LONG_ENOUGH = 1.0
"""Seconds of one repetition: a step that takes less is followed by as many as fill them, and those are timed."""


@dataclass(frozen=True)
class Timing:
    """One contender at one row.

    Attributes:
        contender: Its name.
        seconds: Of every repetition.
        megabytes: Peak memory of a step above that before it, of all its processes; None where the system does not say.
        off: Largest relative difference of loss and gradient from the plain loop's.
    """

    contender: str
    seconds: tuple[float, ...]
    megabytes: float | None
    off: float

    @property
    def median(self) -> float:
        """Of the seconds."""
        return median(self.seconds)

    @property
    def valid(self) -> bool:
        """Whether it computed the same numbers."""
        return self.off <= AGREEMENT


@dataclass(frozen=True)
class Row:
    """All contenders at one row, and the floor: the counted operations at the speed of a matrix product."""

    work: Work
    timings: dict[str, Timing]
    floor: float


class Contender:
    """A contender's processes, which wait until they are asked."""

    def __init__(self, name: str, workers: int = 1) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        port = _free_port()
        pipes = [context.Pipe() for _ in range(workers)]
        self.pipes = [ours for ours, _ in pipes]
        self.processes = [
            context.Process(target=_serve, args=(theirs, name, rank, workers, port), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        outside = dict(os.environ)
        if workers > 1:
            os.environ |= ENVIRONMENT
        for process in self.processes:
            process.start()
        os.environ.clear()
        os.environ |= outside

    def ask(self, question: str, work: Work | None = None, steps: int = 1) -> list[Any]:
        """The answers of all its processes."""
        for pipe in self.pipes:
            pipe.send((question, work, steps))
        answers = [pipe.recv() for pipe in self.pipes]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def seconds(self, work: Work) -> float:
        """Of a step, among others of its kind."""
        once: float = self.ask("time", work)[0]
        if once > LONG_ENOUGH:
            return once
        steps = math.ceil(LONG_ENOUGH / once)
        return float(self.ask("time", work, steps)[0] / steps)

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.terminate()
            process.join()


@contextmanager
def contenders(workers: int = 2) -> Iterator[list[Contender]]:
    """Every contender that is installed, ours a second time with several workers, each in processes of its own."""
    them = [Contender(name) for name in CONTENDERS]
    if workers > 1:
        them.append(Contender(f"ours, {workers} workers", workers))
    try:
        yield them
    finally:
        for contender in them:
            contender.close()


def measure(work: Work, them: Sequence[Contender], repetitions: int = 5) -> Row:
    """Time one row: a run of each in float64 to compare them, then all in turn in float32, again and again.

    In float32 the comparison would say nothing: the weights after some steps are no continuous function of those
    before. Where the blank ground of an image lies at a ReLU's zero, 1e-7 more or less moves a task's gradient by half.
    """
    apt = [c for c in them if takes(c.name.partition(",")[0], work) and len(c.pipes) <= work.n_tasks]
    found: dict[str, tuple[Tensor, Tensor]] = {c.name: c.ask("compare", work)[0] for c in apt}
    loss, gradient = found["plain loop"]
    off = {
        name: max(float((a - loss).abs() / loss.abs()), float((g - gradient).norm() / gradient.norm()))
        for name, (a, g) in found.items()
    }
    memory: dict[str, float | None] = {}
    for c in apt:
        parts = c.ask("memory", work)
        memory[c.name] = None if None in parts else sum(parts)
    seconds: dict[str, list[float]] = {c.name: [] for c in apt}
    peaks = []
    plain = next(c for c in apt if c.name == "plain loop")
    for _ in range(repetitions):
        for c in apt:
            seconds[c.name].append(c.seconds(work))
        peaks += plain.ask("peak", work)
    timings = {name: Timing(name, tuple(s), memory[name], off[name]) for name, s in seconds.items()}
    return Row(work, timings, plain.ask("flops", work)[0] / median(peaks))


def flops(work: Work) -> float:
    """Floating-point operations of a step's convolutions and matrix products, counted in the plain loop.

    >>> 1e6 < flops(Work(net="mlp", n_shot=10, inner_steps=1, n_tasks=100)) < 1e8
    True
    """
    one = replace(work, n_tasks=1, device="cpu")
    with FlopCounterMode(display=False) as counter:
        plain_loop(one)()
    return float(counter.get_total_flops() * work.n_tasks)


def matrix_product_peak(device: str = "cpu") -> float:
    """Operations a second of a float32 matrix product on a GPU, or with this process's threads."""
    size = 1024 if device == "cpu" else 8192
    a, b = torch.rand(2, size, size, device=device)
    return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(5))


def _seconds(run: Callable[[], object], times: int = 1) -> float:
    """That it takes, to the end of what it leaves running on a GPU."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _serve(pipe: Connection, name: str, rank: int, size: int, port: int) -> None:
    """A contender's process: answers questions until it is ended."""
    if size > 1:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
        os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        torch.set_num_threads(1)
    with join() as workers:
        prepared: tuple[torch.dtype, Work] | None = None
        step: Step | None = None
        while True:
            question, work, steps = pipe.recv()
            try:
                dtype = torch.float64 if question == "compare" else torch.float32
                torch.set_default_dtype(dtype)
                if question not in ("peak", "flops") and (dtype, work) != prepared:
                    prepared = dtype, work
                    step = ours(work, workers) if name.startswith("ours") else CONTENDERS[name](work)
                pipe.send(_answer(question, work, step, steps))
            except Exception as error:
                pipe.send(RuntimeError(f"{name} at {work}: {error}"))


def _answer(question: str, work: Work, step: Step | None, steps: int) -> Any:
    if question == "peak":
        return matrix_product_peak(work.device)
    if question == "flops":
        return flops(work)
    assert step is not None
    if question == "memory":
        return _megabytes(step)
    if question == "time":
        return _seconds(step, steps)
    loss, gradients = step()
    return loss.detach().cpu().clone(), torch.cat([g.detach().cpu().flatten() for g in gradients])


def _megabytes(step: Step) -> float | None:
    """At a step's peak beyond what the process held before; only Linux tells."""
    step()  # the first makes what stays
    status = Path("/proc/self/status")
    try:
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
        before = _kilobytes(status, "VmRSS")
    except OSError:
        return None
    step()
    return (_kilobytes(status, "VmHWM") - before) / 1024


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])
