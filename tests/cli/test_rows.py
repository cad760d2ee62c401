"""Files of sentences and rows as people have them, by command: read alike, or refused in one line."""

import json
import warnings

import pytest

from tests.inputs.languages import GERMAN

ABOUT = {
    "weather": ["will it rain", "is it sunny outside", "how cold is it today"],
    "food": ["book a table", "what is for dinner", "order a pizza"],
    "bank": ["what is my balance", "transfer money to my account", "pay my bill"],
}
LINES = [(text, label) for label, texts in ABOUT.items() for text in texts]


def write(path, head="text,label", encoding="utf-8"):
    mark = ";" if ";" in head else ","
    path.write_text("\n".join([head, *(f"{text}{mark}{label}" for text, label in LINES)]) + "\n", encoding)
    return path


@pytest.fixture
def desk(cli, tmp_path):
    pytest.importorskip("sentence_transformers")
    assert cli("adapt", write(tmp_path / "few.csv"), "-o", tmp_path / "desk").code == 0
    return tmp_path / "desk"


def labels(done):
    assert done.code == 0, done.err
    return [answer["label"] for answer in json.loads(done.out)["answers"]]


def test_predict_reads_files_and_refuses_what_is_neither_file_nor_sentence(cli, refused, desk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = [label for _, label in LINES]
    write(tmp_path / "few.tsv", "text\tlabel").write_text("text\n" + "\n".join(text for text, _ in LINES))
    for name in ("few.csv", "few.tsv"):
        assert labels(cli("predict", desk, name, "--json")) == wanted
    assert labels(cli("predict", desk, "please open a.csv on rain", "--json")) == ["weather"]
    assert "'typo.csv' cannot be read: No such file" in refused("predict", desk, "typo.csv")
    assert "'text 2' is a text of 0 characters" in refused("predict", desk, "will it rain", "")
    (tmp_path / "few.txt").write_text("will it rain\n")
    assert "does not end in one of" in refused("predict", desk, "few.txt")


def test_text_is_never_a_file(cli, refused, desk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in ("few.csv", "rain.csv"):
        (answer,) = json.loads(cli("predict", desk, word, "--text", "--json").out)["answers"]
        assert answer["input"] == word
    assert "'text 2' is a text of 1 characters" in refused("predict", desk, "--text", "will it rain", " ")
    (tmp_path / "sizes.csv").write_text("width,label\n1,a\n2,b\n")
    assert cli("adapt", tmp_path / "sizes.csv", "-o", tmp_path / "sorter").code == 0
    assert "--text is for classifiers of sentences, but this one takes rows" in refused(
        "predict", tmp_path / "sorter", "few.csv", "--text"
    )


def test_other_columns_and_encodings_are_flags(cli, refused, desk, tmp_path):
    mine = write(tmp_path / "mine.csv", "Message;Kind", "cp1252")
    mine.write_bytes(mine.read_bytes() + b"sch\xf6nes Wetter in K\xf6ln;weather\n")
    flags = ["--text-column", "message", "--label-column", "kind", "--encoding", "cp1252"]
    assert cli("adapt", mine, "-o", tmp_path / "mine", *flags).out.endswith("(bank 3, food 3, weather 4)\n")
    assert labels(cli("predict", desk, mine, "--json", *flags[:2], *flags[4:]))[:9] == [label for _, label in LINES]
    explained = json.loads(cli("explain", desk, mine, "--json", *flags[:2], *flags[4:]).out)
    assert (explained["input"], explained["label"]) == ("will it rain", "weather")
    report = json.loads(cli("check", mine, "--json", *flags, "--unlabelled", mine).out)
    assert report["examples"] == {"weather": 4, "food": 3, "bank": 3}
    assert "name its encoding, such as --encoding cp1252" in refused("adapt", mine, "-o", "no", *flags[:4])
    assert "its columns are 'Message', 'Kind'; say which is which by --text-column" in refused(
        "adapt", mine, "-o", "no", "--text-column", "words", *flags[2:]
    )
    assert "row 1 has no label; its columns are 'Message', 'Kind'" in refused("adapt", mine, "-o", "no", *flags[4:])


def test_columns_are_for_rows_alone(refused, pictures):
    for command in (["adapt", pictures, "-o", "no"], ["check", pictures]):
        assert "names of columns and an encoding are for files of rows, not for images" in refused(
            *command, "--label-column", "kind"
        )


def test_another_language_is_reported_in_one_line(cli, desk, tmp_path):
    path = tmp_path / "german.csv"
    path.write_text("text,label\n" + "".join(f"{text},{i % 3}\n" for i, text in enumerate(GERMAN.splitlines())))
    many = tmp_path / "many.csv"
    many.write_text("text\n" + "".join(f"{text} {i}\n" for i in range(9) for text in GERMAN.splitlines()))
    for command in (["adapt", path, "-o", tmp_path / "german"], ["check", path], ["predict", desk, many]):
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # as in a new process
            done = cli(*command)
        assert done.code == 0
        assert done.err.count("more than a third of the words are not in the vocabulary of the encoder") == 1
        assert all(line.startswith("quickstudy: warning: ") for line in done.err.splitlines())


def test_rows_behind_a_bad_one_are_answered(cli, desk, tmp_path):
    (tmp_path / "gap.csv").write_text("id,text\n1,will it rain\n2,\n3,book a table\n4,pay my bill\n")
    done = cli("predict", desk, tmp_path / "gap.csv", "--skip-bad", "--json")
    assert (done.code, [each["label"] for each in json.loads(done.out)["answers"]]) == (1, ["weather", "food", "bank"])
    assert "gap.csv row 2 has no text; fill it" in done.err
    out = tmp_path / "answers.jsonl"
    done = cli("predict", desk, tmp_path / "gap.csv", "--skip-bad", "--out", out)
    assert (done.code, len(out.read_text().splitlines())) == (1, 3)
    assert done.err.count("skipped") == 1


def test_text_that_is_not_unicode_is_refused(refused, desk, tmp_path):
    assert "broken' is not text in UTF-8 (byte 0xE9)" in refused("predict", desk, "caf\udce9 broken")
    (tmp_path / "half.jsonl").write_text('{"text": "hello \\ud83d", "label": "a"}\n{"text": "bye", "label": "b"}\n')
    assert r"half.jsonl row 1 is not valid Unicode ('\ud83d' is half" in refused(
        "adapt", tmp_path / "half.jsonl", "-o", tmp_path / "half"
    )


def test_a_bar_divides_columns_too(cli, tmp_path):
    assert cli("adapt", write(tmp_path / "few.csv"), "-o", tmp_path / "desk").code == 0
    path = tmp_path / "bars.csv"
    path.write_text("text|label\n" + "".join(f"{text}|{label}\n" for text, label in LINES))
    assert labels(cli("predict", tmp_path / "desk", path, "--json")) == [label for _, label in LINES]


def test_a_json_array_is_not_read_as_lines(refused, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps([{"text": text, "label": label} for text, label in LINES]))
    assert "a.jsonl line 1 is not an object; write one per line" in refused(
        "adapt", tmp_path / "a.jsonl", "-o", tmp_path / "desk"
    )
