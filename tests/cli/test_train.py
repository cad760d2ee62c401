"""``quickstudy train`` does what its settings say, and refuses what cannot be in one line, with nothing written."""

import json

import pytest

from quickstudy.runs.settings import FIELDS, complete
from quickstudy.runs.train import default_folder


@pytest.fixture
def arguments(small):
    return [part for name, value in small.items() for part in (f"--{name.replace('_', '-')}", value)]


def test_a_run_is_made_and_its_folder_is_printed(cli, arguments, tmp_path):
    code, out, err = cli("train", *arguments, "--out", tmp_path / "run")
    assert (code, out, err) == (0, f"{tmp_path / 'run'}\n", "")
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_run_without_a_folder_gets_one_by_its_name(cli, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("train", *arguments, "--seed", 7).out == "runs/prototypical-folders-3way-1shot-seed7\n"
    assert (tmp_path / default_folder(complete({"data": "folders", "n_way": 3, "seed": 7}))).is_dir()


def test_file_environment_and_flags_together(cli, tmp_path, monkeypatch):
    (tmp_path / "run.toml").write_text('algorithm = "maml"\nwidth = 1\nsteps = 1\nseed = 1\n')
    monkeypatch.setenv("QUICKSTUDY_WIDTH", "2")
    monkeypatch.setenv("QUICKSTUDY_STEPS", "2")
    _, out, _ = cli("train", "--config", tmp_path / "run.toml", "--steps", 3, "--print-settings")
    found = json.loads(out)
    assert set(found) == set(FIELDS)
    assert (found["algorithm"], found["seed"], found["width"], found["steps"]) == ("maml", 1, 2, 3)


def test_printed_settings_train_nothing(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli("train", "--print-settings", "--out", "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--n-way", 9], "n_way = 9, but of 15 classes the validation split gets 3; give --n-way 3 or more classes"),
        (["--n-query", 8], "n_shot = 1 and n_query = 8 need 9; lower --n-query or --n-shot"),
        (["--train-shot", 8], "train_shot = 8 and train_query = 2 need 10; lower --train-query or --train-shot"),
        (["--algorithm", "protypical"], "did you mean 'prototypical'?"),
        (["--data", "omniglott"], "did you mean 'omniglot'?"),
        (["--data", "omniglot", "--data-root", "nowhere"], "`quickstudy tasks omniglot --download`"),
        (["--data", "mini-imagenet", "--data-root", "nowhere"], "put train.csv, val.csv and test.csv"),
        (["--data", "digits"], "choose other data"),
        (["--data", "sinusoid"], "prototypical is a classifier"),
        (["--data-root", "nowhere"], "nowhere' cannot be read"),
        (["--steps", "many"], "the command line: steps = 'many'"),
        (["--config", "nowhere.toml"], "no settings file 'nowhere.toml'"),
        (["--inner-lr", "0.1"], "inner_lr does not apply to prototypical, only to maml, reptile"),
        (["--device", "nowhere"], "device = 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(refused, arguments, more, says):
    assert says in refused("train", *arguments, *more)


def test_folders_need_a_root(refused):
    assert "give it as data_root" in refused("train", "--data", "folders")


def test_data_of_the_users_that_is_missing_is_looked_for_in_the_cache(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    assert str(tmp_path / "cache" / "omniglot") in refused("train", "--data", "omniglot")


def test_an_unknown_setting_of_a_file_names_the_nearest(refused, tmp_path):
    (tmp_path / "run.toml").write_text("iner_lr = 0.1\n")
    err = refused("train", "--config", tmp_path / "run.toml")
    assert f"{tmp_path / 'run.toml'}: unknown setting 'iner_lr': did you mean 'inner_lr'?" in err


def test_an_unknown_variable_names_the_nearest(refused, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_STEP", "3")
    assert "the environment: unknown setting 'step': did you mean 'steps'?" in refused("train")


def test_damaged_images_are_named(refused, arguments, tmp_path, pictures):
    for c, place in enumerate(sorted(pictures.iterdir())):
        (tmp_path / "data" / f"{c}").mkdir(parents=True)
        for image in place.iterdir():
            (tmp_path / "data" / f"{c}" / image.name).write_bytes(image.read_bytes())
    bad = tmp_path / "data" / "3" / "bad.png"
    bad.write_bytes(image.read_bytes()[:60])
    assert str(bad) in refused("train", *arguments, "--data-root", tmp_path / "data")
    bad.unlink()
    (tmp_path / "data" / "empty").mkdir()
    assert "empty' holds no images" in refused("train", *arguments, "--data-root", tmp_path / "data")
    (tmp_path / "nothing").mkdir()
    assert "holds no class folders" in refused("train", *arguments, "--data-root", tmp_path / "nothing")


def test_a_run_is_not_written_over(refused, arguments, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "there is a run in" in refused("train", *arguments, "--out", run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
