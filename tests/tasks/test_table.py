"""Rows with labels become three sets of labels that never meet, standardised by the training rows."""

import csv
import json

import pytest
import torch

from quickstudy.errors import DataError, NotEnoughClasses, SettingError
from quickstudy.inputs.tables import Table
from quickstudy.tasks.table import table

ROWS = [
    {"width": f"{c + i / 10}", "colour": "red" if c % 2 else "blue", "label": f"kind{c}"}
    for c in range(10)
    for i in range(4)
]


def write(path, rows=ROWS):
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row | {"width": float(row["width"])}) + "\n" for row in rows))
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist([row | {"width": float(row["width"])} for row in rows]), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_files_of_any_kind_say_the_same(tmp_path, suffix):
    splits, rows = table(write(tmp_path / f"all{suffix}"))
    again, same = table(write(tmp_path / "all.csv"))
    assert rows == same
    for a, b in zip(splits, again, strict=True):
        assert a.names == b.names
        assert torch.equal(a.x, b.x)


def test_labels_never_meet_and_training_rows_have_mean_0_and_deviation_1(tmp_path):
    splits, rows = table(write(tmp_path / "all.csv"))
    assert [part.n_classes for part in splits] == [6, 2, 2]
    assert not set(splits.train.names) & set(splits.test.names)
    width = splits.train.x[:, 0].double()
    assert float(width.mean()) == pytest.approx(0, abs=1e-6)
    assert float(width.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert rows.shape == (3,)
    assert rows.categories == {"colour": ["blue", "red"]}
    mean, deviation = rows.numbers["width"]
    for part in splits:
        first = torch.tensor([float(name[4:]) for name in part.names])
        starts = part.x[part.starts, 0] * deviation + mean
        assert torch.allclose(starts, first, atol=1e-5)


def test_free_text_is_no_category(tmp_path):
    rows = [{"width": "1", "colour": f"word{i}", "label": f"kind{i % 3}"} for i in range(200)]
    with pytest.raises(DataError, match="different values, too many for categories; leave it out"):
        table(write(tmp_path / "all.csv", rows))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("width,label\n", DataError, "holds no rows"),
        ("width,kind\n1,a\n", DataError, "row 1 has no label"),
        ("width,label\n1,a\n2,b\n", NotEnoughClasses, "2"),
        ("label\na\nb\nc\n", SettingError, "1 to 1000 columns"),
    ],
)
def test_tables_that_cannot_be_learned_from_say_why(tmp_path, content, error, words):
    (tmp_path / "all.csv").write_text(content)
    with pytest.raises(error, match=words):
        table(tmp_path / "all.csv")


def test_a_table_needs_a_file():
    with pytest.raises(DataError, match="give it as data_root"):
        table(None)


def test_other_tables_are_encoded_as_they_are_asked_to_be(tmp_path):
    mine = Table({"width": [100.0, 5.0]}, {})
    splits, rows = table(write(tmp_path / "all.csv"), rows=mine)
    assert rows is mine
    assert splits.train.x.shape[1:] == (1,)
    assert float(splits.train.x.max()) == -10
