"""Measure what the command line takes to show its help: processor time of whole processes.

python benchmarks/startup.py [--repetitions N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from quickstudy.runs.provenance import provenance

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "quickstudy --help": ["-m", "quickstudy", "--help"],
    "quickstudy train --help": ["-m", "quickstudy", "train", "--help"],
    "quickstudy train --print-settings": ["-m", "quickstudy", "train", "--print-settings"],
}
"""The first is the interpreter alone, to compare with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for repetition in range(args.repetitions + 1):  # in turn; the first time fills the caches of the disk
        for name, arguments in COMMANDS.items():
            process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            if repetition:
                seconds[name].append(usage.ru_utime + usage.ru_stime)
    rows = [{"command": name, "least_s": min(t), "median_s": median(t)} for name, t in seconds.items()]
    for row in rows:
        print("{command:34} least {least_s:.3f} s, median {median_s:.3f} s".format(**row))
    if args.json:
        args.json.write_text(
            json.dumps({"rows": rows, "repetitions": args.repetitions, **provenance()}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
