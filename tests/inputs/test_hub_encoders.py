"""Text models as their own libraries save them: loaded by the real code, without a network, pickles or code."""

import json
import shutil
import socket

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import quickstudy as qs
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.encoders import sentence_encoder
from quickstudy.inputs.sentences import Sentences
from quickstudy.testing import check_inputs
from tests.inputs.tiny import changed, save_texts

transformers = pytest.importorskip("transformers")
pytest.importorskip("sentence_transformers")

NAMES = (
    "albert", "bert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "sentence-mpnet",
    "xlm-roberta",
)  # fmt: skip
TICKETS = [("where is my parcel", "post"), ("is my card on it", "bank"), ("order a pizza", "food")]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return save_texts(tmp_path_factory.mktemp("texts"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refused(*arguments, **named):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture
def tickets(tmp_path):
    path = tmp_path / "tickets.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in TICKETS))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_from_a_folder_to_answers(places, tickets, tmp_path, name):
    few = qs.adapt(tickets, out=tmp_path / "desk", encoder=str(places[name]))
    assert few.inputs.width == (24 if name == "distilbert" else 16)
    new = ["where is it", "a pizza please", "no card"]
    again = qs.load(tmp_path / "desk")
    sentence_encoder.__globals__["_made"].cache_clear()
    np.testing.assert_array_equal(again.predict_proba(new), few.predict_proba(new))
    assert json.loads((tmp_path / "desk" / "config.json").read_text())["inputs"]["sha256"] == few.inputs.sha256
    assert [again.predict([text])[0] for text, _ in TICKETS] == [label for _, label in TICKETS]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_any_length_is_read_to_its_end(places, name):
    encoder = sentence_encoder(str(places[name]))
    for n in (*range(35, 43), 61, 62, 63, 64):  # around the longest text that is read at once
        encoder(["pizza " * n])
    text = "the report goes on and on " * 20
    x = encoder([text + "where is my parcel", text + "order a pizza", "a", ""])
    torch.testing.assert_close(x[:3].norm(dim=1), torch.ones(3))
    assert not torch.allclose(x[0], x[1])
    assert max(n for _, n in encoder._parts(text)) <= encoder.most < 64


def test_features_are_the_means_over_word_pieces_of_the_model_itself(places):
    model = transformers.BertModel.from_pretrained(places["bert"]).eval()
    words = transformers.AutoTokenizer.from_pretrained(places["bert"])
    with torch.no_grad():
        expected = model(**words(["where is my parcel"], return_tensors="pt")).last_hidden_state.mean(1)
    torch.testing.assert_close(sentence_encoder(str(places["bert"]))(["where is my parcel"]), F.normalize(expected))


def test_sentences_by_another_encoder_keep_the_laws_of_inputs(places):
    some = Sentences.encoded_by(str(places["bert"]))
    check_inputs(some, some.items(["where is my parcel", "order a pizza", "will it rain"]), [qs.Item("odd", 3)])


@pytest.mark.parametrize("name", ["bert", "sentence-mpnet"])
def test_pickled_weights_are_refused(places, tmp_path, name):
    place = shutil.copytree(places[name], tmp_path / "model")
    (place / "model.safetensors").unlink()
    torch.save({}, place / "pytorch_model.bin")
    with pytest.raises(SettingError, match=r"pytorch_model.bin' are a pickle, which is code; choose") as caught:
        sentence_encoder(str(place))
    assert "\n" not in str(caught.value)


def test_a_pickle_in_a_module_is_refused(places, tmp_path):
    place = shutil.copytree(places["sentence-mpnet"], tmp_path / "model")
    modules = json.loads((place / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (place / "modules.json").write_text(json.dumps([*modules, dense]))
    (place / "2_Dense").mkdir()
    (place / "2_Dense" / "config.json").write_text('{"in_features": 16, "out_features": 4}')
    torch.save({}, place / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(SettingError, match="are a pickle"):
        sentence_encoder(str(place))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_config_that_asks_for_code_is_refused(places, tmp_path, file):
    place = shutil.copytree(places["bert"], tmp_path / "model")
    (place / "evil.py").write_text("raise SystemExit('code was run')")
    changed(place, file, auto_map={"AutoModel": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]})
    with pytest.raises(SettingError, match=rf"its {file} asks for code of the model, which is never run") as caught:
        sentence_encoder(str(place))
    assert "\n" not in str(caught.value)


def test_a_module_of_another_package_is_refused(places, tmp_path):
    place = shutil.copytree(places["sentence-mpnet"], tmp_path / "model")
    modules = json.loads((place / "modules.json").read_text())
    (place / "modules.json").write_text(json.dumps([{**modules[0], "type": "evil.Evil"}]))
    with pytest.raises(SettingError, match=r"asks for the code 'evil.Evil', which is never run"):
        sentence_encoder(str(place))


def test_other_weights_than_the_classifiers_are_refused(places, tickets, tmp_path):
    place = shutil.copytree(places["bert"], tmp_path / "model")
    qs.adapt(tickets, out=tmp_path / "desk", encoder=str(place))
    shutil.copy(places["roberta"] / "config.json", place / "config.json")
    shutil.copy(places["roberta"] / "model.safetensors", place / "model.safetensors")
    sentence_encoder.__globals__["_made"].cache_clear()
    with pytest.raises(ModelError, match=r"differ from those that this model was made with"):
        qs.load(tmp_path / "desk").predict(["where is it"])


def test_what_is_not_here_is_one_line():
    for name in ("nobody/nothing", "minlm", "../../nowhere", "a b", "x" * 500):
        with pytest.raises(SettingError, match=r"no encoder .*--download") as caught:
            sentence_encoder(name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600


def test_a_model_of_the_hub_has_its_revision(places, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--me--bert" / "snapshots" / ("5" * 40)
    shutil.copytree(places["bert"], snapshot)
    (tmp_path / "models--me--bert" / "refs").mkdir()
    (tmp_path / "models--me--bert" / "refs" / "main").write_text("5" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    some = Sentences.encoded_by("me/bert")
    assert (some.encoder, some.width, some.revision) == ("me/bert", 16, "5" * 40)
    assert some.sha256 == sentence_encoder(str(places["bert"])).sha256


def test_a_model_of_images_is_not_one_of_texts(places, tmp_path):
    t = transformers
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    t.Dinov2Model(t.Dinov2Config(**small)).save_pretrained(tmp_path / "dinov2")
    (tmp_path / "dinov2" / "preprocessor_config.json").write_text("{}")
    with pytest.raises(SettingError, match=r"of sentences: .* has no tokenizer; choose another"):
        sentence_encoder(str(tmp_path / "dinov2"))
    with pytest.raises(SettingError, match=r"of photos: .* has no preprocessor_config.json; choose another"):
        qs.photo_encoder(str(places["bert"]))


def test_the_cost_of_a_model_of_texts(places, cli):
    (row,) = json.loads(cli("encoders", str(places["bert"]), "--json").out)
    assert (row["inputs"], row["width"]) == ("sentences", 16)
