"""A check reports what is wrong with labelled images, sentences and rows alike."""

import json

import pytest
import torch
from PIL import Image

import quickstudy as qs
from quickstudy import Classifier
from quickstudy.classify.advice import duplicates
from quickstudy.classify.check import report_of
from quickstudy.errors import DataError, ModelError
from quickstudy.inputs.photos import Photos
from quickstudy.models.folder import ModelFolder
from quickstudy.tasks.glyphs import draw_glyphs
from tests.classify.test_advice import IMAGES, clean, relabelled
from tests.inputs.test_photos import scene


def test_the_command_tells_what_to_do(tmp_path, cli):
    data, folder, later = clean(5), tmp_path / "mine", tmp_path / "later"
    later.mkdir()
    for i, c in enumerate(data.y.tolist()):
        (folder / data.names[c]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - data.x[i, 0].numpy()).save(folder / data.names[c] / f"{i}.png")
    assert cli("check", str(folder)).out.splitlines()[0] == "25 images of 5 classes"
    (folder / data.names[0] / "bad.png").write_bytes(b"no image")
    Image.fromarray(255 - data.x[20, 0].numpy()).save(folder / data.names[1] / "wrong.png")
    Image.fromarray(255 - data.x[3, 0].numpy()).save(later / "a.png")
    found = json.loads(cli("check", str(folder), "--unlabelled", str(later), "--json").out)
    assert "bad.png" in found["unreadable"][0]
    assert found["duplicates"][0]["exact"]
    assert found["suspects"][0]["input"].endswith("wrong.png") or found["duplicates"]
    assert found["label_next"] == [str(later / "a.png")]
    said = cli("check", str(folder))
    assert said.code == 0
    assert "the same image, so remove one" in said.out


def test_rows_are_checked_without_a_run(tmp_path):
    rows = ["1,red,a", "1.1,red,a", "0.9,red,a", "9,blue,b", "9.2,blue,b", "9,blue,b", "9.1,blue,a"]
    path = tmp_path / "stones.csv"
    path.write_text("\n".join(["width,colour,label", *rows]) + "\n")
    report = qs.check(path)
    assert (report.noun, report.examples) == ("row", {"a": 4, "b": 3})
    assert (f"{path} row 4", f"{path} row 6", True) in report.duplicates
    assert report.suspects[0][:3] == (f"{path} row 7", "a", "b")
    assert json.loads(json.dumps(report.summary()))["suspects"][0]["input"] == f"{path} row 7"
    assert not report.sound
    (tmp_path / "new.csv").write_text("width,colour\n5,red\n9,blue\n")
    named = qs.check(path, unlabelled=tmp_path / "new.csv", n=1).label_next
    assert named in ([f"{tmp_path / 'new.csv'} row 1"], [f"{tmp_path / 'new.csv'} row 2"])


def test_equal_rows_are_one_line_per_group(tmp_path, cli):
    path = tmp_path / "lots.csv"
    path.write_text("paid,label\n" + "yes,a\n" * 700 + "no,b\n" * 800)
    lines = [line for line in cli("check", path).out.splitlines() if line.startswith("the same row")]
    assert lines == [
        f"the same row 700 times, so leave one: {path} row 1, {path} row 2, {path} row 3 and 697 more",
        f"the same row 800 times, so leave one: {path} row 701, {path} row 702, {path} row 703 and 797 more",
    ]
    pairs = json.loads(cli("check", path, "--json").out)["duplicates"]
    assert len({pair["second"] for pair in pairs}) == len(pairs) == 1498


def test_a_label_in_two_spellings_is_told(tmp_path, cli):
    path = tmp_path / "stones.csv"
    path.write_text("width,label\n1,round\n1.1,Round\n9,long\n9.1,long\n")
    assert qs.check(path).spellings == [("Round", "round")]
    assert not qs.check(path).sound
    assert "one label? 'Round' and 'round' are different classes; spell them alike" in cli("check", str(path)).out
    assert json.loads(cli("check", str(path), "--json").out)["spellings"] == [["Round", "round"]]


