"""The encoder: long texts count to their end, and other languages than English are reported."""

import json
import random
import warnings
from pathlib import Path

import pytest
import torch

from quickstudy.inputs import minilm
from quickstudy.inputs.encoders import sentence_encoder
from tests.inputs.languages import ENGLISH, OTHERS

pytest.importorskip("sentence_transformers")
CLINC = Path(__file__).parents[3] / "shared" / "data" / "clinc150" / "data_full.json"
FILLER = "the report goes on about matters of no interest to anyone at all and "


def share(texts):
    return minilm._unknown_share(sentence_encoder().pieces(texts))


def test_short_texts_are_embedded_as_by_the_model_itself():
    whole = sentence_encoder().net.encode(ENGLISH, convert_to_tensor=True, normalize_embeddings=True)
    assert torch.equal(sentence_encoder()(ENGLISH), whole)
    long = FILLER * 40
    assert torch.equal(sentence_encoder()([*ENGLISH[:5], long, *ENGLISH[5:]])[[*range(5), *range(6, 27)]], whole)


def test_the_end_of_a_long_text_matters():
    parcel, rain = (FILLER * 30 + end for end in (" where is my parcel " * 60, " will it rain tomorrow " * 60))
    x = sentence_encoder()([parcel, rain, "where is my parcel", "will it rain tomorrow"])
    torch.testing.assert_close(x.norm(dim=1), torch.ones(4))
    alike = x @ x.T
    assert alike[0, 1] < 0.9
    assert alike[0, 2] > alike[0, 3] + 0.1
    assert alike[1, 3] > alike[1, 2] + 0.1


LONG = [pytest.param(unit, marks=pytest.mark.slow) for unit in ("包裹", "한글 ", "a-b_c/")]  # of many word pieces


@pytest.mark.parametrize("unit", ["word ", "Weltraumbahnhof", "🙂", "x", *LONG])
def test_every_part_of_a_long_text_is_read_whole(unit):
    model, text = sentence_encoder(), (unit * 10_000)[:10_000]
    parts = model._parts(text)
    assert "".join(part for part, _ in parts).strip() == text.strip()
    assert max(n for _, n in parts) <= 254
    assert [n for _, n in parts] == model.length([part for part, _ in parts])
    x = sentence_encoder()([text])
    assert float(x.norm()) == pytest.approx(1)


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_is_reported_once(language):
    with pytest.warns(UserWarning, match="more than a third of the words are not in the vocabulary of the enc") as seen:
        sentence_encoder()(OTHERS[language])
    assert len(seen) == 1
    assert share(OTHERS[language]) > 0.45


def test_english_is_quiet():
    assert share(ENGLISH) < 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sentence_encoder()([*ENGLISH, "Despacito", "☃"])


@pytest.mark.skipif(not CLINC.exists(), reason="CLINC150 is not here")
def test_less_than_one_in_a_hundred_english_sentences_is_taken_for_another_language():
    rows = json.loads(CLINC.read_bytes())
    texts = [text for part in ("train", "val", "test") for text, _ in rows[part]]
    pieces = sentence_encoder().pieces(texts)
    draw = random.Random(0)
    alone = [minilm._unknown_share([one]) > minilm._MOST_UNKNOWN for one in pieces]
    assert sum(alone) < 0.01 * len(alone)
    sets = [minilm._unknown_share(draw.sample(pieces, 5)) for _ in range(5000)]
    assert max(sets) < minilm._MOST_UNKNOWN
