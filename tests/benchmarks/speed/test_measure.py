"""Agreement, never times."""

import json

import pytest
import torch

from benchmarks.speed.__main__ import main
from benchmarks.speed.contenders import CONTENDERS, takes
from benchmarks.speed.measure import AGREEMENT, flops
from benchmarks.speed.work import TOY, WORKS, Work


@pytest.mark.slow
def test_every_row_of_the_toy_benchmark_computes_the_same_numbers_by_every_contender(tmp_path):
    out, plot = tmp_path / "b.json", tmp_path / "b.png"
    main(["--toy", "--repetitions", "1", "--out", str(out), "--plot", str(plot)])
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == len(TOY)
    for row in rows:
        assert {"ours", "plain loop", "ours, 2 workers"} <= row["contenders"].keys()
        assert row["floor_seconds"] > 0
        for timing in row["contenders"].values():
            assert timing["valid"]
            assert timing["off"] <= AGREEMENT
            assert timing["median_seconds"] > 0
    assert plot.stat().st_size > 10_000


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


PAIRS = [(name, work) for work in TOY if work.net == "conv4-64" for name in CONTENDERS if takes(name, work)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "work"), PAIRS, ids=str)
def test_a_contender_that_differs_would_be_seen(name, work, float64):
    ours, theirs = CONTENDERS["ours"](work)(), CONTENDERS[name](work)()
    ours, theirs = (torch.cat([g.flatten() for g in gradients]) for _, gradients in (ours, theirs))
    other = torch.cat([g.flatten() for g in CONTENDERS[name](Work(**(vars(work) | {"n_tasks": 3})))()[1]])
    assert (ours - theirs).norm() <= AGREEMENT * theirs.norm()
    assert (ours - other).norm() > AGREEMENT * other.norm()


def test_operations_are_counted_as_by_hand():
    """A 3x3 convolution of c to d channels over n pixels is 18 c d n operations forward, as many for each gradient."""
    first_order = flops(Work("first-order", inner_steps=1, n_tasks=1))
    forward = 18 * 64 * (28**2 + 64 * (14**2 + 7**2 + 3**2)) + 2 * 64 * 5
    images = 5
    assert first_order == pytest.approx(images * 2 * 3 * forward, rel=0.02)  # support and query, no gradient of inputs


def test_rows_are_all_different_and_speak_for_themselves():
    assert len({str(work) for work in WORKS}) == len(WORKS)


@pytest.mark.parametrize("arguments", [["--workers", "0"], ["--device", "abacus"], ["--nonsense"]])
def test_bad_options_are_refused_before_anything_is_timed(arguments, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(arguments)
    assert refusal.value.code == 2
    assert arguments[-1].strip("-") in capsys.readouterr().err