def test_sentences_are_checked_without_a_run(tmp_path):
    pytest.importorskip("sentence_transformers")
    rows = ["will it rain,weather", "is a storm coming,weather", "will it rain,weather"]
    rows += ["book a table,food", "order a pizza,food", "what is for dinner,food", "is it sunny outside,food"]
    (tmp_path / "talk.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    report = qs.check(tmp_path / "talk.csv")
    assert ("will it rain", "will it rain", True) in report.duplicates
    assert report.suspects[0][:3] == ("is it sunny outside", "food", "weather")
    assert report.summary()["suspects"][0]["input"] == "is it sunny outside"


def test_what_cannot_be_checked_is_one_line(tmp_path):
    (tmp_path / "one.csv").write_text("width,label\n1,a\n2,a\n")
    with pytest.raises(DataError, match="has fewer than two classes with readable rows; add some"):
        qs.check(tmp_path / "one.csv")
    with pytest.raises(DataError, match="does not exist; give a folder of class folders, or a CSV"):
        qs.check(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no model in 'nowhere'"):
        qs.check(tmp_path / "one.csv", "nowhere")


def test_a_learner_that_answers_inputs_together_judges_no_example():
    data = relabelled(clean(0), 0, 3)
    net = ModelFolder("glyphs-proto").learner.net
    assert report_of(Classifier(qs.Prototypical(net), IMAGES, data)).suspects
    report = report_of(Classifier(qs.TIM(net), IMAGES, data))
    assert "labels are not checked, because TIM answers inputs together" in report.doubt
    assert "\n" not in report.doubt
    assert (report.suspects, report.confusable, report.sound) == ([], [], False)


def test_blank_images_and_files_left_out_are_faults(tmp_path, cli):
    data, folder = clean(2), tmp_path / "mine"
    for i, c in enumerate(data.y.tolist()):
        (folder / data.names[c]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - data.x[i, 0].numpy()).save(folder / data.names[c] / f"{i}.png")
    blank = folder / data.names[0] / "blank.png"
    Image.new("L", (50, 50), 200).save(blank)
    (folder / data.names[1] / "notes.txt").write_text("not an image")
    report = qs.check(folder)
    assert not report.sound
    assert report.blank == [str(blank)]
    assert report.left_out.endswith("left out, not images that can be read: 1 .txt (notes.txt)")
    result = cli("check", folder)
    assert f"blank or of one colour, so replace or remove it: {blank}" in result.out
    assert "1 .txt (notes.txt)" in result.out
    assert "nothing is wrong" not in result.out
    plain = json.loads(cli("check", folder, "--json").out)
    assert (plain["blank"], plain["left_out"]) == ([str(blank)], report.left_out)


def _again(path, to):
    """Save a picture at half its size, as JPEG of quality 60."""
    image = Image.open(path).convert("RGB")
    image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC).save(to, quality=60)


@pytest.mark.parametrize("look", ["photos", "drawings"])
def test_copies_are_found_when_resized_and_compressed_again(tmp_path, look):
    for k, label in enumerate("abc"):
        (tmp_path / label).mkdir()
        glyphs = draw_glyphs([910_000 + k], 4, size=105).x
        for i in range(4):
            picture = scene(4 * k + i) if look == "photos" else Image.fromarray(255 - glyphs[i, 0].numpy())
            picture.save(tmp_path / label / f"{i}.png")
        _again(tmp_path / label / "0.png", tmp_path / label / "again.jpg")
    expected = [tuple(str(tmp_path / label / name) for name in ("0.png", "again.jpg")) for label in "abc"]
    pairs = qs.check(tmp_path, look=look).duplicates
    assert [(first, second) for first, second, _ in pairs] == expected
    assert not any(exact for _, _, exact in pairs)


def test_features_of_pictures_are_compared_by_their_embeddings():
    x = torch.nn.functional.normalize(torch.randn(6, 1280, generator=torch.Generator().manual_seed(0)))
    x[1] = torch.nn.functional.normalize(x[0] + 1e-4, dim=0)
    few = Classifier(qs.R2D2(qs.Identity(1280)), Photos(), qs.ClassDataset.from_labels(x, list("aaabbb")))
    assert [(pair.first, pair.second, pair.exact) for pair in duplicates(few)] == [(0, 1, False)]
