"""README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

from quickstudy import digits

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["tour", "own learner"])
def test_readme_block_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    threes_and_sevens = digits().select([3, 7])
    chosen = [0, 1, 2, 200, 201, 202]
    names = {
        "images": threes_and_sevens.x[chosen],
        "labels": [threes_and_sevens.names[int(y)] for y in threes_and_sevens.y[chosen]],
        "new_images": threes_and_sevens.x[[10, 300]],
    }
    exec(compile(block, "README.md", "exec"), names)
    if "classifier" in names:
        assert names["classifier"].labels == ("3", "7")  # type: ignore[attr-defined]
        assert "% over 100 tasks, inductive" in capsys.readouterr().out


def test_own_learner_is_under_40_lines() -> None:
    assert len(BLOCKS[1].splitlines()) < 40
