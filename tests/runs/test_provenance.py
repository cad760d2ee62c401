from importlib.util import find_spec

from quickstudy.runs.provenance import provenance


def test_a_result_names_the_program_that_made_it(monkeypatch):
    for argv, command in (
        (["/opt/bin/quickstudy", "train", "--seed", "1"], "quickstudy train --seed 1"),
        (["lib/quickstudy/__main__.py", "info"], "quickstudy info"),
        (["demo/demo.py", "--out", "a b"], "python demo/demo.py --out 'a b'"),
    ):
        monkeypatch.setattr("sys.argv", argv)
        assert provenance()["command"] == command


def test_a_module_is_named_as_it_was_started(monkeypatch):
    spec = find_spec("benchmarks.speed.__main__")
    monkeypatch.setattr("__main__.__spec__", spec)
    monkeypatch.setattr("sys.argv", [spec.origin, "--toy"])
    assert provenance()["command"] == "python -m benchmarks.speed --toy"
