"""Answers to many inputs in a file: the same as one by one, after any interruption, by any number of workers."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import quickstudy as qs
from quickstudy.classify import bulk
from quickstudy.classify.answer_files import csv_lines
from quickstudy.classify.bulk import predict_to_file
from quickstudy.errors import DataError, SettingError
from quickstudy.inputs import stream
from quickstudy.inputs.dataset import ClassDataset


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Example pictures and rows with a classifier each, and one of arrays."""
    folder = tmp_path_factory.mktemp("bulk")
    qs.examples(folder)
    qs.adapt(folder / "pictures").save(folder / "digits")
    qs.adapt(folder / "rows.csv").save(folder / "stones")
    corners = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [0.2, 1.0], [5.0, 0.0], [4.0, 1.0]]), list("aabb"))
    qs.Classifier(qs.Prototypical(qs.Identity(2)), qs.Arrays((2,)), corners).save(folder / "corners")
    np.save(folder / "many.npy", np.random.default_rng(0).normal(2, 2, (2500, 2)).astype(np.float32))
    return folder


@pytest.fixture
def parts_of_ten(monkeypatch):
    monkeypatch.setattr(stream, "PART", 10)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("model", "source"), [("digits", "unsorted"), ("stones", "new-rows.csv")])
def test_the_file_holds_the_answers_of_predict(place, tmp_path, model, source, suffix, parts_of_ten):
    classifier = qs.Classifier.load(place / model)
    answers = [answer.summary() for answer in classifier.answer([place / source], coverage=0.8)]
    out = tmp_path / f"answers.{suffix}"
    written = predict_to_file(place / model, [place / source], out, coverage=0.8)
    assert written == (len(answers), [])
    assert len(answers) > 3
    if suffix == "csv":
        assert out.read_text() == "".join(csv_lines(answers, classifier.labels))
        return
    if suffix == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        rows = pq.read_table(out).to_pylist()
        rows = [{**row, "probabilities": {label: row[f"p({label})"] for label in classifier.labels}} for row in rows]
    for row, answer in zip(rows, answers, strict=True):
        assert row["probabilities"] == pytest.approx(answer.pop("probabilities"), abs=1e-6)
        assert row["confidence"] == pytest.approx(answer.pop("confidence"), abs=1e-6)
        assert answer.items() <= row.items()


def test_rows_of_an_array_are_numbered_in_the_file(place, tmp_path):
    predict_to_file(place / "corners", [place / "many.npy"], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["input"] for row in rows] == [f"{place / 'many.npy'} row {i}" for i in range(1, 2501)]
    expected = qs.Classifier.load(place / "corners").predict(np.load(place / "many.npy"))
    assert [row["label"] for row in rows] == expected


@pytest.mark.parametrize("by_columns", [False, True])
def test_a_block_of_an_array_is_read_at_a_time(tmp_path, by_columns):
    x = np.arange(60, dtype=np.float64).reshape(20, 3)
    np.save(tmp_path / "x.npy", np.asfortranarray(x) if by_columns else x)
    blocks = list(qs.inputs.arrays.blocks_of(tmp_path / "x.npy", (3,), 8))
    assert [len(block) for block in blocks] == [8, 8, 4]
    assert (np.concatenate(blocks) == x).all()
    assert not any(isinstance(block, np.memmap) for block in blocks)


