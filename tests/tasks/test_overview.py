"""The sources are listed, counted and drawn from Python as by the command line."""

import json

import pytest
from PIL import Image

from quickstudy.errors import SettingError
from quickstudy.tasks.overview import list_sources, survey


def test_python_gives_what_the_command_prints(cli, pictures):
    assert list_sources() == json.loads(cli("tasks", "--json").out)
    assert survey("folders", pictures) == json.loads(cli("tasks", "folders", "--data-root", pictures, "--json").out)


def test_tasks_are_drawn(tmp_path):
    survey("digits", draw=tmp_path / "tasks.png", n_way=3)
    with Image.open(tmp_path / "tasks.png") as image:
        assert image.format == "PNG"


def test_an_unknown_source_is_refused():
    with pytest.raises(SettingError, match="did you mean 'digits'"):
        survey("digit")
