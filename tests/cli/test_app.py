"""How commands begin and end: help with few imports, errors in one line, and never a traceback."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points, version

import pytest

from quickstudy.cli import main
from tests.limits import HANGING

COMMANDS = ["train", "evaluate", "adapt", "predict", "tasks", "algorithms", "info"]
QUICKSTUDY = [sys.executable, "-m", "quickstudy"]


HEAVY = {"torch", "numpy", "scipy", "sklearn", "PIL"}
"""Packages that take long to import."""


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["--help"], {*HEAVY, "pydantic", "rich"}),
        (["train", "--help"], {*HEAVY, "pydantic", "rich"}),
        (["evaluate", "--help"], {*HEAVY, "pydantic", "rich"}),
    ],
)
def test_what_is_slow_to_import_is_imported_only_where_it_is_needed(arguments, missing):
    command = [sys.executable, "-X", "importtime", "-m", "quickstudy", *arguments]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    imported = {line.split()[-1].split(".")[0] for line in report.splitlines()}
    assert "quickstudy" in imported
    assert not imported & missing


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(cli, command):
    code, out, err = cli(command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: quickstudy {command}" in out


def test_without_a_command_there_is_help(cli):
    code, out, _ = cli()
    assert code == 0
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "Did you mean 'train'"),
        (["--nonsense"], "--nonsense"),
        (["train", "--stepz", "3"], "--steps"),
        (["train", "extra"], "extra"),
        (["train", "--steps"], "requires an argument"),
        (["train", "--ink=3"], "does not take a value"),
        (["evaluate"], "Missing argument"),
        (["evaluate", "run", "--n-tasks", "many"], "'--n-tasks'"),
        (["evaluate", "run", "--test-steps", "-1"], "'--test-steps'"),
        (["adapt", "run", "folder"], "--out"),
        (["predict", "classifier"], "Missing argument"),
        (["tasks", "glyphs", "--seed", "-1"], "'--seed'"),
        (["tasks", "glyphs", "--n-query", "0"], "'--n-query'"),
    ],
)
def test_misuse_is_one_line_that_points_to_help(refused, arguments, says):
    err = refused(*arguments)
    assert says in err
    assert err.endswith("--help`\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "nowhere"],
        ["evaluate", "--n-tasks", "many"],
        ["adapt", "nowhere", "nowhere", "-o", "out"],
        ["predict", "nowhere", "nowhere.png"],
        ["tasks", "omniglott"],
        ["tasks", "omniglot"],
        ["algorithms", "--nonsense"],
    ],
)
def test_json_stays_json_on_failure(cli, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*arguments, "--json")
    assert code == 2
    assert err == f"quickstudy: {json.loads(out)['error']}\n"
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_one_line_and_code_1(cli, run, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments in (
        ["train", "--data", "sinusoid", "--algorithm", "maml", "--steps", "1", "--out", tmp_path / "file" / "run"],
        ["evaluate", run, "--n-tasks", 2, "--out", tmp_path / "file" / "result.json"],
        ["tasks", "sinusoid", "--draw", tmp_path / "file" / "tasks.png"],
    ):
        code, out, err = cli(*arguments)
        assert (code, out) == (1, "")
        assert err.startswith(f"quickstudy: {tmp_path / 'file'}")
        assert err.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_one_line_and_code_1():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*QUICKSTUDY, "train", "--print-settings"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "quickstudy: output: No space left on device\n")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["train", "--print-settings"], ["algorithms"]])
def test_a_reader_that_has_gone_is_no_error(arguments):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        done = subprocess.run([*QUICKSTUDY, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


@pytest.mark.slow
def test_interrupted_training_ends_before_its_last_step_with_130_and_no_traceback(tmp_path):
    arguments = ["train", "--data", "sinusoid", "--algorithm", "maml", "--steps", "1000000", "--out", "run"]
    process = subprocess.Popen(
        [*QUICKSTUDY, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it may be ignored where tests run
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANGING)
    assert out == ""
    assert "saved; continue with `quickstudy train --resume run`" in err.splitlines()[-1]
    assert [line for line in err.splitlines()[:-1] if " steps need about " not in line] == []
    assert process.returncode == 130
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) < 1_000_000


def test_the_program_and_the_module_are_one():
    (script,) = entry_points(group="console_scripts", name="quickstudy")
    assert script.load() is main


def test_version_is_that_of_the_package(cli):
    import quickstudy

    assert cli("--version") == (0, f"quickstudy {version('quickstudy')}\n", "")
    assert quickstudy.__version__ == version("quickstudy")


def test_completion_is_installed_and_completes(tmp_path):
    own = {**os.environ, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    command = f"{shlex.join([*QUICKSTUDY, '--install-completion'])}; exit $?"  # the shell that asks is looked for
    done = subprocess.run(["bash", "-c", command], env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "_QUICKSTUDY_COMPLETE" in (tmp_path / ".bash_completions" / "quickstudy.sh").read_text()
    typed = {"_QUICKSTUDY_COMPLETE": "complete_bash", "COMP_WORDS": "quickstudy tr", "COMP_CWORD": "1"}
    done = subprocess.run(QUICKSTUDY, env={**own, **typed}, capture_output=True, text=True)
    assert done.stdout.split() == ["train"]