def test_only_what_is_missing_is_answered_after_an_interruption(place, tmp_path, parts_of_ten, monkeypatch):
    whole, out = tmp_path / "whole.csv", tmp_path / "a.csv"
    predict_to_file(place / "digits", [place / "unsorted"], whole)
    n_parts, real, done = -(-len(list((place / "unsorted").iterdir())) // 10), bulk.answered, []

    def failing(folder, version, question, numbered):
        if len(done) == n_parts - 1:
            raise KeyboardInterrupt
        done.append(numbered[0])
        return real(folder, version, question, numbered)

    monkeypatch.setattr(bulk, "answered", failing)
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(place / "digits", [place / "unsorted"], out)
    assert not out.exists()
    assert n_parts > 1
    monkeypatch.setattr(bulk, "answered", lambda *given: done.append(given[-1][0]) or real(*given))
    predict_to_file(place / "digits", [place / "unsorted"], out)
    assert done == list(range(1, n_parts + 1)), "no part is answered twice"
    assert out.read_bytes() == whole.read_bytes()
    assert not (tmp_path / ".a.csv.parts").exists()


def test_parts_of_another_call_are_refused(place, tmp_path, monkeypatch):
    out = tmp_path / "a.csv"
    with monkeypatch.context() as context:
        context.setattr(bulk, "write_answers", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict_to_file(place / "corners", [place / "many.npy"], out)
    with pytest.raises(SettingError, match="another classifier, question or other inputs"):
        predict_to_file(place / "corners", [place / "many.npy"], out, coverage=0.5)
    with monkeypatch.context() as context:
        context.setattr("quickstudy.inputs.stream.PART", 100)  # as another version may have it
        with pytest.raises(SettingError, match="another classifier, question or other inputs"):
            predict_to_file(place / "corners", [place / "many.npy"], out)
    assert predict_to_file(place / "corners", [place / "many.npy"], out).n_answers == 2500
    with pytest.raises(SettingError, match="exists already"):
        predict_to_file(place / "corners", [place / "many.npy"], out)


def test_patterns_and_bad_files(place, tmp_path):
    pictures = sorted((place / "unsorted").iterdir())[:3]
    for path in pictures:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        predict_to_file(place / "digits", [tmp_path / "*.png"], tmp_path / "a.csv")
    with pytest.raises(DataError, match="matches no file"):
        predict_to_file(place / "digits", [tmp_path / "*.gif"], tmp_path / "b.csv")
    n, [message] = predict_to_file(place / "digits", [tmp_path / "*.png"], tmp_path / "b.csv", skip_bad=True)
    assert n == 3
    assert "broken.png" in message


@pytest.mark.slow
def test_two_processes_write_the_same_file(place, tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    predict_to_file(place / "corners", [place / "many.npy"], one)
    predict_to_file(place / "corners", [place / "many.npy"], two, workers=2)
    assert one.read_bytes() == two.read_bytes()


def test_the_command(place, tmp_path, cli):
    out = tmp_path / "a.parquet"
    result = cli("predict", place / "digits", place / "unsorted", "--out", out)
    assert result == (0, f"{pq.read_table(out).num_rows} answers in {out}\n", "")
    assert "need --out" in cli("predict", place / "digits", place / "unsorted", "--workers", 2).err


@pytest.mark.slow
def test_kills_lose_and_double_no_row(place, tmp_path):
    """20 bulk predictions, each killed at a random moment and then continued, write the file of one that was not."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(2, 2, (30_000, 2)).astype(np.float32))
    whole = tmp_path / "whole.csv"
    predict_to_file(place / "corners", [tmp_path / "x.npy"], whole)
    dice = np.random.default_rng(2)
    for i in range(20):
        out = tmp_path / f"{i}.csv"
        command = [sys.executable, "-m", "quickstudy", "predict", place / "corners", tmp_path / "x.npy", "--out", out]
        process = subprocess.Popen([*command, "--workers", str(1 + i % 2)], stdout=subprocess.DEVNULL)
        parts = tmp_path / f".{out.name}.parts"
        while not len(list(parts.glob("*.json"))) > 1 + dice.integers(20) and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # workers whose parent is gone end
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        assert out.read_bytes() == whole.read_bytes()


def test_the_memory_of_a_part_does_not_grow_with_the_inputs(place):
    """Inputs are read as parts are asked for."""
    parts = stream.parts_of(qs.Arrays((2,)), [str(place / "many.npy"), "missing.npy"], qs.Columns(), False, None)
    assert [len(next(parts).things) for _ in range(3)] == [1024, 1024, 452]
    with pytest.raises(DataError, match=r"missing\.npy"):
        next(parts)


def test_sources_are_stamped_by_size_and_time(tmp_path):
    path = Path(tmp_path, "x.txt")
    path.write_text("a")
    before = stream.stamp([str(path)])
    os.utime(path, (1, 1))
    assert stream.stamp([str(path)]) != before == before


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_odd_names_of_files_are_written(place, tmp_path, suffix):
    folder = tmp_path / "a new one"
    folder.mkdir()
    names = [b"-x.png", b"a\nb.png", b"a,b.png", b'q".png', b"\xff.png"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes((place / "new1.png").read_bytes())
    (folder / "loop").symlink_to(".")
    out = tmp_path / f"answers.{suffix}"
    assert predict_to_file(place / "digits", [f"{folder}/*.png"], out).n_answers == 5
    if suffix == "csv":
        with out.open(newline="") as file:
            written = [row["input"] for row in csv.DictReader(file)]
    elif suffix == "jsonl":
        written = [json.loads(line)["input"] for line in out.read_text().splitlines()]
    else:
        written = pq.read_table(out)["input"].to_pylist()
    last = "\udcff.png" if suffix == "jsonl" else "\\udcff.png"
    assert [name.removeprefix(f"{folder}/") for name in written] == [*map(os.fsdecode, sorted(names)[:4]), last]


def test_a_call_that_answered_nothing_does_not_hinder_the_next(place, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    sources = [bad, place / "new1.png"]
    with pytest.raises(DataError, match=r"bad\.png"):
        predict_to_file(place / "digits", sources, tmp_path / "a.csv")
    written = predict_to_file(place / "digits", sources, tmp_path / "a.csv", skip_bad=True)
    assert (written.n_answers, len(written.skipped)) == (1, 1)


def test_a_call_continues_whose_file_lies_among_its_inputs(place, tmp_path, parts_of_ten, monkeypatch):
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(25):
        (folder / f"{i:02d}.png").write_bytes((place / "new1.png").read_bytes())
    calls = []

    def once(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return answered(*arguments)

    answered = bulk.answered
    monkeypatch.setattr(bulk, "answered", once)
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(place / "digits", [folder], folder / "a.csv")
    monkeypatch.setattr(bulk, "answered", answered)
    assert predict_to_file(place / "digits", [folder], folder / "a.csv").n_answers == 25


def test_without_answers_the_columns_are_named(place, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    assert predict_to_file(place / "digits", [bad], tmp_path / "a.csv", skip_bad=True).n_answers == 0
    assert (tmp_path / "a.csv").read_text().startswith("input,label,confidence")
    with pytest.raises(SettingError, match="unknown rest_on 'exampels'"):
        predict_to_file(place / "digits", [place / "new1.png"], tmp_path / "b.csv", rest_on="exampels")


def test_a_failed_call_leaves_no_trap(place, tmp_path):
    out = tmp_path / "a.csv"
    good = place / "new1.png"
    for sources, options in ([tmp_path / "typo.png"], {}), ([good], {"coverage": 2}), ([tmp_path], {}):
        with pytest.raises((DataError, SettingError)):
            predict_to_file(place / "digits", sources, out, **options)
        assert list(tmp_path.iterdir()) == []
    out.write_text("notes")
    with pytest.raises(SettingError, match="exists already"):
        predict_to_file(place / "digits", [good], out)
    assert out.read_text() == "notes"


@pytest.mark.parametrize("late", [False, True])
def test_a_file_of_that_name_stays_although_there_are_parts(place, tmp_path, monkeypatch, late):
    out = tmp_path / "a.csv"
    real = bulk.write_answers

    def interrupted(*given):
        if not late:
            raise KeyboardInterrupt
        real(*given)
        out.write_text("notes")

    with monkeypatch.context() as context:
        context.setattr(bulk, "write_answers", interrupted)
        with pytest.raises(SettingError if late else KeyboardInterrupt):
            predict_to_file(place / "digits", [place / "new1.png"], out)
    out.write_text("notes")
    with pytest.raises(SettingError, match="exists already"):
        predict_to_file(place / "digits", [place / "new1.png"], out)
    assert out.read_text() == "notes"
    out.unlink()
    assert predict_to_file(place / "digits", [place / "new1.png"], out).n_answers == 1


def test_a_call_continues_that_was_killed_after_its_file_was_whole(place, tmp_path, monkeypatch):
    out = tmp_path / "a.csv"
    for edited in (False, True):
        with monkeypatch.context() as context:
            context.setattr(bulk.shutil, "rmtree", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                predict_to_file(place / "digits", [place / "new1.png"], out)
        whole = out.read_bytes()
        assert (tmp_path / ".a.csv.parts").exists()
        if edited:
            out.write_text("notes")
            with pytest.raises(SettingError, match="exists already"):
                predict_to_file(place / "digits", [place / "new1.png"], out)
        else:
            assert predict_to_file(place / "digits", [place / "new1.png"], out).n_answers == 1
            assert out.read_bytes() == whole
            out.unlink()


def test_the_command_answers_an_array_without_a_file_too(place, tmp_path, cli):
    whole = tmp_path / "a.csv"
    predict_to_file(place / "corners", [place / "many.npy"], whole)
    assert cli("predict", place / "corners", place / "many.npy", "--csv").out == whole.read_text()
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 28, 28), np.float32))
    lines = cli("predict", place / "digits", tmp_path / "x.npy", place / "new1.png").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        str(place / "new1.png"),
        *(f"{tmp_path}/x.npy row {i}" for i in (1, 2)),
    ]


def test_the_command_prints_answers_as_they_come(place, tmp_path, cli):
    x = np.zeros((200, 2), np.float32)
    x[150] = np.nan
    np.save(tmp_path / "x.npy", x)
    result = cli("predict", place / "corners", tmp_path / "x.npy")
    assert len(result.out.splitlines()) == 128  # two batches; the bad row is in the third
    assert "x.npy row 151 holds NaN" in result.err


@pytest.mark.parametrize("to_file", [False, True])
def test_empty_lines_are_named_and_nothing_is_refused_with_and_without_a_file(
    place, tmp_path, cli, monkeypatch, to_file
):
    qs.adapt(place / "sentences.csv").save(tmp_path / "desk")
    out = ["--out", tmp_path / "a.csv"] if to_file else []
    for lines, message in ("a card\n\n", "'text 2' is a text of 0 characters"), ("", "the list holds no texts"):
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        assert message in cli("predict", tmp_path / "desk", "-", *out).err
        assert not (tmp_path / "a.csv").exists()


def test_what_standard_input_says_is_no_pattern(place, tmp_path, cli, monkeypatch):
    qs.adapt(place / "sentences.csv").save(tmp_path / "desk")
    for given in ("[urgent]help", "help*"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{given}\n"))
        out = tmp_path / f"{len(given)}.jsonl"
        assert cli("predict", tmp_path / "desk", "-", "--out", out) == (0, f"1 answers in {out}\n", "")
        assert json.loads(out.read_text())["input"] == given


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("model", ["corners", "digits"])
def test_a_bad_row_of_an_array_is_named_and_can_be_skipped(place, tmp_path, model, raw):
    classifier = qs.Classifier.load(place / model)
    x = np.random.default_rng(3).random((1100, *classifier.inputs.shape), np.float32)
    if model == "digits" and not raw:
        x = np.pad(x[:, :, 4:-4, 4:-4], ((0, 0), (0, 0), (4, 4), (4, 4)))  # as encoded: its paper is 0
    bad, good = [1, 1050, 1051], np.delete(np.arange(1100), [1, 1050, 1051])
    x[bad] = [[np.nan], [np.inf], [np.nan]] if model == "corners" else np.nan
    path = tmp_path / "x.npy"
    np.save(path, x)
    with pytest.raises(DataError, match=r"x\.npy row 2\b.* NaN|x\.npy row 2'"):
        predict_to_file(place / model, [path], tmp_path / "a.csv")
    written = predict_to_file(place / model, [path], tmp_path / "a.jsonl", skip_bad=True)
    assert [f"row {i + 1}" in message for i, message in zip(bad, written.skipped, strict=True)] == [True] * 3
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [answer["input"] for answer in answers] == [f"{path} row {i + 1}" for i in good]
    expected = classifier.predict_proba(x[good])
    assert [list(answer["probabilities"].values()) for answer in answers] == pytest.approx(expected, abs=1e-6)


def test_a_call_that_failed_at_a_bad_input_continues_without_it(place, tmp_path):
    """The part before it is kept, and is not of another question."""
    x = np.random.default_rng(3).random(
        (2 * stream.PART, *qs.Classifier.load(place / "corners").inputs.shape), np.float32
    )
    x[-1] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=f"row {2 * stream.PART}"):
        predict_to_file(place / "corners", [tmp_path / "x.npy"], tmp_path / "a.csv")
    assert len(list((tmp_path / ".a.csv.parts").glob("0*.json"))) == 1
    written = predict_to_file(place / "corners", [tmp_path / "x.npy"], tmp_path / "a.csv", skip_bad=True)
    assert (written.n_answers, len(written.skipped)) == (2 * stream.PART - 1, 1)


@pytest.mark.parametrize("one", ["new1.png", Path("new1.png")])
def test_one_input_is_no_list(place, tmp_path, one):
    with pytest.raises(DataError, match=r"is given, but a list of images is needed; write \[X\]"):
        predict_to_file(place / "digits", one, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_is_no_list(place, tmp_path):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"^a DataFrame is given, but a list of sources is needed; give a file of it"):
        predict_to_file(place / "digits", pandas.DataFrame({"text": ["hello"]}), tmp_path / "a.csv")


def test_a_file_of_the_other_order_of_bytes_is_answered_alike(place, tmp_path):
    np.save(tmp_path / "x.npy", np.load(place / "many.npy")[:5].astype(">f4"))
    predict_to_file(place / "corners", [tmp_path / "x.npy"], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert labels == qs.Classifier.load(place / "corners").predict(np.load(place / "many.npy")[:5])
