"""Rows and columns are learned as what they are, and measured on all examples."""

import importlib
import warnings

import numpy as np
import pytest
import torch

from quickstudy import (
    MLP,
    FewShotClassifier,
    Prototypical,
)
from quickstudy.errors import DataError


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    pytest.importorskip(request.param)
    return importlib.import_module(request.param)


def rows(n=40):
    """Rows of a column of large noise and a decisive one, and their labels."""
    rng, y = np.random.default_rng(0), np.repeat(["a", "b"], n // 2)
    return {
        "noise": rng.normal(50_000, 10_000, n).tolist(),
        "decisive": ((y == "b") + rng.normal(0, 0.1, n)).tolist(),
    }, y


def test_a_frame_of_numbers_is_rows_with_column_names(frames):
    columns, y = rows()
    X = frames.DataFrame(columns)
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    few, by_records = FewShotClassifier().fit(X, y), FewShotClassifier().fit(records, y)
    assert few.score(X, y) == 1
    assert list(few.feature_names_in_) == list(columns)
    expected = by_records.predict_proba(records)
    for same in (X, records):
        np.testing.assert_array_equal(few.predict_proba(same), expected)
        np.testing.assert_array_equal(by_records.predict_proba(same), expected)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(few.predict_proba(np.stack(list(columns.values()), 1)), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        few.predict(X[["decisive", "noise"]])
    few.partial_fit(X, y)
    assert len(few.X_) == 2 * len(y)
    assert not hasattr(few.fit([[0.0], [1.0]], ["a", "b"]), "feature_names_in_")


def test_rows_in_any_pieces_are_measured_on_all_of_them():
    columns, y = rows()
    columns["colour"] = ["red", "blue", "green", "blue"] * 10
    X = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    whole, new = FewShotClassifier().fit(X, y), [{"noise": 40_000.0, "decisive": 0.4, "colour": "green"}]
    by_class, by_rows, larger = (FewShotClassifier() for _ in range(3))
    for label in "ba":  # the first class waits for the second
        by_class.partial_fit([row for row, own in zip(X, y, strict=True) if own == label], y[y == label], list("ab"))
    order = np.random.default_rng(0).permutation(len(X))
    for part in np.array_split(order, 13):  # first without the greens or the reds
        by_rows.partial_fit([X[i] for i in part], y[part], list("ab"))
    larger.fit([*X, {"noise": 1e6, "decisive": 8.0, "colour": "black"}], [*y, "c"]).forget("c")
    for few in (by_class, by_rows, larger):
        np.testing.assert_allclose(few.predict_proba(new), whole.predict_proba(new), rtol=1e-5)
        bounds = [next(each.classifier_.answer(new, coverage=0.8)).members for each in (few, whole)]
        assert bounds[0] == bounds[1]


def test_a_refused_change_leaves_the_estimator_as_it_was():
    few = FewShotClassifier().fit([{"x": 1.0}, {"x": 2.0}, {"x": 9.0}], ["a", "a", "b"])
    before = few.predict_proba([{"x": 4.0}])
    with pytest.raises(DataError, match="not a choice"):
        few.forget("b")
    with pytest.raises(DataError):
        few.partial_fit([{"x": "wide"}], ["b"])
    np.testing.assert_array_equal(few.predict_proba([{"x": 4.0}]), before)
    few.partial_fit([{"x": 8.0}], ["b"])
    assert len(few.X_) == len(few.items_) == 4


def test_a_frame_of_words_and_numbers_is_rows(frames):
    columns, y = rows()
    columns["colour"] = ["red" if label == "a" else None for label in y]
    X = frames.DataFrame(columns)
    assert FewShotClassifier().fit(X, frames.Series(y.tolist())).score(X, y) == 1
    words = X[["colour"]]
    assert FewShotClassifier().fit(words, y).score(words, y) == 1


def test_a_column_of_sentences_is_a_list_of_them(frames):
    pytest.importorskip("sentence_transformers")
    texts = ["where is my parcel", "has my package come", "I want my money back", "how do I get a refund"]
    df = frames.DataFrame({"text": texts, "label": ["parcel", "parcel", "refund", "refund"]})
    few = FewShotClassifier().fit(df["text"], df["label"])
    np.testing.assert_array_equal(few.predict_proba(df["text"]), few.predict_proba(texts))
    assert list(few.partial_fit(df["text"], df["label"]).predict(df["text"])) == df["label"].to_list()
    with pytest.raises(DataError, match=r"column 'text' holds texts, not categories; .*give df\['text'\]"):
        FewShotClassifier().fit(df[["text"]], df["label"])


def test_frames_and_read_only_arrays_are_learned_without_a_warning(frames):
    columns, y = rows()
    array = np.stack(list(columns.values()), 1)
    array.flags.writeable = False
    torch.manual_seed(0)
    for X, few in [
        (array, FewShotClassifier()),
        (frames.DataFrame(columns), FewShotClassifier()),
        (frames.DataFrame(columns), FewShotClassifier(Prototypical(MLP(2)).eval())),
    ]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert few.fit(X, y).predict(X).shape == y.shape
