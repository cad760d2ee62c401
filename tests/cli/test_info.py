"""``quickstudy info`` lists versions, threads and folders."""

import json
from importlib.metadata import version


def test_info_says_what_runs(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))
    facts = json.loads(cli("info", "--json").out)
    assert facts["torch"] == version("torch")
    assert facts["data folder"] == str(tmp_path)
    assert facts["threads"] >= 1
    assert "torch" in cli("info").out
