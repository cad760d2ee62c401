"""Clients that are silent, slow, many, or send anything; and kills."""

import os
import random
import resource
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from quickstudy.classify.classifier import Classifier
from quickstudy.models.folder import ModelFolder
from quickstudy.serving.store import Store
from tests.serving.conftest import LIST, ROW, ROWS, drawing, drawings, made, server

pytestmark = pytest.mark.slow
KILLS = 50


def opened(address, start=b""):
    link = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port))
    link.sendall(start)
    return link


def test_silent_and_slow_clients_do_not_keep_others_out(running):
    """200 connections without a request, with half a header or half a body; then more than the server holds."""
    head = b"POST /v1/classifiers HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    body = head + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    name = made(running.client.post(LIST, json={"examples": ROWS}))["name"]
    silent = [opened(running.address, start) for start in (b"", head, body, b"G") for _ in range(50)]
    for _ in range(20):
        made(running.client.post(f"{LIST}/{name}/predict", json={"inputs": [ROW]}))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    silent += [opened(running.address) for _ in range(1000)]
    made(httpx.post(f"{running.address}{LIST}/{name}/predict", json={"inputs": [ROW]}, timeout=30))
    start = time.monotonic()
    for link in silent:
        link.settimeout(max(1, 80 - (time.monotonic() - start)))
        try:
            while link.recv(1000):
                pass
        except ConnectionError:
            pass
        link.close()
    made(running.client.get(f"{LIST}/{name}"))


def test_fuzzed_requests_are_answered_below_500(running):
    """At least 2,000 requests made from the schema, half of them for classifiers that are there."""
    schemathesis = pytest.importorskip("schemathesis")
    schemathesis.serializer.alias("application/zip", "application/octet-stream")
    names = [made(running.client.post(LIST, json={"examples": ROWS}))["name"], "nothing"]
    schema = schemathesis.openapi.from_url(f"{running.address}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    long = {f"{LIST}/{{name}}.onnx": 40, "/v1/loops/{algorithm}": 2}  # each of the latter is a training of minutes
    assert long.keys() < {operation.path for operation in operations}
    statuses: Counter[int] = Counter()
    for operation in operations:
        n = long.get(operation.path, 2000 // (len(operations) - len(long)) + 30)

        @settings(
            max_examples=n,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
        )
        @given(case=operation.as_strategy())
        def ask(case):
            if "name" in (case.path_parameters or {}) and statuses.total() % 2:
                case.path_parameters["name"] = names[statuses.total() // 2 % 2]
            response = case.call(timeout=120)
            statuses[response.status_code] += 1
            assert response.status_code < 500, (case.as_curl_command(), response.text)

        ask()
    print(dict(statuses))
    assert statuses.total() >= 2000
    assert made(running.client.get("/healthz")) == {"status": "ok"}
    assert running.process.poll() is None


def test_an_interrupt_ends_it_quietly(tmp_path):
    with server(tmp_path) as started:
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(60) == 130
        assert started.process.stderr.read() == ""


def test_kills_leave_every_classifier_whole(tmp_path):
    """50 kills while examples are learned: each classifier loads, equals its seal, and learned whole requests."""
    dice = random.Random(0)
    names = ["a", "b", "c"]
    for _ in range(KILLS):
        with server(tmp_path) as started:

            def teach(client=started.client):
                i = 0
                try:
                    while True:
                        name = names[i % 3]
                        i += 1
                        if client.get(f"{LIST}/{name}", params={"check": False}).status_code == 404:
                            client.post(LIST, json={"name": name, "examples": ROWS})
                        elif i % 5 == 0:
                            client.post(f"{LIST}/{name}/undo")
                        else:
                            pair = [{"label": label, "row": {"width": i % 30, "colour": "red"}} for label in ("p", "q")]
                            client.post(f"{LIST}/{name}/examples", json={"examples": pair})
                except httpx.TransportError:
                    pass

            thread = threading.Thread(target=teach)
            thread.start()
            time.sleep(0.4 + dice.random())
            os.kill(started.process.pid, signal.SIGKILL)
            thread.join()
        for name in Store(tmp_path).names():
            assert not list(ModelFolder(tmp_path / name).faults())
            labels = Classifier.load(tmp_path / name).data
            counts = dict(zip(labels.names, labels.counts.tolist(), strict=True))
            assert counts.get("p", 0) == counts.get("q", 0)
    assert Store(tmp_path).names() == names


def test_a_minute_of_eight_clients_without_an_error(running):
    name = made(running.client.post(LIST, files=drawings("ellipse", "cross", "rectangle")))["name"]
    picture, end = drawing("cross", 5), time.monotonic() + 60

    def ask(_):
        n = 0
        with httpx.Client(base_url=running.address, timeout=60) as client:
            while time.monotonic() < end:
                answered = made(client.post(f"{LIST}/{name}/predict", files=[("files", ("new.png", picture))]))
                assert answered["answers"][0]["label"] == "cross"
                n += 1
        return n

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(ask, range(8))) > 0


def test_memory_stays_flat(running):
    name = made(running.client.post(LIST, files=drawings("ellipse", "cross", "rectangle")))["name"]
    picture = drawing("cross", 5)

    def rss():
        [line] = [x for x in running.client.get("/metrics").text.splitlines() if x.startswith("process_resident")]
        return float(line.split()[1]) / 2**20

    def ask(n):
        for i in range(n):
            made(running.client.post(f"{LIST}/{name}/predict", files=[("files", ("new.png", picture))]))
            if i % 50 == 0:
                files = [("files", ("cross/x.png", picture))]
                made(running.client.post(f"{LIST}/{name}/examples", files=files))
                made(running.client.post(f"{LIST}/{name}/undo"))

    ask(500)
    before = rss()
    ask(5000)
    after = rss()
    assert after < before + 30, (before, after)
