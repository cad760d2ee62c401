"""Time the server: answers to a drawing, a sentence and a photograph, asked by several clients at once.

The server has one processor of its own, where the machine has two or more. Each client asks again when it is answered.

    python -m benchmarks.serve [--requests N] [--clients N] [--kind KIND] [--json FILE]
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image, ImageDraw

from quickstudy.runs.provenance import provenance

LIST = "/v1/classifiers"
WARM = 20


def drawing(shape: str, shift: int = 0) -> bytes:
    page = Image.new("L", (280, 280), "white")
    pen = ImageDraw.Draw(page)
    getattr(pen, shape)((60 + shift, 60, 220, 220), outline=0, width=12)
    return saved(page, "PNG")


def photograph(seed: int) -> bytes:
    noise = np.random.default_rng(seed)
    blobs = Image.fromarray(noise.integers(0, 255, (12, 16, 3), np.uint8)).resize((1024, 768), Image.Resampling.BICUBIC)
    return saved(blobs, "JPEG")


def saved(image: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


def asked(kind: str) -> tuple[dict[str, object], httpx.Request]:
    """Return how a classifier of a kind is made, and a request for an answer."""
    question = f"http://server{LIST}/{kind}/predict"
    if kind == "sentence":
        talk = {"greeting": ["hello there", "good morning"], "parting": ["goodbye", "see you tomorrow"]}
        examples = [{"label": label, "text": text} for label in talk for text in talk[label]]
        inputs = [{"text": "could you tell me when my parcel will arrive, please"}]
        return {"json": {"name": kind, "examples": examples}}, httpx.Request("POST", question, json={"inputs": inputs})
    if kind == "drawing":
        files = [("files", (f"{shape}/1.png", drawing(shape))) for shape in ("ellipse", "rectangle")]
        files.append(("files", ("line/1.png", line())))
        new = drawing("ellipse", 15)
    else:
        files = [("files", (f"{'ab'[i % 2]}/{i}.jpg", photograph(i))) for i in range(4)]
        new = photograph(9)
    kinds = {"drawing": "drawings", "photograph": "photos"}
    request = httpx.Request("POST", question, files=[("files", ("new", new))])
    return {"files": files, "data": {"name": kind, "kind": kinds[kind]}}, request


def line() -> bytes:
    page = Image.new("L", (280, 280), "white")
    ImageDraw.Draw(page).line((60, 60, 220, 220), 0, 12)
    return saved(page, "PNG")


def timed(address: str, request: httpx.Request, n: int, clients: int) -> list[float]:
    """Return the seconds of each of n requests, asked by some clients at once."""
    place, body = urlsplit(address), request.read()
    headers = {"content-type": request.headers["content-type"]}

    def ask(count: int) -> list[float]:
        link, seconds = http.client.HTTPConnection(place.hostname, place.port), []
        for _ in range(count):
            start = time.perf_counter()
            link.request("POST", request.url.path, body, headers)
            response = link.getresponse()
            response.read()
            seconds.append(time.perf_counter() - start)
            assert response.status == 200, response.status
        link.close()
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        return [each for part in pool.map(ask, [n // clients] * clients) for each in part]


def measure(address: str, kind: str, requests: int, clients: int) -> dict[str, object]:
    made, request = asked(kind)
    httpx.post(address + LIST, timeout=300, **made).raise_for_status()
    timed(address, request, WARM, 1)
    row: dict[str, object] = {"kind": kind, "requests": requests, "clients": clients}
    for name, n, several in (("alone", min(requests, 200), 1), ("together", requests, clients)):
        p50, p95 = np.quantile(timed(address, request, n, several), (0.5, 0.95))
        row |= {f"{name}_p50_ms": round(1e3 * float(p50), 2), f"{name}_p95_ms": round(1e3 * float(p95), 2)}
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--kind", action="append", choices=("drawing", "sentence", "photograph"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "quickstudy", "serve", folder, "--port", "0", "--no-browser"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            os.sched_setaffinity(server.pid, cores[-1:])
            os.sched_setaffinity(0, cores[:-1] or cores)
            assert server.stdout
            address = server.stdout.readline().strip().rstrip("/")
            kinds = args.kind or ("drawing", "sentence", "photograph")
            rows = [measure(address, kind, args.requests, args.clients) for kind in kinds]
        finally:
            server.kill()
            server.wait()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        record = {"rows": rows, "load": os.getloadavg(), **provenance()}
        args.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
