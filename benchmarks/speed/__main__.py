"""Time an outer step beside a plain loop and other libraries, on this machine.

python -m benchmarks.speed [--toy] [--repetitions N] [--workers N] [--device cpu] [--out FILE] [--plot FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.speed.measure import contenders, measure
from benchmarks.speed.report import draw, figures, table
from benchmarks.speed.work import TOY, WORKS
from quickstudy.errors import QuickstudyError
from quickstudy.io import files
from quickstudy.io.console import shown
from quickstudy.runs.experiment import find_device
from quickstudy.runs.provenance import provenance


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=str(__doc__).splitlines()[0])
    parser.add_argument("--toy", action="store_true", help="a few small rows, to see that it runs")
    parser.add_argument("--repetitions", type=positive, default=5, help="timed runs of each contender, in turn")
    parser.add_argument("--workers", type=positive, default=2, help="processes of our second entry")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--plot", type=Path, help="draw them into this PNG file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    try:
        device = str(find_device(options.device))
    except QuickstudyError as error:
        parser().error(str(error))
    with contenders(options.workers) as them:
        works = [replace(work, device=device) for work in (TOY if options.toy else WORKS)]
        rows = [measure(work, them, options.repetitions) for work in shown(works, "timing")]
    record = {"rows": [figures(row) for row in rows], "repetitions": options.repetitions, **provenance()}
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        files.replace(options.out, (json.dumps(record, indent=2) + "\n").encode())
    if options.plot is not None:
        draw(rows, options.plot)
    if options.json:
        print(json.dumps(record))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
