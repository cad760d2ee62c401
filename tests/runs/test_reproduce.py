"""A reproduction is trained as its paper was or says what was shortened, goes on where it stopped, and shows both."""

import json

import pytest
import torch

from quickstudy import load
from quickstudy.runs import budget
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.papers import protocols
from quickstudy.runs.recipes import Cell, Protocol
from quickstudy.runs.reproduce import Reproduction, shortened
from quickstudy.runs.settings import complete

SMALL = {
    "algorithm": "prototypical", "data": "folders", "width": 4, "train_way": 4, "train_query": 2, "n_query": 3,
    "steps": 30, "validate_every": 10, "validation_tasks": 4, "schedule": "constant",
}  # fmt: skip


@pytest.fixture
def given(monkeypatch, pictures):
    """Machine settings of a protocol that takes a second."""
    protocol = Protocol("Small", "Nobody 2000", False, SMALL, (Cell(3, 1, 60.0, 1.5), Cell(2, 1, 70.0)))
    monkeypatch.setitem(protocols(), "small", protocol)
    return {"data_root": str(pictures), "threads": 1}


def test_the_whole_training_is_as_the_paper_did(given, tmp_path):
    reproduction = Reproduction("small-3way-1shot", tmp_path, given)
    [(_, progress)] = reproduction.trainings()
    assert [p.step for p in progress] == list(range(1, 31))
    record = reproduction.result(n_tasks=20)
    assert record["shortened"] == []
    assert record["paper"] == {
        "mean": 0.6,
        "ci95": 0.015,
        "transductive": False,
        "source": "Nobody 2000",
    }
    assert [record["ours"][kind]["transductive"] for kind in ("inductive", "transductive")] == [False, True]
    assert all(ours["n_tasks"] == 20 and ours["ci95"] > 0 for ours in record["ours"].values())
    assert json.loads(json.dumps(record)) == record


def test_what_was_stopped_goes_on_and_what_is_done_is_not_done_again(given, tmp_path):
    [(_, progress)] = Reproduction("small-3way-1shot", tmp_path, given).trainings()
    next(progress)
    progress.close()  # as a kill would
    again = Reproduction("small-3way-1shot", tmp_path, given)
    assert [p.step for _, progress in again.trainings() for p in progress][-1] == 30
    assert [p.step for _, progress in again.trainings() for p in progress] == []


@pytest.mark.slow
def test_a_second_training_starts_from_the_net_of_the_first(given, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_seconds", lambda *args: (0.51, 0.01))
    first = {"algorithm": "cosine-baseline", "data": "folders", "width": 4, "n_way": 3, "n_query": 3}
    first |= {"head_steps": 0, "steps": 20, "validation_tasks": 4}
    protocol = Protocol("Two", "Nobody 2000", False, SMALL, (Cell(3, 1, 60.0),), first=first)
    monkeypatch.setitem(protocols(), "two", protocol)
    reproduction = Reproduction("two-3way-1shot", tmp_path, given, budget=0.2)
    steps = []
    for settings, progress in reproduction.trainings():
        if settings.init is not None:
            start = Experiment(settings).learner.net
            assert all(map(torch.equal, start.parameters(), load(settings.init).net.parameters()))
        steps.append([p.step for p in progress][-1])
    assert steps == [10, 10]  # half of the budget each
    record = reproduction.result(n_tasks=4)
    assert sorted(record["shortened"]) == [
        "schedule cosine in place of constant",
        "steps 10 in place of 20",
        "steps 10 in place of 30",
    ]
    assert record["first_training"]["settings"]["algorithm"] == "cosine-baseline"
    assert [progress for _, again in reproduction.trainings() for progress in again] == []


def test_a_budget_is_kept_and_what_was_shortened_is_told(given, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_seconds", lambda *args: (0.51, 0.01))
    reproduction = Reproduction("small-3way-1shot", tmp_path, given, budget=0.1)
    [(settings, progress)] = reproduction.trainings()
    assert settings.steps == 10
    assert list(progress)[-1].step == settings.steps
    told = reproduction.result(n_tasks=4)["shortened"]
    assert sorted(told) == ["schedule cosine in place of constant", f"steps {settings.steps} in place of 30"]


def test_a_budget_that_is_enough_shortens_nothing(given, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_seconds", lambda *args: (1.0, 0.01))
    [(settings, _)] = Reproduction("small-3way-1shot", tmp_path, given, budget=1000).trainings()
    assert (settings.steps, settings.schedule) == (30, "constant")


def test_with_a_budget_one_training_serves_all_cells_of_equal_ways(given, tmp_path):
    a, b = (Reproduction(f"small-{way}way-1shot", tmp_path, given, budget=1) for way in (3, 2))
    assert a.folder == b.folder
    names = "maml-omniglot-5way-1shot", "maml-omniglot-5way-5shot"
    whole = [Reproduction(name, tmp_path, {}).folder.name for name in names]
    assert len(set(whole)) == 2


def test_machine_and_validation_are_no_shortening():
    assert shortened(complete({}), complete({"threads": 2, "data_root": "x", "validate_every": 7, "seed": 3})) == []
    assert shortened(complete({}), complete({"warp": True})) == ["warp True in place of False"]


def test_the_command_prints_both_and_writes_the_record(cli, given, tmp_path):
    out = tmp_path / "results" / "small.json"
    machine = "--runs", tmp_path, "--data-root", given["data_root"]
    code, printed, err = cli("reproduce", "small-3way-1shot", *machine, "--n-tasks", 5, "--out", out)
    assert (code, err) == (0, "")
    assert "paper, inductive" in printed
    assert "ours, transductive" in printed
    assert "nothing shortened" in printed
    assert json.loads(out.read_text())["name"] == "small-3way-1shot"


def test_the_data_may_be_named_by_the_environment(cli, given, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_DATA_ROOT", given["data_root"])
    code, printed, err = cli("reproduce", "small-3way-1shot", "--runs", tmp_path, "--n-tasks", 5, "--json")
    assert (code, err) == (0, "")
    assert json.loads(printed)["training"]["settings"]["data_root"] == given["data_root"]


def test_the_list_names_all(cli):
    _, out, _ = cli("reproduce", "--list", "--json")
    assert json.loads(out)[0]["name"] == "maml-omniglot-5way-1shot"
    assert cli("reproduce", "--list").out.count("way-") >= len(json.loads(out))


def test_without_a_name_it_is_asked_for(refused):
    assert "--list` shows all" in refused("reproduce")
    assert "did you mean" in refused("reproduce", "maml-omniglot")
