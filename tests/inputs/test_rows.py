"""Files of rows as people have them: read alike, or refused in a line that says what to do."""

import json
import warnings
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Item
from quickstudy.inputs.rows import Columns, read_rows
from quickstudy.inputs.sentences import Sentences, read_sentences
from quickstudy.inputs.tables import Table, labelled_rows

PAIRS = [("where is my card, please", "card"), ('play "music"; now', "music"), ("schöne Grüße", "greeting")]
PLAIN = 'text,label\n"where is my card, please",card\n"play ""music""; now",music\nschöne Grüße,greeting\n'
SEMICOLONS = 'text;label\nwhere is my card, please;card\n"play ""music""; now";music\nschöne Grüße;greeting\n'
TABS = 'text\tlabel\nwhere is my card, please\tcard\n"play ""music""; now"\tmusic\nschöne Grüße\tgreeting\n'


def workbook(path, rows, *more):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    for title in more:
        book.create_sheet(title)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "commas": ("a.csv", PLAIN.encode()),
        "semicolons": ("a.csv", SEMICOLONS.encode()),
        "tabs": ("a.csv", TABS.encode()),
        "tsv": ("a.tsv", TABS.encode()),
        "tsv with commas": ("a.TSV", PLAIN.encode()),
        "blanks in the header": ("a.csv", PLAIN.replace("text,label", " text , label").encode()),
        "capitals": ("a.csv", SEMICOLONS.replace("text;label", "Text;LABEL").encode()),
        "more columns": ("a.csv", b"id;" + SEMICOLONS.replace("\n", "\n7;").encode()[:-2]),
        "UTF-8 with a mark": ("a.csv", PLAIN.encode("utf-8-sig")),
        "UTF-16": ("a.csv", SEMICOLONS.encode("utf-16")),
        "UTF-16, the other way": ("a.csv", b"\xfe\xff" + TABS.encode("utf-16-be")),
        "other line ends": ("a.csv", SEMICOLONS.replace("\n", "\r\n").encode()),
        "empty lines": ("a.csv", b"\n" + SEMICOLONS.replace("\n", "\n;\n\n").encode()),
        "lines": ("a.jsonl", "".join(json.dumps({"Text ": t, "Label": y}) + "\n\n" for t, y in PAIRS).encode()),
    }.values(),
)
def test_the_same_sentences_in_any_form_are_the_same(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert list(zip(*read_sentences(tmp_path / name), strict=True)) == PAIRS
    assert [item.name for item in Sentences().open(str(tmp_path / name))] == [text for text, _ in PAIRS]
    assert Sentences.recognises(tmp_path / name)


def test_a_workbook_is_read_from_its_first_sheet(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [("Text", "Label"), *PAIRS, (None, None)])
    assert list(zip(*read_sentences(path), strict=True)) == PAIRS
    with pytest.warns(UserWarning, match=r"a.xlsx has 2 sheets; only 'Sheet' is read"):
        read_sentences(workbook(path, [("Text", "Label"), *PAIRS], "old"))
    path.write_bytes(b"PK no")
    with pytest.raises(DataError, match=r"a.xlsx is damaged"):
        read_sentences(path)


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("quickstudy.inputs.row_files._MAX_UNPACKED", 1000)
    with pytest.raises(DataError, match=r"bytes unpacked, more than 1,000; save it as CSV"):
        read_sentences(workbook(tmp_path / "a.xlsx", [("Text", "Label"), *PAIRS]))


def test_a_single_column_may_hold_commas(tmp_path):
    (tmp_path / "a.csv").write_text('text\nwhere is it, please\n"and, this; one"\n')
    assert [item.value for item in Sentences().open(tmp_path / "a.csv")] == ["where is it, please", "and, this; one"]


def test_other_names_and_encodings_are_given(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(SEMICOLONS.replace("text;label", "Nachricht;Art").encode("cp1252"))
    columns = Columns("nachricht", "ART", "cp1252")
    assert list(zip(*read_sentences(path, columns), strict=True)) == PAIRS
    assert [item.value for item in Sentences().open(path, columns)] == [text for text, _ in PAIRS]
    assert Sentences.recognises(path, columns)
    assert not Table.recognises(path, columns)
    with pytest.raises(DataError, match=r"is not text in UTF-8 \(.*\); save it as UTF-8, or .* --encoding cp1252"):
        read_sentences(path, Columns("nachricht", "ART"))
    path.write_text(PLAIN.replace("text,label", "Nachricht,Art"), "utf-8")
    with pytest.raises(DataError, match=r"row 1 has no text and no label; its columns are 'Nachricht', 'Art'; say"):
        read_sentences(path)


@pytest.mark.parametrize("encoding", ["klingon", "hex", "", "a\0b"])
def test_an_unknown_encoding_is_refused(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    if encoding:
        with pytest.raises(SettingError, match="is unknown; give one such as utf-8, utf-16 or cp1252"):
            list(read_rows(tmp_path / "a.csv", Columns(encoding=encoding)))
    else:
        assert list(read_rows(tmp_path / "a.csv", Columns(encoding=encoding))) == [{"text": "a", "label": "b"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'text,label\nhello,a\n"late" parcel,delivery\n', r"line 3 is damaged: .*; write a quote .* twice"),
        (b'text,label\nhello,a\n"late parcel,delivery\nbye,b\n', "lines 3 to 4 are damaged"),
        (b"text,label\nhello, world,greeting\n", "row 1 has 'greeting' in a column without a name"),
        (b",text,label\n0,hello,greeting\n", "row 1 has '0' in a column without a name; name the column"),
        (b"text,label,text\nhello,a,b\n", "has two columns 'text'; rename or remove one"),
        ("text,label\nhello,a\n".encode("utf-16-le"), "its header holds NUL; name its encoding"),
        (b"hello,greeting\nbye,parting\n", "its columns are 'hello', 'greeting'; say which is which by --text-column"),
    ],
)
def test_a_file_that_would_be_misread_is_refused(tmp_path, content, says):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_sentences(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_a_line_of_json_that_is_damaged_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "b"}\n\n{"text"\n')
    with pytest.raises(DataError, match=r"a.jsonl line 3 is damaged"):
        read_sentences(tmp_path / "a.jsonl")


VALUES = [1, 2.5, 3.0, True, date(2026, 5, 1), datetime(2026, 5, 1), datetime(2026, 5, 1, 12, 30), "4.0"]
WORDS = ["1", "2.5", "3", "True", "2026-05-01", "2026-05-01", "2026-05-01 12:30:00", "4.0"]


def test_labels_of_any_type_are_text_by_one_rule(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "whole": ([1, 2], ["1", "2"]),
        "real": ([1.0, 2.5], ["1", "2.5"]),
        "yes": ([True, False], ["True", "False"]),
        "day": ([date(2026, 5, 1), date(2026, 5, 2)], ["2026-05-01", "2026-05-02"]),
        "moment": ([datetime(2026, 5, 1), datetime(2026, 5, 1, 12)], ["2026-05-01", "2026-05-01 12:00:00"]),
        "decimal": ([Decimal("1.0"), Decimal("2.5")], ["1", "2.5"]),
    }
    path = tmp_path / "a.parquet"
    table = {name: values for name, (values, _) in columns.items()}
    parquet.write_table(arrow.table({"text": ["a", "b"], **table}), path)
    for name, (_, words) in columns.items():
        assert read_sentences(path, Columns(label=name))[1] == words
    path = workbook(tmp_path / "a.xlsx", [("text", "label"), *(("a", value) for value in VALUES)])
    assert read_sentences(path)[1] == WORDS
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1.0}\n{"text": "b", "label": true}\n')
    assert read_sentences(tmp_path / "a.jsonl")[1] == ["1", "True"]
    for value in ("NaN", "null", "[1]", "{}", '" "'):
        (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": {value}}}\n')
        with pytest.raises(DataError, match="row 1 has no label; fill it"):
            read_sentences(tmp_path / "a.jsonl")


def test_one_number_as_two_labels_is_reported(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,1\nb,1.0\nc,2\nd,1.10\n")
    for read in (read_sentences, labelled_rows):
        with pytest.warns(UserWarning, match=r"the labels '1' and '1.0' are two classes, but the same number") as seen:
            read(tmp_path / "a.csv")
        assert len(seen) == 1


def test_a_label_is_no_column_of_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("width;Label;kind\n1;a;x\n2;b;y\n")
    assert labelled_rows(tmp_path / "a.csv") == [
        (Item(f"{tmp_path}/a.csv row 1", {"width": "1", "kind": "x"}), "a"),
        (Item(f"{tmp_path}/a.csv row 2", {"width": "2", "kind": "y"}), "b"),
    ]
    rows, labels = zip(*labelled_rows(tmp_path / "a.csv", Columns(label="Kind")), strict=True)
    assert labels == ("x", "y")
    assert rows[0].value == {"width": "1", "Label": "a"}
    with pytest.raises(SettingError, match="rows of a table have no column of sentences"):
        labelled_rows(tmp_path / "a.csv", Columns(text="width"))


@pytest.mark.slow
def test_a_million_rows_take_no_more_memory_than_one(tmp_path):
    import tracemalloc

    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write("text;label\n")
        file.writelines(f"sentence number {i};kind {i % 9}\n" for i in range(200_000))
    tracemalloc.start()
    assert sum(1 for _ in read_rows(path)) == 200_000
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_a_european_table_says_the_same_as_a_plain_one(tmp_path, name):
    from sklearn import datasets

    import quickstudy as qs

    data = getattr(datasets, f"load_{name}")()
    some = np.random.default_rng(0).permutation(len(data.data))[:60]
    names = [str(column).replace("/", " ") for column in data.feature_names]
    rows = [[*map(repr, map(float, data.data[i])), data.target_names[data.target[i]]] for i in some]

    def write(path, delimiter, comma, rows):
        lines = [delimiter.join([*names, "label"])] + [delimiter.join(row) for row in rows]
        path.write_text("\n".join(lines).replace(".", ",") if comma else "\n".join(lines), "utf-8")
        return path

    files = {
        side: (write(tmp_path / f"{side}.csv", ",", False, part), write(tmp_path / f"{side}-eu.csv", ";", True, part))
        for side, part in (("few", rows[:30]), ("new", rows[30:]))
    }
    plain = qs.adapt(files["few"][0])
    with pytest.warns(UserWarning, match=r"decimal commas: '\d+,\d+' is read as \d+\.\d+"):
        european = qs.adapt(files["few"][1])
    assert european.inputs.numbers == plain.inputs.numbers
    assert european.inputs.categories == plain.inputs.categories == {}
    wanted = plain.predict_proba([files["new"][0]])
    assert np.array_equal(european.predict_proba([files["new"][1]]), wanted)
    right = sum(a == row[-1] for a, row in zip(plain.predict([files["new"][0]]), rows[30:], strict=True))
    assert right >= 25
    with pytest.raises(DataError, match=r"which holds numbers; write it with a decimal point"):
        plain.predict([files["new"][1]])
    european.save(tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = qs.load(tmp_path / "saved")
        assert np.array_equal(again.predict_proba([files["new"][1]]), wanted)
        assert np.array_equal(again.predict_proba(list(again.items)), european.predict_proba(list(european.items)))
