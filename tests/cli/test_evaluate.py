"""``quickstudy evaluate`` gives a figure with its interval and how it was made, or one line."""

import json

import pytest


def test_a_figure_says_what_it_rests_on(cli, run):
    code, out, err = cli("evaluate", run, "--n-tasks", 20)
    assert (code, err) == (0, "")
    assert out.startswith("folders test, 3-way 1-shot: ")
    assert all(words in out for words in ("±", "% over 20 tasks, inductive", "chance 33.3 %", "ms to adapt"))
    assert out.count("\n") == 1


def test_json_and_the_file_hold_the_same_record(cli, run, tmp_path):
    out = json.loads(cli("evaluate", run, "--n-tasks", 10, "--json", "--out", tmp_path / "a" / "result.json").out)
    assert json.loads((tmp_path / "a" / "result.json").read_text()) == out
    assert (out["metric"], out["n_tasks"], out["transductive"], out["split"]) == ("accuracy", 10, False, "test")
    assert out["training"]["settings"]["steps"] == 30
    assert out["training"]["seconds"] > 0
    assert {"command", "versions", "threads", "time"} <= set(out["evaluation"])


def test_the_same_command_gives_the_same_figure_and_another_seed_another(cli, run):
    def mean(*arguments):
        return json.loads(cli("evaluate", run, "--n-tasks", 10, "--json", *arguments).out)["mean"]

    assert mean() == mean()
    assert len({mean("--seed", seed) for seed in range(5)}) > 1


def test_a_trained_run_does_better_than_chance(cli, run):
    found = json.loads(cli("evaluate", run, "--n-tasks", 50, "--json").out)
    assert found["mean"] - found["ci95"] > 1 / 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--split", "train", "--n-way", 7], {"split": "train", "n_way": 7}),
        (["--data", "digits", "--n-way", 10], {"data": "digits", "n_way": 10}),
        (["--n-shot", 3, "--n-query", 5, "--rotate"], {"n_shot": 3, "n_query": 5, "rotate": True}),
        (["--transductive"], {"transductive": True}),
        (["--inductive"], {"transductive": False}),
        (["--views", 3], {"views": 3, "transductive": False}),
        (["--views", 2, "--aligned"], {"views": 2, "aligned": True, "turned": False, "transductive": False}),
        (["--turned"], {"turned": True, "views": None, "transductive": False}),
        (["--turned", "--views", 2, "--transductive"], {"turned": True, "views": 2, "transductive": True}),
        (["--one-to-one"], {"one_to_one": True, "transductive": True}),
        (["--unbalanced"], {"unbalanced": True, "transductive": False}),
    ],
)
def test_tasks_may_differ_from_the_runs(cli, run, arguments, expected):
    found = json.loads(cli("evaluate", run, "--n-tasks", 2, "--json", *arguments).out)
    assert {name: found[name] for name in expected} == expected


def test_regression_has_an_error_in_place_of_an_accuracy(cli, sinusoid):
    code, out, _ = cli("evaluate", sinusoid, "--n-tasks", 10)
    assert code == 0
    assert out.startswith("sinusoid, 10 points: mse ")
    few, many = (json.loads(cli("evaluate", sinusoid, "--n-tasks", 2, "--json", "--test-steps", n).out) for n in (0, 5))
    assert (few["test_steps"], many["test_steps"]) == (0, 5)
    assert few["mean"] != many["mean"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--n-way", 4], "n_way=4 is too many: the test split has 3 classes"),
        (["--n-shot", 6], "n_shot=6 + n_query=3 needs 9"),
        (["--n-way", 0], "n_way = 0"),
        (["--n-tasks", 1], "at least 2 tasks"),
        (["--seed", -1], "seed = -1"),
        (["--split", "tests"], "did you mean 'test'?"),
        (["--data", "glyph"], "did you mean 'glyphs'?"),
        (["--data", "omniglot", "--data-root", "nowhere"], "`quickstudy tasks omniglot --download`"),
        (["--data", "sinusoid"], "prototypical is a classifier"),
        (["--data", "digits", "--split", "train"], "the train split has 0 classes"),
        (["--aligned"], "--aligned has no effect without views; add --views 16"),
        (
            ["--aligned", "--views", 2, "--transductive"],
            "Prototypical is transductive, and Aligned compares",
        ),
        (["--test-steps", 3], "test_steps does not apply to prototypical, only to maml, reptile"),
    ],
)
def test_what_cannot_be_is_refused(refused, run, arguments, says):
    assert says in refused("evaluate", run, *arguments, "--out", "result.json")


def test_images_of_another_format_are_refused(refused, run, mini):
    err = refused("evaluate", run, "--data", "mini-imagenet", "--data-root", mini)
    assert "channels=3, size=84" in err
    assert "channels=1, size=28" in err


def test_vectors_are_no_images(refused, sinusoid):
    assert "does not take digits" in refused("evaluate", sinusoid, "--data", "digits", "--n-query", 5)


def test_a_folder_that_is_no_run_is_named(refused, tmp_path):
    assert "run.json is missing" in refused("evaluate", tmp_path)
    assert "no run in 'nowhere'" in refused("evaluate", "nowhere")
    (tmp_path / "run.json").write_text("{")
    assert "run.json cannot be read" in refused("evaluate", tmp_path)


def test_views_are_of_images_alone(refused, sinusoid):
    assert "views need images and a net that tasks do not change" in refused("evaluate", sinusoid, "--views", 4)
    assert "--turned needs images, but sinusoid has none; leave it out" in refused("evaluate", sinusoid, "--turned")
