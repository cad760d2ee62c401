"""Files bred by what they reach in a parser, until one is neither read nor refused in one line; it stays as crash-*.

python -m tests.fuzz SECONDS [NAME ...]
"""

import multiprocessing
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["quickstudy", "json", "tomllib", "csv", "PIL"]):
    from tests.parsers import PARSERS, refusal


def fuzz(name: str, seconds: str) -> None:
    parser = PARSERS[name]
    folder, seeds = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    parser.make(folder)
    shutil.copy(folder / parser.file, seeds / "seed")

    def once(content: bytes) -> None:
        (folder / parser.file).write_bytes(content)
        refusal(parser, folder)

    limits = [
        f"-max_total_time={seconds}",
        "-rss_limit_mb=3000",
        "-timeout=10",
        "-max_len=20000",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], f"-artifact_prefix=crash-{name}-", *limits, str(seeds)], once)
    atheris.Fuzz()


def main(seconds: str, *names: str) -> int:
    for name in names or PARSERS:
        process = multiprocessing.get_context("fork").Process(
            target=fuzz, args=(name, seconds)
        )  # for each ends its own
        process.start()
        process.join()
        print(f"{name}: {'sound' if process.exitcode == 0 else 'broken'}", flush=True)
        if process.exitcode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
