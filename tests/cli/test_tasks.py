"""``quickstudy tasks`` lists the sources, counts their classes and draws their tasks."""

import json

import numpy as np
import pytest
from PIL import Image

from quickstudy.runs.settings import choices


def test_every_source_is_listed(cli):
    rows = json.loads(cli("tasks", "--json").out)
    assert {row["source"] for row in rows} == set(choices("data"))
    assert all(row["source"] in cli("tasks").out for row in rows)


def test_classes_are_counted(cli, pictures):
    rows = json.loads(cli("tasks", "folders", "--data-root", pictures, "--json").out)
    assert [(row["split"], row["classes"], row["examples"]) for row in rows] == [
        ("train", 9, 72),
        ("validation", 3, 24),
        ("test", 3, 24),
    ]
    assert rows[0]["shape"] == [1, 28, 28]
    assert json.loads(cli("tasks", "digits", "--json").out)[2]["classes"] == 10
    assert json.loads(cli("tasks", "sinusoid", "--json").out)[0]["classes"] == "endless"


@pytest.mark.parametrize("source", ["folders", "sinusoid"])
def test_tasks_are_drawn_as_png_whatever_the_file_is_called(cli, pictures, tmp_path, source):
    arguments = ["--data-root", pictures, "--draw", tmp_path / "tasks.xyz", "--n-way", 3, "--n-shot", 2]
    assert cli("tasks", source, *arguments).code == 0
    with Image.open(tmp_path / "tasks.xyz") as image:
        assert image.format == "PNG"


def test_folders_are_drawn_and_counted_as_they_are_trained(cli, pictures, tmp_path):
    settings = ["--data-root", pictures, "--channels", 3, "--image-size", 40, "--no-ink"]
    rows = json.loads(cli("tasks", "folders", *settings, "-o", tmp_path / "tasks.png", "--n-way", 3, "--json").out)
    assert rows[0]["shape"] == [3, 40, 40]
    light = np.asarray(Image.open(tmp_path / "tasks.png").convert("L")).mean()
    cli("tasks", "folders", "--data-root", pictures, "-o", tmp_path / "ink.png", "--n-way", 3)
    assert (tmp_path / "ink.png").read_bytes() != (tmp_path / "tasks.png").read_bytes()
    assert light > 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["omniglott"], "unknown source 'omniglott': did you mean 'omniglot'?"),
        (["omniglot", "--data-root", "nowhere"], "`quickstudy tasks omniglot --download`"),
        (["mini-imagenet", "--data-root", "nowhere"], "put train.csv, val.csv and test.csv"),
        (["folders"], "data_root"),
        (["folders", "--data-root", "nowhere"], "'nowhere' cannot be read"),
        (["digits", "--draw", "a.png", "--n-way", "11"], "n_way=11 is too many"),
        (["digits", "--draw", "a.png", "--n-shot", "500"], "n_shot=500"),
    ],
)
def test_what_cannot_be_is_refused(refused, arguments, says):
    assert says in refused("tasks", *arguments)


@pytest.mark.slow
def test_shared_omniglot_is_counted(cli, shared):
    rows = json.loads(cli("tasks", "omniglot", "--data-root", shared, "--json").out)
    assert [row["classes"] for row in rows] == [828, 136, 659]
