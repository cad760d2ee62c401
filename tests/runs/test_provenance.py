from quickstudy.runs.provenance import provenance


def test_a_result_names_the_program_that_made_it(monkeypatch):
    for argv, command in (
        (["/opt/bin/quickstudy", "train", "--seed", "1"], "quickstudy train --seed 1"),
        (["lib/quickstudy/__main__.py", "info"], "quickstudy info"),
        (["demo/demo.py", "--out", "a b"], "python demo/demo.py --out 'a b'"),
    ):
        monkeypatch.setattr("sys.argv", argv)
        assert provenance()["command"] == command
