"""``quickstudy doctor`` finds what is broken in a run or a classifier, and exits with 1 where something is."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from quickstudy.io.tensors import pack


@pytest.fixture
def patient(run, tmp_path):
    """A run that may be damaged."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def faults(cli, folder):
    code, out, err = cli("doctor", folder, "--json")
    assert err == ""
    found = json.loads(out)
    assert code == bool(found["faults"])
    assert all("\n" not in fault for fault in found["faults"])
    return found["faults"]


def test_a_run_is_sound(cli, patient):
    code, out, err = cli("doctor", patient)
    assert (code, err) == (0, "")
    assert out.startswith("sound: settings, metrics, step-")
    assert out.endswith("model\n")
    assert faults(cli, patient) == []


def test_a_classifier_is_sound(cli, run, pictures, tmp_path):
    cli("adapt", run, pictures, "-o", tmp_path / "classifier")
    assert cli("doctor", tmp_path / "classifier").out == "sound: model\n"


def test_everything_broken_is_named_at_once(cli, patient):
    (patient / "run.json").write_text("{}")
    lines = (patient / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (patient / "metrics.jsonl").write_bytes(b"".join(lines[:3] + lines[4:]))
    checkpoint = sorted((patient / "checkpoints").iterdir())[-1]
    (checkpoint / "learner.safetensors").write_bytes(b"")
    (patient / "probe.safetensors").unlink()
    settings, metrics, step, model = faults(cli, patient)
    assert str(patient / "run.json") in settings
    assert "has a missing or repeated step" in metrics
    assert str(checkpoint) in step
    assert "probe.safetensors" in model


def test_weights_that_are_not_finite_are_named(cli, patient):
    weights = load_file(patient / "model.safetensors")
    weights["net.norms.0.var"] = torch.full_like(weights["net.norms.0.var"], torch.nan)
    (patient / "model.safetensors").write_bytes(pack(weights))
    assert any("holds NaN or infinity" in fault for fault in faults(cli, patient))


def test_what_is_no_folder_is_refused(refused):
    assert "no folder 'nowhere'" in refused("doctor", "nowhere")
