"""Files of answers: the same in CSV, JSON lines and Parquet."""

import csv
import json
import os

import pyarrow.parquet as pq
import pytest

from quickstudy.classify.answer import Answer
from quickstudy.classify.answer_files import write_answers

CAFE = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_names_of_classes_that_are_not_utf8_are_written(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    answer = Answer("x.png", CAFE, {CAFE: 0.75, "tea": 0.25}, [CAFE, "tea"], False, None, "examples")
    write_answers(path, [answer.summary()], [CAFE, "tea"])
    if suffix == "jsonl":
        row = json.loads(path.read_text())
        assert (row["label"], row["set"], row["probabilities"][CAFE]) == (CAFE, [CAFE, "tea"], 0.75)
        return
    [row] = pq.read_table(path).to_pylist() if suffix == "parquet" else csv.DictReader(path.open(encoding="utf-8"))
    written = r"caf\udce9"
    assert row["label"] == written
    assert row["set"] == (f"{written}|tea" if suffix == "csv" else [written, "tea"])
    assert float(row[f"p({written})"]) == 0.75
