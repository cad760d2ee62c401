"""The runs of Lake's challenge: what is in them, whatever they are packed in, and what is wrong in one line."""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.tasks.lake import LakeTrials
from quickstudy.tasks.omniglot import omniglot


def draw(path, seed):
    """Ink 0 on paper 255, 105x105, 1 bit, as Omniglot's."""
    page = np.random.default_rng(seed).random((15, 15)) < 0.3
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255) * ~page.repeat(7, 0).repeat(7, 1)).convert("1").save(path)


@pytest.fixture
def runs(tmp_path):
    """Three runs of four characters; each test drawing is its training drawing again."""
    folder = tmp_path / "all_runs"
    for r in range(1, 4):
        lines = []
        for i, c in enumerate(np.random.default_rng(r).permutation(4)):
            test, training = f"run{r:02d}/test/item{i + 1:02d}.png", f"run{r:02d}/training/class{c + 1:02d}.png"
            draw(folder / training, 10 * r + c)
            draw(folder / test, 10 * r + c)
            lines.append(f"{test} {training}\n")
        (folder / f"run{r:02d}" / "class_labels.txt").write_text("".join(lines))
    return folder


def packed(folder, inside=""):
    path = folder.parent / "all_runs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip([*a.support, *a.query], [*b.support, *b.query], strict=True))


def test_a_test_drawing_belongs_to_the_class_that_its_line_names(runs):
    trials = LakeTrials(runs)
    assert len(trials) == 3
    task = trials.sample(0, 3)
    assert task.support.x.shape == task.query.x.shape == (3, 4, 1, 28, 28)
    assert (task.support.x.amin(), task.support.x.amax()) == (0, 1)
    for support, query in (task.at(i) for i in range(3)):
        assert torch.equal(query.y @ support.x.flatten(1), query.x.flatten(1))


@pytest.mark.parametrize("inside", ["", "all_runs/"])
def test_an_archive_is_its_folder(runs, inside):
    expected = LakeTrials(runs).sample(0, 3)
    for place in (packed(runs, inside), runs.parent):
        assert same(LakeTrials(place).sample(0, 3), expected)
    shutil.rmtree(runs)
    assert same(LakeTrials(runs.parent).sample(0, 3), expected)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda runs: shutil.rmtree(runs), "no all_runs.zip in"),
        (lambda runs: (runs / "run01/class_labels.txt").unlink(), "run01/class_labels.txt is missing"),
        (lambda runs: (runs / "run02/test/item03.png").unlink(), "run02/test/item03.png is missing"),
        (lambda runs: (runs / "run02/training/class01.png").write_bytes(b"PNG"), "class01.png is not a readable PNG"),
        (
            lambda runs: (runs / "run03/class_labels.txt").write_text("one two three\n"),
            "does not have two names per line",
        ),
        (lambda runs: (runs / "run03/class_labels.txt").write_bytes(b"\xff\xfe"), "does not have two names per line"),
        (lambda runs: (runs / "run03/class_labels.txt").write_text(""), "does not have two names per line"),
        (
            lambda runs: (runs / "run01/class_labels.txt").write_text("../../etc/passwd run01/training/class01.png"),
            "../../etc/passwd is missing",
        ),
    ],
)
def test_what_is_wrong_is_one_line(runs, spoil, says):
    spoil(runs)
    with pytest.raises(DataError) as caught:
        LakeTrials(runs)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_one_line(runs):
    path = packed(runs)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cannot read .*all_runs.zip"):
        LakeTrials(path)


def test_a_perfect_copier_errs_never_and_the_command_says_so(cli, run, runs, tmp_path):
    out = tmp_path / "lake.json"
    code, printed, err = cli("evaluate", run, "--challenge", "lake", "--data-root", runs, "--out", out)
    assert (code, err) == (0, "")
    assert printed == ("Lake's challenge: error 0.00 ± 0.00 % over 3 runs of 4-way 1-shot, inductive (people 4.5 %)\n")
    assert '"error": 0.0' in out.read_text()
    known = cli("evaluate", "glyphs-proto", "--challenge", "lake", "--data-root", runs, "--views", 4, "--one-to-one")
    assert (known.code, known.err) == (0, "")
    assert known.out.endswith(", transductive, each character once (people 4.5 %)\n")


def test_another_challenge_is_refused(refused, run):
    assert "unknown challenge 'leak': did you mean 'lake'?" in refused("evaluate", run, "--challenge", "leak")


def test_shared_trials_made_of_background_alphabets_are_scored(cli, run, shared, tmp_path):
    """Twenty characters of one alphabet, one drawing each by one person for training and by another for the test."""
    import io

    with zipfile.ZipFile(shared / "images_background.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for r, alphabet in enumerate(("Braille", "Greek")):
            characters = sorted({name.rsplit("/", 1)[0] for name in names if f"/{alphabet}/" in name})[:20]
            lines = []
            for c, character in enumerate(characters):
                drawings = [name for name in names if name.startswith(character + "/")]
                for kind, drawing in (("training/class", drawings[3 + r]), ("test/item", drawings[11 + r])):
                    path = tmp_path / f"run{r + 1:02d}" / f"{kind}{c + 1:02d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.open(io.BytesIO(archive.read(drawing))).save(path)
                lines.append(f"run{r + 1:02d}/test/item{c + 1:02d}.png run{r + 1:02d}/training/class{c + 1:02d}.png")
            (tmp_path / f"run{r + 1:02d}" / "class_labels.txt").write_text("\n".join(lines))
    code, printed, _ = cli("evaluate", run, "--challenge", "lake", "--data-root", tmp_path)
    assert code == 0
    assert "over 2 runs of 20-way 1-shot" in printed


@pytest.mark.parametrize(("split", "alphabets"), [("small1", "Balinese"), ("small2", "Tagalog")])
def test_shared_minimal_sets_are_five_alphabets_and_no_validation(shared, split, alphabets):
    splits = omniglot(shared, split=split)
    trained = {name.split("/")[0] for name in splits.train.names}
    assert len(trained) == 5
    assert {"Greek", "Latin", alphabets} <= trained
    assert splits.validation.n_classes == 0
    assert splits.test.n_classes == 659
