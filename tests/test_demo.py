"""The demo at toy size: its page holds what its figures say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import HANGING

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_demo_writes_a_self_contained_report_of_its_figures(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "demo" / "demo.py"), "--scale", "0.005", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGING, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: so little training may well not pay
    assert "Traceback" not in done.stderr
    figures = json.loads((tmp_path / "results.json").read_text())
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    for name, learner in figures["learners"].items():
        for test_set in ("unseen glyphs", "real digits"):
            for shots in ("1", "5"):
                result = learner[test_set][shots]
                assert not result["transductive"]
                assert f"<td>{100 * result['mean']:.1f} ± {100 * result['ci95']:.1f}</td>" in page
        assert f"<td>{name}<small>" in page
