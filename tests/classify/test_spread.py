"""One function over many parts, in this process, in several, or on a cluster."""

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import quickstudy as qs
from quickstudy.classify.bulk import predict_to_file
from quickstudy.classify.spread import spread
from quickstudy.errors import SettingError, WorkerLost

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def block_of(package: str) -> str:
    """Return the block of the page that imports a package."""
    blocks = re.findall(r"^```py\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    [block] = [each for each in blocks if re.search(rf"^(import|from) {package}", each, re.MULTILINE)]
    return block


def taught(folder: Path) -> list[str]:
    """Make the files that the page names, and return the answers to its rows."""
    qs.examples(folder)
    qs.adapt(folder / "rows.csv").save(folder / "stones")
    return [answer.word for answer in qs.load(folder / "stones").answer([folder / "new-rows.csv"])]


def test_parts_are_read_as_they_are_needed():
    read = []

    def parts():
        for i in range(100):
            read.append(i)
            yield i

    results = spread(abs, parts())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(read) == 3


@pytest.mark.slow
def test_processes_give_results_in_order_and_read_ahead_by_two_parts_each():
    read = []
    results = spread(abs, (read.append(-i) or -i for i in range(50)), workers=2)
    assert next(results) == 0
    assert len(read) <= 5
    assert list(results) == list(range(1, 50))


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_call():
    with pytest.raises(WorkerLost, match="fewer --workers"):
        list(spread(os._exit, [1, 2], workers=2))


def test_ray_that_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[ray\]'"):
        next(spread(abs, [1], ray="auto"))


@pytest.fixture
def cluster(tmp_path):
    """Two nodes of Ray on this machine, one processor each; the first one's address."""
    pytest.importorskip("ray", reason="needs the extra ray")
    with closing(socket.socket()) as link:
        link.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{link.getsockname()[1]}"
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    common = ["--num-cpus", "1", "--disable-usage-stats", "--object-store-memory", "100000000"]
    head = ["start", "--head", "--port", address.split(":")[1], "--node-ip-address", "127.0.0.1", *common]
    try:
        subprocess.run([*ray, *head, "--include-dashboard", "false"], check=True, capture_output=True)
        subprocess.run([*ray, "start", "--address", address, *common], check=True, capture_output=True)
        yield address
    finally:
        subprocess.run([*ray, "stop", "--force"], check=False, capture_output=True)


@pytest.mark.slow
def test_a_cluster_of_two_nodes_writes_the_same_file(cluster, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr("quickstudy.inputs.stream.PART", 3)
    expected = taught(tmp_path)
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    predict_to_file(tmp_path / "stones", [tmp_path / "new-rows.csv"], one)
    predict_to_file(tmp_path / "stones", [tmp_path / "new-rows.csv"], two, ray=cluster)
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(SettingError, match="no Ray cluster"):
        predict_to_file(tmp_path / "stones", [tmp_path / "new-rows.csv"], tmp_path / "x.csv", ray="127.0.0.1:1")
    ray.init(address=cluster, log_to_driver=False)
    try:
        assert len(ray.nodes()) == 2
        monkeypatch.chdir(tmp_path)
        variables: dict = {}
        exec(block_of("ray"), variables)
        assert [row["answer"] for row in variables["answered"].take_all()] == expected
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_spark_answers_the_same(tmp_path, monkeypatch):
    pytest.importorskip("pyspark", reason="needs pyspark")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    expected = taught(tmp_path)
    monkeypatch.chdir(tmp_path)
    variables: dict = {}
    exec(block_of("pyspark"), variables)
    try:
        assert [row["answer"] for row in variables["answered"].collect()] == expected
    finally:
        variables["SparkSession"].getActiveSession().stop()


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(workers):
    with pytest.raises(SettingError, match=f"workers={workers} answer nothing; give 1 or more"):
        list(spread(abs, [1], workers=workers))
