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
        assert len(learner["validations"]) == (0 if name == "No training before" else min(5, learner["steps"]))
    more = {name: learner["digits 5-shot, more inner steps"] for name, learner in figures["learners"].items()}
    assert {name for name, result in more.items() if result is not None} == {"MAML", "Reptile"}
    for name in ("MAML", "Reptile"):
        assert more[name]["steps"] == 20
        assert re.search(rf"{name} [\d.]+ % after \d steps? and {100 * more[name]['mean']:.1f} % after 20", page)
    walks = figures["navigation"]
    assert walks["steps"] == 1
    for policy in ("trained", "untrained"):
        for mean, ci95 in zip(walks[policy]["means"], walks[policy]["ci95"], strict=True):
            assert f"<td>{mean:.1f} ± {ci95:.1f}</td>" in page
    assert "adapt my-pictures -o my-classifier\n" in done.stdout
    assert "predict my-classifier new.png\n" in done.stdout
