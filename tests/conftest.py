"""What holds for every test: no network but this machine's own, no settings of the user's, a cache of its own."""

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck
from PIL import Image

from quickstudy.cli import main
from quickstudy.inputs import INPUTS
from quickstudy.inputs.encoders import ENCODERS
from quickstudy.learners import LEARNERS
from quickstudy.nets import NETS
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.settings import complete
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.sources import SOURCES

# Tensors here are small: a second thread waits more than it works, and much more on a machine with other work.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the programs that tests start
hypothesis.settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("no clock")
collect_ignore = ["fuzz.py", "third_party"]  # one needs a fuzzer, the other is installed
SHARED = Path(__file__).parents[2] / "shared" / "data" / "omniglot"


class Result(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(autouse=True, scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("QUICKSTUDY_")]:
            patch.delenv(name)
        patch.setenv("QUICKSTUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _near(getattr(socket.socket, name)))
        yield


@pytest.fixture(autouse=True)
def as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test registers."""
    for registry in (LEARNERS, NETS, SOURCES, INPUTS, ENCODERS):
        monkeypatch.setattr(registry, "_own", dict(registry._own))


def _near(connect):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            assert host == "localhost" or ipaddress.ip_address(host).is_loopback, f"a test reaches out to {host}"
        return connect(self, address)

    return guarded


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """15 characters, 8 drawings each, black on white: CLASS/NUMBER.png."""
    folder = tmp_path_factory.mktemp("pictures")
    data = draw_glyphs(range(15), 8)
    for i, (image, c) in enumerate(zip(data.x, data.y.tolist(), strict=True)):
        path = folder / data.names[c] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(255 - image[0].numpy()).save(path)
    return folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mini-ImageNet of one class a split and one picture a class."""
    folder = tmp_path_factory.mktemp("mini")
    (folder / "images").mkdir()
    for c, split in enumerate(("train", "val", "test")):
        Image.new("RGB", (100, 90), (c, 2 * c, 3 * c)).save(folder / "images" / f"{c}.jpg")
        (folder / f"{split}.csv").write_text(f"filename,label\n{c}.jpg,n{c}\n")
    return folder


@pytest.fixture
def small(pictures: Path) -> dict[str, object]:
    """Settings of a run of a second."""
    return {
        "data": "folders",
        "data_root": str(pictures),
        "n_way": 3,
        "n_query": 3,
        "train_way": 4,
        "train_query": 2,
        "width": 4,
        "steps": 3,
        "validation_tasks": 2,
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A run folder, of a prototypical network on the pictures. Not to be written to."""
    folder = tmp_path_factory.mktemp("runs") / "prototypical"
    given = {"data": "folders", "data_root": pictures, "n_way": 3, "n_query": 3, "train_way": 6, "train_query": 4}
    for _ in Experiment(complete({**given, "width": 8, "steps": 30, "validation_tasks": 10})).train(folder):
        pass
    return folder


@pytest.fixture(scope="session")
def sinusoid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of MAML on sinusoids. Not to be written to."""
    folder = tmp_path_factory.mktemp("runs") / "sinusoid"
    for _ in Experiment(complete({"algorithm": "maml", "data": "sinusoid", "steps": 2, "validation_tasks": 2})).train(
        folder
    ):
        pass
    return folder


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process: exit code, stdout and stderr."""

    def call(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["quickstudy", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main()
        return Result(exit.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Calls the command line and holds it to the law of bad input: exit code 2, one line on stderr, nothing written."""

    def call(*args: object) -> str:
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        code, out, err = cli(*args)
        assert code == 2, err
        assert out == ""
        assert err.startswith("quickstudy: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return call


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the real Omniglot archives."""
    if not SHARED.exists():
        pytest.skip("no shared data")
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(shared_cache(tmp_path_factory)))
    return SHARED


def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache of the real archives, one for all of pytest's processes: preparing them takes long."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-cache"
