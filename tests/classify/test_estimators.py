"""The scikit-learn face keeps scikit-learn's laws, and learns and forgets at any time."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from quickstudy import (
    MLP,
    ClassDataset,
    Conv4,
    FewShotClassifier,
    FewShotRegressor,
    Matching,
    Prototypical,
    Siamese,
    save,
)
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs.images import Images
from quickstudy.learners import LEARNERS
from quickstudy.tasks.glyphs import draw_glyphs
from tests.seen import seen

METRIC = [Prototypical, Matching, Siamese]


@pytest.fixture(scope="module")
def glyphs():
    data = draw_glyphs(range(4), 6)
    return data.x.numpy(), np.array(data.names)[data.y.numpy()]


def drawn(learner=Prototypical):
    torch.manual_seed(0)
    return FewShotClassifier(learner(seen(Conv4(width=4), draw_glyphs(range(4), 6).x / 255)).eval())


@pytest.mark.parametrize("estimator", [FewShotClassifier(), FewShotRegressor()], ids=lambda e: type(e).__name__)
def test_scikit_learns_own_checks_pass(estimator):
    check_estimator(estimator)


@pytest.mark.parametrize("labels", [["b", "a", "c"], [7, 3, 10], np.array([True, False, True])])
def test_labels_come_back_as_given(labels):
    X = np.eye(3)
    few = FewShotClassifier().fit(X, labels)
    assert list(few.predict(X)) == list(labels)
    assert few.predict(X).dtype == few.classes_.dtype == np.asarray(labels).dtype
    assert list(few.classes_) == sorted(set(np.asarray(labels).tolist()))


@pytest.mark.parametrize("X", [[[0.0], [1.0], [2.0]], [{"x": 0.0}, {"x": 1.0}, {"x": 2.0}]])
@pytest.mark.parametrize("kind", [list, lambda labels: np.array(labels, dtype=object)])
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["a", None, "b"], "label 1 is None, but others are strings; give labels of one type"),
        ([None, "a", "b"], "label 0 is None, but others are strings"),
        (["1", "a", 1], "label 2 is 1, but others are strings"),
        ([1, 2, None], "label 2 is None; give that input a class or leave it out"),
    ],
)
def test_labels_of_several_types_are_refused_in_one_line(X, kind, labels, says):
    with pytest.raises(DataError, match=says) as caught:
        FewShotClassifier().fit(X, kind(labels))
    assert "\n" not in str(caught.value)


def test_later_labels_are_of_the_type_of_the_first():
    few = FewShotClassifier().fit([[0.0], [1.0]], [1, 2])
    with pytest.raises(DataError, match="label 0 is 1, but others are strings; give labels of one type"):
        few.partial_fit([[2.0]], ["3"])
    assert few.partial_fit([[2.0]], [3]).classes_.tolist() == [1, 2, 3]


@pytest.mark.parametrize("learner", METRIC)
def test_piece_by_piece_is_all_at_once_in_any_order(glyphs, learner):
    X, y = glyphs
    rows = np.random.default_rng(0).permutation(len(X))
    whole = drawn(learner).fit(X, y)
    pieces = drawn(learner)
    for part in np.array_split(rows, 3):
        pieces.partial_fit(X[part], y[part])
    np.testing.assert_array_equal(whole.classes_, pieces.classes_)
    np.testing.assert_allclose(whole.predict_proba(X), pieces.predict_proba(X), atol=1e-4)


def test_the_first_examples_may_be_of_one_class_if_the_classes_are_given(glyphs):
    X, y = glyphs
    order = np.argsort(y, kind="stable")
    few = drawn()
    for label in np.unique(y):
        few.partial_fit(X[y == label], y[y == label], classes=np.unique(y))
        if label == y[order[0]]:
            with pytest.raises(SettingError, match=r"only examples of .* so far"):
                few.predict(X)
    np.testing.assert_array_equal(few.predict_proba(X), drawn().fit(X[order], y[order]).predict_proba(X))
    with pytest.raises(DataError, match="1 class is not a choice"):
        drawn().partial_fit(X[:1], y[:1])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.int64])
def test_tensors_of_any_number_type_are_features(kind):
    x = torch.tensor([[0, 4], [1, 5], [8, 0], [9, 1]])
    few = FewShotClassifier().fit(x.to(kind), list("aabb"))
    assert list(few.partial_fit(x.to(kind), list("aabb")).predict(x.to(kind))) == list("aabb")


def test_new_classes_join_and_leave(glyphs):
    X, y = glyphs
    first = np.isin(y, np.unique(y)[:2])
    few = drawn().fit(X[first], y[first])
    before = few.predict_proba(X)
    few.partial_fit(X[~first], y[~first])
    assert len(few.classes_) == 4
    for label in np.unique(y)[2:]:
        few.forget(label)
    np.testing.assert_allclose(few.predict_proba(X), before, atol=1e-6)
    with pytest.raises(SettingError, match="no class 'cow' to forget"):
        few.forget("cow")


def test_the_nearest_example_shown_is_oneself(glyphs):
    X, y = glyphs
    few = drawn().fit(X, y)
    distances, rows = few.kneighbors(X, 3)
    assert distances.shape == rows.shape == (len(X), 3)
    np.testing.assert_allclose(distances[:, 0], 0, atol=1e-3)
    np.testing.assert_array_equal(few.X_[rows[:, 0]], X)
    assert (np.diff(distances) >= 0).all()
    with pytest.raises(SettingError, match="n_neighbors=25 is more than the 24 examples"):
        few.kneighbors(X, 25)


def test_files_pictures_and_arrays_are_one(tmp_path, glyphs):
    X, y = glyphs
    few = drawn().fit(X, y)
    pictures = [Image.fromarray(255 - x[0]) for x in X]
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    files = [tmp_path / f"{i}.png" for i in range(len(X))]
    expected = few.predict_proba(pictures)
    np.testing.assert_array_equal(few.predict_proba(files), expected)
    np.testing.assert_array_equal(few.predict_proba([str(file) for file in files]), expected)
    np.testing.assert_array_equal(few.predict_proba(X[:, 0]), few.predict_proba(X))
    large = np.stack([np.asarray(picture.resize((60, 60))) for picture in pictures])
    assert few.predict(large).shape == (len(X),)


def pages(n_classes, n, side):
    """Dark drawings on light paper of some invented characters, as Pillow images, and their labels."""
    data = draw_glyphs(range(n_classes), n)
    pictures = [Image.fromarray(255 - x[0].numpy()).resize((side, side)) for x in data.x]
    return pictures, np.array(data.names)[data.y.numpy()]


FORMS = {
    "files": lambda arrays, files: files,
    "array of names": lambda arrays, files: np.array([str(file) for file in files]),
    "array of paths": lambda arrays, files: np.array(files),
    "array of names as objects": lambda arrays, files: np.array([str(file) for file in files], dtype=object),
    "Pillow": lambda arrays, files: [Image.fromarray(x) for x in arrays],
    "list": lambda arrays, files: list(arrays),
    "nested list": lambda arrays, files: arrays.tolist(),
    "stack": lambda arrays, files: arrays,
    "int64": lambda arrays, files: arrays.astype(np.int64),
    "int16": lambda arrays, files: list(arrays.astype(np.int16)),
    "0..255": lambda arrays, files: arrays.astype(np.float32),
    "0..1": lambda arrays, files: list(arrays / 255),
    "stack 0..1": lambda arrays, files: arrays / 255,
    "NHW1": lambda arrays, files: arrays[..., None],
    "N1HW": lambda arrays, files: arrays[:, None],
    "N1HW 0..1": lambda arrays, files: arrays[:, None] / 255,
    "N1HW int": lambda arrays, files: arrays[:, None].astype(int),
    "RGB": lambda arrays, files: np.repeat(arrays[..., None], 3, -1),
    "torch": lambda arrays, files: torch.from_numpy(arrays)[:, None],
    "torch list": lambda arrays, files: list(torch.from_numpy(arrays)[:, None] / 255),
}


@pytest.mark.slow
@pytest.mark.parametrize("side", [28, 40])
def test_a_picture_gives_the_same_answer_in_every_form(tmp_path, side):
    """Learned from files, asked in every form, and learned from every form, asked as files."""
    pictures, y = pages(3, 4, side)
    arrays = np.stack([np.asarray(picture) for picture in pictures])
    files = [tmp_path / f"{i}.png" for i in range(len(y))]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(file)
    known = np.arange(len(y)) % 4 < 2
    by_files = FewShotClassifier().fit([file for file, own in zip(files, known, strict=True) if own], y[known])
    expected = by_files.predict_proba(files)
    assert by_files.score(files, y) == 1
    for name, form in FORMS.items():
        X = form(arrays, files)
        np.testing.assert_array_equal(by_files.predict_proba(X), expected, name)
        own = [x for x, one in zip(X, known, strict=True) if one] if isinstance(X, list) else X[known]
        by_form = FewShotClassifier().fit(own, y[known])
        np.testing.assert_array_equal(by_form.predict_proba(files), expected, name)
        np.testing.assert_array_equal(by_form.kneighbors(X)[1], by_files.kneighbors(files)[1], name)


def test_a_blank_picture_is_named(tmp_path):
    pictures, y = pages(2, 2, 30)
    blank = Image.new("L", (30, 30), 255)
    with pytest.warns(UserWarning, match="^image 2: blank or of one colour, which shows no class; replace or remove$"):
        few = FewShotClassifier().fit([pictures[0], blank, *pictures[2:]], y)
    with pytest.warns(UserWarning, match="^image 1, image 3: blank or of one colour"):
        few.predict([blank, pictures[0], blank])


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ("one.png", r"one str is given, but a list of images is needed; write \[X\]"),
        ([], "the list holds no images; give at least one"),
        (["nowhere.png"], "'nowhere.png' cannot be read"),
        (np.zeros((2, 5)), r"'image 1' is an array of shape \(5,\)"),
        (np.full((2, 1, 30, 30), 700.0), r"'image 1' is an array of shape \(30, 30, 1\) and type float64.* 700 to 700"),
    ],
)
def test_what_are_no_images_is_told_in_one_line(glyphs, X, says):
    few = drawn().fit(*glyphs)
    with pytest.raises(DataError, match=says) as caught:
        few.predict(X)
    assert "\n" not in str(caught.value)


def test_each_entry_is_one_picture(tmp_path, glyphs):
    for folder in ("six", "zero"):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.fromarray(255 - glyphs[0][i, 0]).save(tmp_path / folder / f"{i}.png")
    folders = [str(tmp_path / "six"), str(tmp_path / "zero")]
    few = drawn().fit(*glyphs)
    for use in (few.predict, lambda X: few.fit(X, ["six", "zero"]), lambda X: few.partial_fit(X, ["six", "zero"])):
        with pytest.raises(DataError, match=r"six' is a folder, but each entry is one image; give its files$"):
            use(folders)


def test_each_string_is_one_sentence_whatever_files_exist(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "few.csv").write_text("text\nhello\nbye\n")
    X = ["hello", "few.csv", "see you", "folder", "typo.png"]
    few = FewShotClassifier().fit(X, [0, 1, 2, 3, 4])
    assert list(few.predict(X)) == [0, 1, 2, 3, 4]
    assert few.partial_fit(["few.csv"], [1]).kneighbors(["folder"])[1].tolist() == [[3]]


def test_labels_and_examples_are_as_many(glyphs):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        drawn().fit(glyphs[0], glyphs[1][:-1])


def test_in_a_pipeline_a_search_and_a_pickle(glyphs):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(c, 0.3, (12, 3)) for c in (0, 2, 4)])
    y = np.repeat(["a", "b", "c"], 12)
    pipeline = make_pipeline(StandardScaler(), FewShotClassifier())
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9
    nets = [Prototypical(MLP(3, (8,))).eval(), None]
    search = GridSearchCV(FewShotClassifier(), {"learner": nets}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    images = drawn().fit(*glyphs)
    again = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(again.predict_proba(glyphs[0]), images.predict_proba(glyphs[0]))
    fresh = clone(images)
    assert not hasattr(fresh, "classes_")
    np.testing.assert_array_equal(fresh.fit(*glyphs).predict_proba(glyphs[0]), images.predict_proba(glyphs[0]))


@pytest.mark.parametrize("name", ["maml", "reptile", "anil", "r2d2", "relation"])
def test_learners_of_other_families_fit_too(glyphs, name):
    torch.manual_seed(0)
    learner = LEARNERS[name]
    given = {"n_way": 5} if "n_way" in learner.__init__.__code__.co_varnames else {}
    few = FewShotClassifier(learner(seen(Conv4(width=4, pool=False)), **given).eval()).fit(*glyphs)
    np.testing.assert_allclose(few.predict_proba(glyphs[0]).sum(1), 1)


def test_a_folder_is_a_learner(tmp_path, glyphs):
    learner = drawn().learner
    save(learner, tmp_path / "model", Images())
    by_folder = FewShotClassifier(tmp_path / "model").fit(*glyphs)
    np.testing.assert_array_equal(by_folder.predict_proba(glyphs[0]), drawn().fit(*glyphs).predict_proba(glyphs[0]))
    with pytest.raises(ModelError, match=r"no model in 'nowhere'.*one of the names .*glyphs-proto"):
        FewShotClassifier("nowhere").fit(*glyphs)


def test_meta_fit_learns_to_learn(glyphs):
    train, new = draw_glyphs(range(10, 60), 10), draw_glyphs(range(100, 105), 10)
    x, y = new.x.numpy(), new.y.numpy()
    shown = np.arange(len(x)) % 10 < 1
    few = drawn()
    before = few.fit(x[shown], y[shown]).score(x[~shown], y[~shown])
    learner = few.learner
    after = few.meta_fit(train, steps=60, n_way=10).fit(x[shown], y[shown]).score(x[~shown], y[~shown])
    assert after > before
    assert few.learner is not learner
    with pytest.raises(SettingError, match="learner=None: meta_fit needs a learner to train"):
        FewShotClassifier().meta_fit(ClassDataset.from_labels(torch.zeros(4, 2), list("aabb")))


def test_images_leave_no_columns_of_an_earlier_fit(glyphs):
    few = FewShotClassifier().fit([[0.0], [1.0]], ["a", "b"])
    assert few.n_features_in_ == 1
    assert not hasattr(few.set_params(learner=drawn().learner).fit(*glyphs), "n_features_in_")


class Ids(torch.nn.Module):
    """Mean of the vectors of token ids."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.table, self.whole = torch.nn.Embedding(300, 4), whole

    def forward(self, x):
        return self.table(x.long() if self.whole else x).mean(1)


def test_a_net_of_token_ids_takes_whole_numbers_as_the_line_advises():
    X, y = np.array([[0, 1], [1, 0], [2, 299], [299, 3]]), [0, 0, 1, 1]
    with pytest.raises(DataError, match=r"Prototypical has an nn.Embedding, .* call x.long\(\) in its forward$"):
        FewShotClassifier(Prototypical(Ids(whole=False))).fit(X, y)
    net = Ids(whole=True)
    few, new = FewShotClassifier(Prototypical(net)).fit(X, y), torch.tensor([[2, 1], [299, 299]])
    expected = torch.cdist(net(new), net(torch.tensor(X))).sort().values
    np.testing.assert_allclose(few.kneighbors(new.numpy(), 4)[0], expected.detach(), atol=1e-5)
