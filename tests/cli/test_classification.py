"""``quickstudy adapt`` learns the classes of a folder, ``quickstudy predict`` labels images by them."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from PIL import Image

from quickstudy import load
from quickstudy.inputs.images import Images
from tests.inputs.drawings import read


def quickstudy(*arguments, cwd):
    command = [sys.executable, "-m", "quickstudy", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def few(pictures, folder):
    """The last three classes, of 1, 2 and 4 drawings, and a drawing of each that is left."""
    left = {}
    for place, n in zip(sorted(pictures.iterdir())[-3:], (1, 2, 4), strict=True):
        *images, left[place.name] = sorted(place.iterdir())
        (folder / place.name).mkdir(parents=True)
        for image in images[:n]:
            shutil.copy(image, folder / place.name)
    return left


@pytest.fixture
def classifier(cli, run, pictures, tmp_path):
    few(pictures, tmp_path / "few")
    assert cli("adapt", run, tmp_path / "few", "-o", tmp_path / "classifier").code == 0
    return tmp_path / "classifier"


@pytest.fixture
def drawings(pictures):
    return [sorted(place.iterdir())[-1] for place in sorted(pictures.iterdir())[-3:]]


@pytest.mark.slow
def test_from_training_to_prediction_as_programs(tmp_path, small, pictures):
    flags = [part for name, value in small.items() for part in (f"--{name.replace('_', '-')}", value)]
    left = few(pictures, tmp_path / "few")
    assert quickstudy("train", *flags, "--out", "run", cwd=tmp_path) == "run\n"
    assert "over 20 tasks, inductive" in quickstudy("evaluate", "run", "--n-tasks", 20, cwd=tmp_path)
    assert "learned 3 classes" in quickstudy("adapt", "run", "few", "-o", "classifier", cwd=tmp_path)
    rows = quickstudy("predict", "classifier", *left.values(), cwd=tmp_path).splitlines()
    assert [row.split("\t")[0] for row in rows] == [str(path) for path in left.values()]
    assert {row.split("\t")[1] for row in rows} <= set(left)


def test_adapting_counts_the_examples_of_each_class(cli, run, pictures, tmp_path):
    names = list(few(pictures, tmp_path / "few"))
    _, out, err = cli("adapt", run, tmp_path / "few", "-o", tmp_path / "a")
    counts = dict(zip(names, (1, 2, 4), strict=True))
    assert (
        out == f"{tmp_path / 'a'}: learned 3 classes of drawings ({', '.join(f'{n} {c}' for n, c in counts.items())})\n"
    )
    assert err == ""
    found = json.loads(cli("adapt", run, tmp_path / "few", "-o", tmp_path / "b", "--json").out)
    assert found == {"classifier": str(tmp_path / "b"), "inputs": "images", "examples": counts}


def test_json_csv_and_words_say_the_same(cli, classifier, drawings):
    rows = json.loads(cli("predict", classifier, *drawings, "--json").out)["answers"]
    table = list(csv.DictReader(io.StringIO(cli("predict", classifier, *drawings, "--csv").out)))
    lines = cli("predict", classifier, *drawings).out.splitlines()
    assert len(rows) == len(table) == len(lines) == 3
    for path, row, cells, line in zip(drawings, rows, table, lines, strict=True):
        probabilities = row["probabilities"]
        assert row["input"] == cells["input"] == str(path)
        assert row["label"] == cells["label"] == max(probabilities, key=probabilities.get)
        assert sum(probabilities.values()) == pytest.approx(1)
        assert {name: float(cells[f"p({name})"]) for name in probabilities} == pytest.approx(probabilities, abs=1e-6)
        assert line == f"{path}\t{row['label']}\t{100 * max(probabilities.values()):.1f} %"


def test_a_classifier_knows_what_it_was_shown(cli, classifier, tmp_path):
    shown = [sorted(place.iterdir())[0] for place in sorted((tmp_path / "few").iterdir())]
    rows = json.loads(cli("predict", classifier, *shown, "--json").out)["answers"]
    assert rows[0]["label"] == shown[0].parent.name, "of one example, the prototype is the example"


def test_a_classifier_is_data_and_stands_alone(cli, classifier, drawings, tmp_path):
    before = cli("predict", classifier, *drawings, "--json").out
    shutil.rmtree(tmp_path / "few")
    moved = shutil.move(classifier, tmp_path / "moved")
    assert cli("predict", moved, *drawings, "--json").out == before
    assert not any(zipfile.is_zipfile(path) for path in moved.iterdir()), "torch.save writes zip files"


def test_an_awkward_label_stays_one_cell(cli, run, pictures, tmp_path):
    few(pictures, tmp_path / "few")
    name = 'a, "b"; ü'
    next((tmp_path / "few").iterdir()).rename(tmp_path / "few" / name)
    cli("adapt", run, tmp_path / "few", "-o", tmp_path / "classifier")
    image = next((tmp_path / "few" / name).iterdir())
    (row,) = csv.DictReader(io.StringIO(cli("predict", tmp_path / "classifier", image, "--csv").out))
    assert set(row) >= {"input", "label", *(f"p({place.name})" for place in (tmp_path / "few").iterdir())}


def test_paper_and_ink_may_be_either_way_round(cli, classifier, drawings, tmp_path):
    image = Image.open(drawings[0])
    for name, drawn in (
        ("inverted.png", image.point(lambda level: 255 - level)),
        ("colour.webp", image.convert("RGB")),
        ("larger.png", image.resize((280, 280), Image.Resampling.NEAREST)),
    ):
        drawn.save(tmp_path / name, lossless=True)
        if name == "larger.png":  # of blocks, and framed, because it is larger than the net's images
            continue
        assert abs(read(tmp_path / name, Images()).astype(int) - read(drawings[0], Images())).max() <= 1
    names = ["inverted.png", "colour.webp", "larger.png"]
    rows = json.loads(cli("predict", classifier, drawings[0], *(tmp_path / name for name in names), "--json").out)[
        "answers"
    ]
    assert len({row["label"] for row in rows}) == 1


def test_what_is_no_folder_of_classes_is_refused(refused, run, pictures, tmp_path):
    assert "cannot be read" in refused("adapt", run, "nowhere", "-o", "out")
    (tmp_path / "data").mkdir()
    assert "holds no class folders" in refused("adapt", run, "data", "-o", "out")
    left = few(pictures, tmp_path / "data")
    (tmp_path / "data" / "empty").mkdir()
    assert "'data/empty' holds no images" in refused("adapt", run, "data", "-o", "out")
    bad = tmp_path / "data" / "empty" / "bad.png"
    bad.write_bytes(next(iter(left.values())).read_bytes()[:60])
    assert "bad.png' is a damaged image" in refused("adapt", run, "data", "-o", "out")
    bad.write_text("no image")
    assert "bad.png' is not a PNG" in refused("adapt", run, "data", "-o", "out")
    for place in sorted((tmp_path / "data").iterdir())[1:]:
        shutil.rmtree(place)
    shutil.copy(next(iter(left.values())), tmp_path / "data" / "empty" / "bad.png")
    assert "at least two classes" in refused("adapt", run, "data", "-o", "out")


def test_what_is_there_is_not_written_over(refused, run, pictures, tmp_path):
    few(pictures, tmp_path / "few")
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("kept")
    for out in ("file", "folder"):
        assert "exists already; choose another folder with --out" in refused("adapt", run, "few", "-o", out)
    assert "exists already" in refused("adapt", run, "few", "-o", run)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "file").read_text() == "kept"


def test_only_runs_on_images_learn_from_images(refused, sinusoid, pictures):
    assert "was not trained on photos, images, sentences, table, arrays" in refused(
        "adapt", sinusoid, pictures, "-o", "out"
    )
    assert "config.json is missing" in refused("adapt", "nowhere", pictures, "-o", "out")


def test_only_classifiers_predict(refused, run, drawings):
    said = refused("predict", run, drawings[0])
    assert "is a learner without labels; make a classifier by `quickstudy adapt`" in said
    assert "config.json is missing" in refused("predict", "nowhere", drawings[0])


def test_images_that_cannot_be_read_are_named_before_anything_is_printed(refused, classifier, drawings, tmp_path):
    (tmp_path / "bad.png").write_bytes(drawings[0].read_bytes()[:60])
    for form in ([], ["--csv"]):
        assert "bad.png' is a damaged image" in refused("predict", classifier, drawings[0], "bad.png", *form)
    assert "'nowhere.png' cannot be read" in refused("predict", classifier, "nowhere.png")
    (tmp_path / "empty").mkdir()
    assert "'empty' is a folder without images" in refused("predict", classifier, "empty")
    shutil.move(tmp_path / "bad.png", tmp_path / "empty")
    assert "bad.png' is a damaged image" in refused("predict", classifier, "empty")


def test_a_damaged_classifier_is_one_line(refused, classifier, drawings):
    support = classifier / "support.safetensors"
    content = support.read_bytes()
    support.write_bytes(content[:-1])
    assert "support.safetensors cannot be read" in refused("predict", classifier, drawings[0])
    support.unlink()
    assert "support.safetensors cannot be read" in refused("predict", classifier, drawings[0])


@pytest.mark.slow
def test_shared_characters_of_five_classes_with_one_to_four_examples(cli, shared, tmp_path):
    with zipfile.ZipFile(shared / "images_evaluation.zip") as archive:
        names = sorted(name for name in archive.namelist() if "/Angelic/character0" in name and name.endswith(".png"))
        shots = {f"character0{c}": n for c, n in zip(range(1, 6), (1, 2, 3, 4, 2), strict=True)}
        asked = []
        for label, n in shots.items():
            of_label = [name for name in names if f"/{label}/" in name]
            (tmp_path / "mine" / label).mkdir(parents=True)
            for name in of_label[:n]:
                (tmp_path / "mine" / label / name.rsplit("/")[-1]).write_bytes(archive.read(name))
            for name in of_label[-4:]:
                asked.append(tmp_path / f"{label}-{name.rsplit('/')[-1]}")
                asked[-1].write_bytes(archive.read(name))
    data = ["--data", "omniglot", "--data-root", shared, "--train-way", 20, "--width", 16, "--validation-tasks", 2]
    assert cli("train", *data, "--steps", 30, "--out", tmp_path / "run").code == 0
    learned = json.loads(cli("adapt", tmp_path / "run", tmp_path / "mine", "-o", tmp_path / "c", "--json").out)
    assert learned["examples"] == shots
    rows = json.loads(cli("predict", tmp_path / "c", *asked, "--json").out)["answers"]
    right = [row["label"] in row["input"] for row in rows]
    assert sum(right) / len(right) > 0.5


@pytest.mark.parametrize("call", range(1, 12))
def test_a_disk_that_fails_while_a_classifier_is_kept_leaves_nothing(cli, run, pictures, tmp_path, monkeypatch, call):
    sync, calls = os.fsync, 0

    def fails(descriptor):
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    code, out, err = cli("adapt", run, pictures, "-o", tmp_path / "classifier")
    if calls < call:
        assert code == 0
        return
    assert (code, out) == (1, "")
    assert "No space left on device" in err
    assert err.count("\n") == 1
    if "classifier" in [path.name for path in tmp_path.iterdir()]:  # only its last sync failed: it is whole
        assert cli("doctor", tmp_path / "classifier").code == 0
    assert not list(tmp_path.glob(".*"))


def test_a_classifier_learns_more_and_keeps_what_it_knew(cli, run, pictures, drawings, classifier, tmp_path):
    other = sorted(pictures.iterdir())[0]
    shutil.copytree(other, tmp_path / "more" / other.name)
    known = drawings[0].parent
    (tmp_path / "more" / known.name).mkdir()
    shutil.copy(sorted(known.iterdir())[-2], tmp_path / "more" / known.name)
    out = cli("adapt", classifier, tmp_path / "more", "-o", tmp_path / "wider").out
    assert f"{other.name} 8" in out
    assert "learned 4 classes" in out
    few(pictures, tmp_path / "all")
    shutil.copytree(tmp_path / "more", tmp_path / "all", dirs_exist_ok=True)
    cli("adapt", run, tmp_path / "all", "-o", tmp_path / "at-once")
    wider, at_once = (
        json.loads(cli("predict", tmp_path / name, *drawings, "--json").out)["answers"] for name in ("wider", "at-once")
    )
    for a, b in zip(wider, at_once, strict=True):
        assert a["probabilities"] == pytest.approx(b["probabilities"], abs=1e-5)


def test_drawings_are_learned_without_any_training(cli, pictures, drawings, tmp_path):
    few(pictures, tmp_path / "few")
    assert "learned 3 classes" in cli("adapt", tmp_path / "few", "-o", tmp_path / "classifier").out
    rows = json.loads(cli("predict", tmp_path / "classifier", *drawings, "--json").out)["answers"]
    assert [row["label"] for row in rows] == [path.parent.name for path in drawings]


def test_rows_of_a_table_from_training_to_explanation(cli, tmp_path):
    def write(name, kinds, n, label=True):
        lines = [
            f"{c + i / 9},{-c},{'red' if c % 2 else 'blue'}" + f",kind{c}" * label for c in kinds for i in range(n)
        ]
        (tmp_path / name).write_text("\n".join(["width,depth,colour" + ",label" * label, *lines]) + "\n")
        return tmp_path / name

    flags = ("--steps", 30, "--n-way", 2, "--n-query", 3, "--validation-tasks", 4, "--threads", 1)
    table, run = write("all.csv", range(10), 8), tmp_path / "run"
    assert cli("train", "--data", "table", "--data-root", table, *flags, "--out", run).err == ""
    assert cli("adapt", run, write("few.csv", (20, 31), 3), "-o", tmp_path / "classifier").err == ""
    asked = write("asked.csv", (20, 31), 2, label=False)
    rows = json.loads(cli("predict", tmp_path / "classifier", asked, "--json").out)["answers"]
    assert [row["input"] for row in rows] == [f"{asked} row {i}" for i in (1, 2, 3, 4)]
    assert [row["label"] for row in rows] == ["kind20", "kind20", "kind31", "kind31"]
    told = json.loads(cli("explain", tmp_path / "classifier", asked, "-o", tmp_path / "why.html", "--json").out)
    assert [name for name, _ in told["parts"]] == ["width", "depth", "colour"]
    assert "depth" in (tmp_path / "why.html").read_text()
    assert cli("doctor", tmp_path / "classifier").code == 0
    empty = tmp_path / "empty.csv"
    empty.write_text("width,depth,colour\n")
    assert "holds no rows" in cli("predict", tmp_path / "classifier", empty).err


def test_what_is_left_out_or_blank_is_named_by_every_command(cli, pictures, tmp_path):
    few(pictures, tmp_path / "few")
    place = sorted((tmp_path / "few").iterdir())[0]
    for name in ("a.mov", "b.mov"):
        (place / name).write_bytes(b"film")
    clear = Image.new("LA", (40, 40), (255, 0))
    clear.save(place / "clear.png")
    result = cli("adapt", tmp_path / "few", "-o", tmp_path / "mine")
    assert result.code == 0
    assert "warning: " in result.err
    assert "left out, not images that can be read: 2 .mov (a.mov, b.mov)" in result.err
    assert f"warning: {place / 'clear.png'}: blank or of one colour" in result.err
    result = cli("predict", tmp_path / "mine", place)
    assert "2 .mov (a.mov, b.mov)" in result.err
    assert f"{place / 'clear.png'}: blank or of one colour" in result.err
    assert cli("predict", tmp_path / "mine", place, "--quiet").err == ""


def test_white_ink_on_transparent_paper_is_learned(cli, pictures, tmp_path):
    """As a program for drawing saves it; on white it would be blank."""
    left = few(pictures, tmp_path / "few")
    for file in (tmp_path / "few").glob("*/*.png"):
        ink = Image.eval(Image.open(file).convert("L"), lambda level: 255 - level)
        image = Image.new("LA", ink.size, (255, 0))
        image.putalpha(ink)
        image.save(file)
    result = cli("adapt", tmp_path / "few", "-o", tmp_path / "mine")
    assert (result.code, result.err) == (0, "")
    answers = json.loads(cli("predict", tmp_path / "mine", *left.values(), "--json").out)["answers"]
    assert [answer["label"] for answer in answers] == list(left)


@pytest.mark.parametrize("command", ["adapt", "check", "train"])
def test_splits_of_the_same_classes_are_refused_by_every_command(refused, pictures, tmp_path, command):
    for split in ("train", "test"):
        few(pictures, tmp_path / "d" / split)
    arguments = {
        "adapt": [tmp_path / "d", "-o", tmp_path / "mine"],
        "check": [tmp_path / "d"],
        "train": ["--data", "folders", "--data-root", tmp_path / "d", "--out", tmp_path / "run"],
    }[command]
    assert f"give one of them, such as '{tmp_path / 'd' / 'train'}'" in refused(command, *arguments)


def test_bad_inputs_are_skipped_and_listed_if_wished(cli, classifier, drawings, tmp_path):
    (tmp_path / "bad.png").write_bytes(drawings[0].read_bytes()[:60])
    images = [drawings[0], tmp_path / "bad.png", "nowhere.png", drawings[1]]
    code, out, err = cli("predict", classifier, *images, "--skip-bad", "--json")
    said = json.loads(out)
    assert code == 1
    assert [row["input"] for row in said["answers"]] == [str(drawings[0]), str(drawings[1])]
    assert ["bad.png" in said["skipped"][0], "nowhere.png" in said["skipped"][1]] == [True, True]
    assert err.count("skipped: ") == 2
    code, out, _ = cli("predict", classifier, *drawings, "--skip-bad", "--csv")
    assert (code, len(out.splitlines())) == (0, 4)


def test_folders_and_standard_input_give_inputs(cli, classifier, drawings, tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    for i, path in enumerate(drawings):
        shutil.copy(path, tmp_path / "new" / f"{i}.png")
    plain = cli("predict", classifier, *sorted((tmp_path / "new").iterdir())).out
    assert cli("predict", classifier, tmp_path / "new").out == plain
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{p}\n" for p in sorted((tmp_path / "new").iterdir()))))
    assert cli("predict", classifier, "-").out == plain


def test_inputs_are_encoded_in_batches_not_all_at_once(classifier, drawings, monkeypatch):
    sizes = []
    encode = Images.encode

    def counted(self, items):
        sizes.append(len(items))
        return encode(self, items)

    monkeypatch.setattr(Images, "encode", counted)
    answers = load(classifier).answer([str(drawings[0])] * 200)
    next(answers)
    assert sizes == [64]
    assert len(list(answers)) == 199
    assert max(sizes) == 64
