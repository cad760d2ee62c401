"""What another package announces by entry points works as what is built in: installed, trained, saved and loaded."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parent / "third_party"
ROOT = PACKAGE.parents[1]
TRAIN = [
    "train", "--algorithm", "mine", "--arguments", '{"temperature": 2.0}', "--net", "flat", "--width", "8",
    "--data", "glyphs", "--glyph-classes", "10", "--train-way", "5", "--train-query", "2", "--n-query", "2",
    "--steps", "3", "--validation-tasks", "2",
]  # fmt: skip
ALL = """
import json, sys
from quickstudy.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as error:
        assert not error.code
"""
"""Calls the command line again and again, in one process."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package, installed by pip."""
    source, folder = tmp_path_factory.mktemp("source") / "mine", tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--target", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def run(*arguments: str, path: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python, with the package on its path or without."""
    places = [str(place) for place in (path, ROOT) if place is not None]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, env=environment)


def quickstudy(*commands: list[object], path: Path | None, cwd: Path) -> str:
    """Run commands in one process, and return what they print."""
    texts = [[str(part) for part in command] for command in commands]
    done = run("-c", ALL, json.dumps(texts), path=path, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def place(installed, tmp_path_factory, pictures) -> Path:
    """A folder with a run of the package's learner, a classifier from it, and what the commands printed."""
    place = tmp_path_factory.mktemp("place")
    out = quickstudy(
        [*TRAIN, "--out", "run"],
        ["evaluate", "run", "--n-tasks", 4, "--json"],
        ["adapt", "run", pictures, "-o", "classifier"],
        ["predict", "classifier", next(pictures.rglob("*.png")), "--json"],
        ["doctor", "run", "--quiet"],
        ["algorithms", "--json"],
        path=installed,
        cwd=place,
    )
    (place / "out").write_text(out)
    return place


def test_it_is_trained_saved_and_evaluated(place):
    settings = json.loads((place / "run" / "run.json").read_text())["settings"]
    assert (settings["algorithm"], settings["net"]) == ("mine", "flat")
    assert settings["arguments"] == {"temperature": 2.0}
    learner = json.loads((place / "run" / "config.json").read_text())["learner"]
    assert learner == {
        "name": "mine",
        "net": {"name": "flat", "channels": 1, "size": 28, "width": 8},
        "temperature": 2.0,
    }
    assert json.loads((place / "out").read_text().splitlines()[1])["algorithm"] == "mine"


def test_algorithms_lists_it(place):
    rows = {row["algorithm"]: row for row in json.loads((place / "out").read_text().splitlines()[-1])}
    assert rows["mine"] == {
        "algorithm": "mine",
        "what": "The nearest example decides, the more softly the higher the temperature.",
        "settings": {},
        "arguments": {"temperature": 1.0},
        "source": "Nobody 2020.",
    }


def test_help_shows_it_and_imports_little(installed):
    code = (
        "import sys; sys.argv = ['quickstudy', 'train', '--help']\n"
        "from quickstudy.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'numpy', 'pydantic', 'rich', 'quickstudy_mine') if name in sys.modules])"
    )
    out = " ".join(run("-c", code, path=installed).stdout.split())
    assert "pixels, mine. Default: prototypical." in out
    assert "residual, flat." in out
    assert out.endswith("[]")


def test_it_keeps_the_laws(installed):
    code = (
        "from quickstudy.testing import check_learner; from quickstudy import LEARNERS, NETS\n"
        "check_learner(LEARNERS['mine'](NETS['flat'](1, 16), temperature=0.5))"
    )
    done = run("-c", code, path=installed)
    assert done.returncode == 0, done.stderr


def test_without_the_package_its_run_is_refused_in_a_line(place):
    code = (
        "from quickstudy import QuickstudyError, load\n"
        "from quickstudy.runs.run import Run\n"
        "for opened in (load, lambda run: Run(run).settings):\n"
        "    try: opened('run')\n"
        "    except QuickstudyError as error: print(error)\n"
    )
    lines = run("-c", code, cwd=place).stdout.splitlines()
    assert len(lines) == 2
    assert "unknown learner 'mine'" in lines[0]
    assert "unknown algorithm 'mine'" in lines[1]
    assert all(line.endswith("a package that adds it may be missing here") for line in lines)


@pytest.fixture(scope="module")
def sounds(installed, tmp_path_factory) -> Path:
    """A folder of recordings, and a classifier that learned them without a run."""
    place = tmp_path_factory.mktemp("sounds")
    code = (
        "from pathlib import Path; from quickstudy_mine.sounds import tone\n"
        "for pitch in (300, 900, 2500):\n"
        "    for take in range(4):\n"
        "        path = Path(('few' if take < 3 else 'new'), str(pitch), f'{take}.wav')\n"
        "        path.parent.mkdir(parents=True, exist_ok=True)\n"
        "        path.write_bytes(tone(pitch, 100 * pitch + take))\n"
    )
    assert run("-c", code, path=installed, cwd=place).returncode == 0
    return place


def test_a_kind_of_input_is_learned_predicted_checked_and_explained_without_a_run(installed, sounds):
    new = sorted((sounds / "new").rglob("*.wav"))
    out = quickstudy(
        ["adapt", "few", "-o", "classifier", "--json"],
        ["predict", "classifier", *new, "--coverage", 0.5, "--json"],
        ["explain", "classifier", new[0], "-o", "why.html", "--json"],
        ["check", "few", "--json"],
        path=installed,
        cwd=sounds,
    )
    learned, answers, why, report = map(json.loads, out.splitlines())
    assert learned["examples"] == {"2500": 3, "300": 3, "900": 3}
    assert [row["label"] for row in answers["answers"]] == [path.parent.name for path in new]
    assert [row["input"] for row in answers["answers"]] == list(map(str, new))
    assert [part for part, _ in why["parts"]] == [f"quarter {i}" for i in (1, 2, 3, 4)]
    assert "few/2500/0.wav" in (sounds / "why.html").read_text()
    assert (report["suspects"], report["duplicates"], report["unreadable"]) == ([], [], [])


def test_a_source_is_listed_trained_on_and_evaluated(installed, tmp_path):
    flags = ["--data", "tones", "--n-way", 3, "--n-query", 2, "--train-query", 2, "--train-way", 5]
    out = quickstudy(
        ["tasks", "--json"],
        ["train", *flags, "--steps", 3, "--validation-tasks", 2, "--width", 8, "--out", "run"],
        ["evaluate", "run", "--n-tasks", 4, "--json"],
        path=installed,
        cwd=tmp_path,
    )
    listed, _, figure = out.splitlines()
    assert {"source": "tones", "what": "tones of twenty pitches"} in json.loads(listed)
    assert json.loads(figure)["data"] == "tones"
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["inputs"] == {"name": "sounds", "bands": 24}
    assert config["learner"]["net"]["name"] == "mlp"


def test_source_and_inputs_keep_the_laws(installed):
    code = (
        "from quickstudy import INPUTS, SOURCES, Item\n"
        "from quickstudy.testing import check_inputs, check_source\n"
        "from quickstudy_mine.sounds import tone\n"
        "some = [Item(f'{pitch}.wav', tone(pitch, pitch)) for pitch in (300, 900, 2500)]\n"
        "check_inputs(INPUTS['sounds'](), some, [Item('odd.wav', b'no')])\n"
        "check_source(SOURCES['tones']())\n"
    )
    done = run("-c", code, path=installed)
    assert done.returncode == 0, done.stderr
