"""What all commands do alike: bars on terminals only, no colour where none is wanted, quiet, a word on faults."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import quickstudy.runs.provenance
from tests.limits import HANGING

QUICKSTUDY = [sys.executable, "-m", "quickstudy"]
TRAIN = [*QUICKSTUDY, "train", "--algorithm", "maml", "--data", "sinusoid", "--steps", "30", "--validation-tasks", "4"]
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3|4|9|10)[0-8](?:;[0-9;]*)?m")


def on_a_terminal(command: list[str], **environment: str) -> bytes:
    """What a command writes to stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": "xterm-256color"} | environment
    )
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], HANGING)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux ends a terminal that nobody holds any more
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait() == 0, said
    return said


@pytest.mark.slow
def test_a_bar_is_drawn_on_a_terminal_in_colours(tmp_path):
    said = on_a_terminal([*TRAIN, "--out", str(tmp_path / "run")])
    assert b"30/30" in said
    assert COLOUR.search(said)


@pytest.mark.slow
def test_without_colours_where_none_are_wanted(tmp_path):
    said = on_a_terminal([*TRAIN, "--out", str(tmp_path / "run")], NO_COLOR="1")
    assert b"30/30" in said
    assert not COLOUR.search(said)


def test_quiet_draws_nothing(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "30/30" in cli(*TRAIN[3:], "--out", tmp_path / "aloud").err
    assert cli(*TRAIN[3:], "--out", tmp_path / "quiet", "--quiet").err == ""


def test_nothing_is_drawn_off_a_terminal(cli, tmp_path):
    assert cli(*TRAIN[3:], "--out", tmp_path / "run") == (0, f"{tmp_path / 'run'}\n", "")
    assert cli("evaluate", tmp_path / "run", "--n-tasks", "40").err == ""


def test_debug_shows_where_an_error_came_from(cli):
    _, _, err = cli("evaluate", "nowhere")
    assert "Traceback" not in err
    code, _, err = cli("evaluate", "nowhere", "--debug")
    assert code == 2
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("quickstudy: no run in 'nowhere'")


def test_a_fault_of_our_own_is_one_line_that_says_so(cli, monkeypatch):
    def broken() -> None:
        raise ZeroDivisionError("of two\nlines")

    monkeypatch.setattr(quickstudy.runs.provenance, "environment", broken)
    code, out, err = cli("info", "--json")
    assert code == 1
    assert err.count("\n") == 1
    assert "please report the output of --debug: ZeroDivisionError: of two lines" in err
    assert json.loads(out)["error"] in err
    assert "Traceback" in cli("info", "--debug").err


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["aloud", "quiet"])
def test_a_warning_is_one_line_unless_quiet(cli, monkeypatch, quiet):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command line replaces

    def worried() -> dict[str, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning("it is late", UserWarning, "file.py", 1)
        return {"torch": "new"}

    monkeypatch.setattr(quickstudy.runs.provenance, "environment", worried)
    assert cli("info", *quiet).err == ("" if quiet else "quickstudy: warning: it is late\n")


def test_an_interrupted_command_ends_with_130_and_no_traceback(sinusoid):
    process = subprocess.Popen(
        [*QUICKSTUDY, "evaluate", str(sinusoid), "--n-tasks", "100000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not _maps_torch(process.pid):
        time.sleep(0.05)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANGING)
    # A shell says 130 of both: where the signal meets an import, Python ends itself by it although it was handled.
    assert (process.returncode, out, err.strip()) in [(130, "", ""), (-signal.SIGINT, "", "")]


def _maps_torch(pid: int) -> bool:
    maps = Path(f"/proc/{pid}/maps")
    return not maps.exists() or "libtorch" in maps.read_text()


NETWORKLESS = ["unshare", "--map-root-user", "--net"]
CLOSED = Path("/proc")
"""A home in which not even root can write."""


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


@pytest.mark.slow
def test_the_whole_path_needs_no_home_and_no_network(pictures, tmp_path):
    """Train, evaluate, draw, adapt and predict, where no socket leads out and no home can be written."""
    alone = shutil.which("unshare") and subprocess.run([*NETWORKLESS, "true"], capture_output=True).returncode == 0
    if not (alone and CLOSED.exists()):
        pytest.skip("no network of its own to be had")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUICKSTUDY_", "XDG_", "MPL"))}
    run, classifier = tmp_path / "run", tmp_path / "classifier"
    image = next(pictures.rglob("*.png"))
    settings = {
        "n-way": 3,
        "train-way": 4,
        "n-query": 3,
        "train-query": 3,
        "width": 4,
        "steps": 3,
        "validation-tasks": 2,
    }
    small = [f"--{name}={value}" for name, value in settings.items()]
    commands = (
        ["train", "--data", "folders", "--data-root", pictures, *small, "--out", run],
        ["evaluate", run, "--n-tasks", 4],
        ["tasks", "glyphs", "--draw", tmp_path / "tasks.png"],
        ["adapt", run, pictures, "-o", classifier],
        ["predict", classifier, image],
        ["doctor", classifier],
    )
    command = [*NETWORKLESS, sys.executable, "-c", ALL, json.dumps([[*map(str, each)] for each in commands])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=kept | {"HOME": str(CLOSED)})
    assert done.returncode == 0, done.stderr
    # Three steps of training distinguish nothing.
    assert all("examples get their own label" in line for line in done.stderr.splitlines()), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_labels_that_the_console_cannot_show_are_no_error(pictures, tmp_path, encoding):
    for label, place in zip(("кошка", "犬", "🐄"), sorted(pictures.iterdir()), strict=False):
        shutil.copytree(place, tmp_path / "few" / label)
    image = next((tmp_path / "few").rglob("*.png"))
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for command in (
        ["adapt", "few", "-o", "mine"],
        ["predict", "mine", image],
        ["predict", "mine", image, "--csv"],
        ["predict", "mine", image, "--json"],
        ["explain", "mine", image, "-o", "why.html"],
        ["check", "few"],
        ["tasks", "folders", "--data-root", "few"],
    ):
        done = subprocess.run([*QUICKSTUDY, *map(str, command)], cwd=tmp_path, env=environment, capture_output=True)
        assert (done.returncode, b"internal error" in done.stderr) == (0, False), done.stderr
        done.stdout.decode(encoding)
