"""``quickstudy rl``: what the commands print and refuse."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from quickstudy.cli.app import app
from quickstudy.errors import QuickstudyError

SMALL = ["--agent-arguments", '{"hidden": [4], "n_episodes": 2}', "--env-arguments", '{"horizon": 4}']


def call(*arguments):
    result = CliRunner().invoke(app, ["rl", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_train_evaluate_adapt_and_watch(tmp_path):
    run = tmp_path / "run"
    assert call("train", *SMALL, "--steps", 2, "--tasks-per-step", 2, "--out", run).strip() == str(run)
    result = json.loads(call("evaluate", run, "--tasks", 3, "--episodes", 2, "--json"))
    assert len(result["means"]) == len(result["ci95"]) == 4
    assert json.loads((run / "result.json").read_text())["evaluations"] == [result]
    assert "return after 0 to 1 updates" in call("evaluate", run, "--tasks", 3, "--updates", 1)
    adapted = json.loads(call("adapt", run, "-o", tmp_path / "policy", "--json"))
    assert len(adapted["returns"]) == 2
    pytest.importorskip("matplotlib")
    paths = call("watch", run, "-o", tmp_path / "paths.png", "--tasks", 1, "--updates", 1, "--episodes", 1).split()
    assert [path[-3:] for path in paths] == ["png", "gif"]
    assert call("train", "--resume", run, "--steps", 3).strip() == str(run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "mamel"], "did you mean 'maml'"),
        (["--agent-arguments", "{"], "is not JSON"),
        (["--agent-arguments", "[1]"], "not a JSON object"),
        (["--resume", "nowhere", "--seed", "1"], "leave out all others"),
        (["--resume", "nowhere"], "no run in"),
        (["--env", "nowhere:make"], "cannot be imported"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message, tmp_path):
    with pytest.raises(QuickstudyError, match=message) as error:
        call("train", *arguments, *([] if "--resume" in arguments else ["--out", tmp_path / "run"]))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_other_commands_do_not_import_it():
    code = (
        "import sys, quickstudy.cli.app, quickstudy.runs.train, quickstudy.classify.learn\n"
        "print([name for name in sys.modules if name.startswith(('quickstudy.rl', 'gymnasium'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_an_export_that_fails_leaves_no_policy(tmp_path):
    run = call("train", *SMALL, "--steps", 1, "--tasks-per-step", 2, "--out", tmp_path / "run").strip()
    (tmp_path / "file").write_text("")
    pytest.importorskip("onnxscript")
    with pytest.raises(OSError, match="file"):
        call("adapt", run, "-o", tmp_path / "policy", "--onnx", tmp_path / "file" / "x.onnx")
    assert not (tmp_path / "policy").exists()
    for out in ("paths", "paths.gif"):
        with pytest.raises(QuickstudyError, match=r"does not end in \.png"):
            call("watch", run, "-o", tmp_path / out)


def test_other_commands_say_what_an_agents_run_is(tmp_path):
    run = call("train", *SMALL, "--steps", 1, "--tasks-per-step", 2, "--out", tmp_path / "run").strip()
    other = [["evaluate", run], ["calibrate", run], ["train", "--resume", run], ["adapt", run, run, "-o", "c"]]
    for arguments in [*other, ["predict", run, "x.png"], ["export", run, "-o", "x.onnx"]]:
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, QuickstudyError)
        assert "is a run of `quickstudy rl train`" in str(result.exception)


def test_a_run_that_ended_before_its_first_save_says_so(tmp_path):
    run = call("train", *SMALL, "--steps", 1, "--tasks-per-step", 2, "--out", tmp_path / "run").strip()
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(QuickstudyError, match=r"has no model\.safetensors: it ended before its first save"):
        call("evaluate", run)
