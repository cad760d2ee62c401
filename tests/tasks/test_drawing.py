"""A drawing shows a task's support left and its queries right, a column a class."""

import builtins

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.errors import SettingError
from quickstudy.tasks.drawing import _sheet, draw_tasks
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.tasks.task import Examples, one_hot


def test_a_column_holds_a_class():
    levels = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    examples = Examples(levels.view(6, 1, 1, 1).expand(6, 1, 4, 4), one_hot(levels.long(), 2))
    sheet = _sheet(examples)
    assert sheet.shape == (3 * 6, 2 * 6, 1)
    inner = sheet.reshape(3, 6, 2, 6)[:, 1:-1, :, 1:-1]
    assert np.array_equal(inner, np.broadcast_to(np.array([0.0, 1.0])[:, None], inner.shape))


@pytest.mark.parametrize("n_tasks", [1, 3])
def test_a_row_is_a_task(tmp_path, n_tasks):
    draw_tasks(Sinusoid(5, 20).sample(0, n_tasks), tmp_path / "tasks.png")
    with Image.open(tmp_path / "tasks.png") as image:
        assert image.size == (1100, 242 * n_tasks)


def test_a_missing_extra_is_one_line(tmp_path, monkeypatch):
    found = builtins.__import__

    def without(name, *args):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return found(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[plot\]'"):
        draw_tasks(Sinusoid(5, 20).sample(0, 1), tmp_path / "tasks.png")
    assert not list(tmp_path.iterdir())
