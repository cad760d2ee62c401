"""Section of docs/results.md about answers over HTTP."""

from __future__ import annotations

from benchmarks.results.tables import records, table
from benchmarks.results.words import prose


def server() -> str:
    record = records("serve")[0]
    rows = [
        [r["kind"], *(f"{r[f'{who}_p50_ms']:.0f} / {r[f'{who}_p95_ms']:.0f} ms" for who in ("alone", "together"))]
        for r in record["rows"]
    ]
    r = record["rows"][0]
    said = prose(
        f"Time to an answer of `quickstudy serve` on one core, median / 95th percentile, {r['requests']:,} requests:",
        f"by one client, and by {r['clients']} clients. Each client sends its next request when the last one is",
        "answered, so that each waits for the others. `benchmarks/serve.py`.",
    )
    return said + table(["", "one client", f"{r['clients']} clients"], rows)
