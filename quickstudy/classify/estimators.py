"""Estimators for scikit-learn: fit and predict from a few examples, in pipelines and searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data
from torch import Tensor, nn

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.edit import kind_of_values
from quickstudy.classify.learn import default_start, start_of
from quickstudy.classify.start import Start
from quickstudy.errors import DataError, SettingError, one_line
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item, native
from quickstudy.inputs.dataset import ClassDataset, sorted_classes
from quickstudy.inputs.frames import is_frame, rows_of
from quickstudy.inputs.images import Images
from quickstudy.learners import Learner, Prototypical
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity, input_shape
from quickstudy.nets.copies import copied
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.task import Examples
from quickstudy.training import train

_PENALTIES = np.logspace(-6, 3, 19)
"""Penalties of ridge regression to choose from, for standardised features."""


class _FewShot(BaseEstimator):  # type: ignore[misc]
    """Base class of both estimators: a learner, given as an object, a folder or a name."""

    learner: Learner | Path | str | None

    def meta_fit(
        self,
        data: ClassDataset,
        *,
        steps: int = 1000,
        n_way: int = 5,
        n_shot: int = 1,
        n_query: int = 5,
        seed: int = 0,
    ) -> Self:
        """Meta-train the learner on tasks from a data set of other classes; ``fit`` then starts from it.

        Args:
            data: Labelled examples of at least ``n_way`` classes.
            steps: Outer steps, of one task each.
            n_way: Classes of a training task.
            n_shot: Support examples per class.
            n_query: Query examples per class.
            seed: Seed of the tasks.

        Raises:
            SettingError: The estimator has no learner.
        """
        if (given := self._given()) is None:
            raise SettingError(
                "learner=None: meta_fit needs a learner to train; give one, such as Prototypical(Conv4())"
            )
        learner = copied(given)
        train(learner, Episodes(data, n_way, n_shot, n_query, seed=seed), steps=steps)
        return self.set_params(learner=learner.eval())  # type: ignore[no-any-return]

    def _given(self) -> Learner | None:
        if self.learner is None or isinstance(self.learner, Learner):
            return self.learner
        return ModelFolder(self.learner).learner


class FewShotClassifier(ClassifierMixin, _FewShot):  # type: ignore[misc]
    """Classifier that learns classes from a few examples of each, in milliseconds, and accepts more of them later.

    Args:
        learner: Name of a model that comes with quickstudy ("glyphs-proto": drawings and characters; "minilm-means":
            sentences), folder of a run, or a learner. If None, the examples decide: image files and Pillow images are
            learned by "glyphs-proto", sentences by "minilm-means". Rows with column names are standardised and
            compared with the mean of each class. Arrays (n, n_features) are compared with the mean of each class
            without standardisation; standardise them first.

    Attributes:
        classes_: Labels, sorted.
        classifier_: The underlying ``quickstudy.Classifier``.
        X_: Encoded examples so far.
        y_: Labels of the examples so far.

    Examples are whatever the learner's inputs take, and each entry of X is one. They may be sentences, rows (a list of
    dictionaries, or a data frame of pandas or polars) or arrays (n, n_features). A string is always a sentence if the
    learner takes sentences. Images may be file names, Pillow images, arrays or tensors of any size, in a list or in one
    array. A list may also be a column of a data frame.
    Their shape is (height, width), (height, width, 3) or (3, height, width). Whole numbers go from 0 to 255, real
    numbers from 0 to 1 or to 255. The same image gives the same answer in each of these forms.

    >>> X, y = [[0.0, 1.0], [0.2, 0.9], [5.0, 0.0]], ["cat", "cat", "dog"]
    >>> few = FewShotClassifier().fit(X, y)
    >>> few.predict([[4.0, 0.0]])
    array(['dog'], dtype='<U3')
    >>> few.partial_fit([[0.0, 9.0]], ["cow"]).predict([[0.0, 8.0]])
    array(['cow'], dtype='<U3')
    """

    def __init__(self, learner: Learner | Path | str | None = None) -> None:
        self.learner = learner

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from examples X with labels y; forget all earlier examples."""
        return self._fit(X, y)

    def _fit(self, X: Any, y: Any, *, alone: bool = False) -> Self:
        _check_labels(y)
        start = self._start(X)
        self._columns = None
        for name in ("n_features_in_", "feature_names_in_"):  # sentences and images have none
            self.__dict__.pop(name, None)
        if start is None or _are_numbers(start.inputs, X):
            X, y = validate_data(self, _as_array(X), y, dtype=np.float64)
            start = start or Start(self._given() or Prototypical(Identity(X.shape[1])), Arrays((X.shape[1],)))
        elif is_frame(X):
            X, y = validate_data(self, X, y, skip_check_array=True)  # for the names of its columns
            self._columns = [str(name) for name in X.columns]
        return self._learn(start, *_encoded(start.inputs, X), _labels(X, y), alone=alone)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Learn from more examples, of known or new classes, in addition to the earlier ones.

        Args:
            X: Examples.
            y: Labels of the examples.
            classes: Labels that will come, as in scikit-learn. With them, the first examples may be of one class; the
                estimator answers after it has examples of two. Only labels with examples are ever answers.
        """
        if not hasattr(self, "X_"):
            return self._fit(X, y, alone=classes is not None)
        _check_labels(self.y_, y)
        X = self._like_the_first(X)
        x, items = _encoded(self._begun.inputs, X)
        both = torch.cat([self.X_, x]), [*self.items_, *items], np.concatenate([self.y_, _labels(X, y)])
        return self._again(*both, alone=not hasattr(self, "classifier_"))

    def forget(self, label: Any) -> Self:
        """Forget a class and all of its examples.

        Raises:
            SettingError: The class is unknown.
        """
        check_is_fitted(self)
        rest = np.flatnonzero(self.y_ != label)
        if len(rest) == len(self.y_):
            raise SettingError(f"no class {label!r} to forget; give one of {', '.join(map(str, self.classes_))}")
        return self._again(self.X_[rest], [self.items_[i] for i in rest], self.y_[rest])

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each example."""
        best = self.predict_proba(X).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label, (n, n_classes), in the order of ``classes_``."""
        queries = self._validated(X)  # first, because it raises an error if the estimator is not fitted
        return self.classifier_.predict_proba(queries)

    def kneighbors(self, X: Any, n_neighbors: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Find the examples whose embeddings are nearest to that of each input.

        Returns:
            Euclidean distances between embeddings, and rows of ``X_`` and ``y_``, each (n, n_neighbors), nearest first.

        Raises:
            SettingError: There are fewer than ``n_neighbors`` examples.
        """
        queries, few = self._validated(X), self.classifier_
        if n_neighbors > len(self.X_):
            raise SettingError(f"n_neighbors={n_neighbors} is more than the {len(self.X_)} examples; lower it")
        known, new = (few.embed(few.taken(x)).cpu() for x in (self.X_, _encoded(few.inputs, queries)[0]))
        nearest = NearestNeighbors(n_neighbors=n_neighbors).fit(known)
        return nearest.kneighbors(new)  # type: ignore[no-any-return]

    def _validated(self, X: Any) -> Any:
        check_is_fitted(self)
        if not hasattr(self, "classifier_"):
            raise SettingError(f"only examples of {str(self.classes_[0])!r} so far; give examples of another class too")
        X, inputs = self._like_the_first(X), self.classifier_.inputs
        return X if inputs.has_shape(X) else inputs.items(X, singly=True)

    def _like_the_first(self, X: Any) -> Any:
        """Return later examples, checked against the first: numbers as an array, or as rows if those were a frame."""
        if _are_numbers(self._begun.inputs, X):
            X = validate_data(self, _as_array(X), reset=False, dtype=np.float64)
            return X if self._columns is None else [dict(zip(self._columns, row, strict=True)) for row in X]
        if is_frame(X) and self._columns is not None:
            validate_data(self, X, reset=False, skip_check_array=True)
        return X

    def _start(self, X: Any) -> Start | None:
        """Return the starting point of a fit; None if the examples are arrays of numbers."""
        if self.learner is None:
            return _default_start(X)
        if isinstance(self.learner, Learner):
            shape = input_shape(self.learner)
            images = Images(shape[0], shape[1], ink=shape[0] == 1) if shape is not None and len(shape) == 3 else None
            return None if images is None else Start(self.learner, images)
        model = ModelFolder(self.learner)
        return None if model.inputs is None else start_of(model)

    def _again(self, x: Tensor, items: Sequence[Item], y: np.ndarray, *, alone: bool = False) -> Self:
        """Learn from other examples than before; inputs that were fitted to those are fitted to these."""
        begun = self._begun.refitted(self.items_, items)
        x = x if begun is self._begun else begun.inputs.encode(items)
        return self._learn(begun, x, items, y, alone=alone)

    def _learn(self, begun: Start, x: Tensor, items: Sequence[Item], y: np.ndarray, *, alone: bool = False) -> Self:
        """Learn from encoded examples; ``alone`` accepts those of a single class, which wait for a second one."""
        check_classification_targets(y)
        classes, index = np.unique(y, return_inverse=True)
        if len(classes) > 1 or not alone:
            order = np.argsort(index, kind="stable")
            names = tuple(str(c) for c in classes)
            data = ClassDataset(x[order], torch.from_numpy(index[order]), names, tuple(items[i] for i in order))
            try:
                self.classifier_ = Classifier(begun.learner, begun.inputs, data, begun.confidence)
            except RuntimeError as error:
                if not any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in begun.learner.modules()):
                    raise
                raise DataError(
                    f"the net of {type(begun.learner).__name__} has an nn.Embedding, but an estimator gives it real "
                    f"numbers ({one_line(error, 90)}); call x.long() in its forward"
                ) from error
        self._begun, self.X_, self.y_, self.classes_, self.items_ = begun, x, y, classes, list(items)
        return self


def _default_start(X: Any) -> Start | None:
    """Return the starting point for the kind of the examples; None if they are numbers, or not a list of examples."""
    if isinstance(X, np.ndarray | Tensor) and (X.ndim > 2 or (X.ndim == 1 and str(X.dtype)[:2] in ("ob", "<U"))):
        X = list(X)
    elif is_frame(X):
        X = rows_of(X)
    elif hasattr(X, "to_list"):  # a column of a frame
        X = X.to_list()
    if not isinstance(X, Sequence) or isinstance(X, str | bytes) or not X:
        return None
    kind = kind_of_values(X)
    return None if kind is None else default_start(kind, [Item(f"{kind.noun} {i}", one) for i, one in enumerate(X, 1)])


def _as_array(X: Any) -> Any:
    """Return a tensor of numbers as one that NumPy can read, anything else as it is."""
    return X.detach().cpu().double() if isinstance(X, Tensor) and X.is_floating_point() else X


def _are_numbers(inputs: Inputs, X: Any) -> bool:
    """Return whether examples are an array (n, n_features), or lists of numbers, and not rows with names."""
    if isinstance(inputs, Arrays):
        return True
    if is_frame(X):
        return False
    if isinstance(X, Sequence) and not isinstance(X, str):
        return len(X) > 0 and isinstance(X[0], Sequence) and not isinstance(X[0], str) and np.ndim(X[0]) == 1
    return hasattr(X, "ndim") and X.ndim == 2


def _encoded(inputs: Inputs, X: Any) -> tuple[Tensor, list[Item]]:
    """Return examples as a tensor for the net, and as items."""
    if inputs.is_encoded(X):
        x = torch.as_tensor(native(X))
        return x, [Item(f"example {i}", row) for i, row in enumerate(x, 1)]
    items = inputs.items(X, singly=True)
    x = inputs.encode(items)
    inputs.warn_of_blank(x, [item.name for item in items])
    return x, items


def _check_labels(*parts: Any) -> None:
    """Refuse labels that an array does not hold unchanged, such as numbers beside strings, which become strings."""
    plain = [part.tolist() if isinstance(part, Tensor) else part for part in parts]
    sorted_classes([label for part in plain for label in column_or_1d(np.array(part, dtype=object))])


def _labels(X: Any, y: Any) -> np.ndarray:
    y = column_or_1d(y)
    check_consistent_length(X, y)
    labels: np.ndarray = np.asarray(y)
    return labels


class FewShotRegressor(RegressorMixin, _FewShot):  # type: ignore[misc]
    """Regressor that learns a function from a few of its points, by a learner meta-trained on similar functions.

    Args:
        learner: Folder of a run, or a learner with ``loss="mse"``. If None, ridge regression on standardised features
            and values, whose penalty is chosen by leave-one-out; so units and origins do not matter.

    >>> X, y = [[0.0], [1.0], [2.0]], [20.0, 25.0, 30.0]
    >>> FewShotRegressor().fit(X, y).predict([[3.0]]).round(2)
    array([35.])
    """

    def __init__(self, learner: Learner | Path | str | None = None) -> None:
        self.learner = learner

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from points X (n, n_features) with values y (n,) or (n, d)."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        if (given := self._given()) is None:
            ridge = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
            self.ridge_ = TransformedTargetRegressor(ridge, transformer=StandardScaler()).fit(X, y)
            self.learner_ = self.support_ = None  # those of an earlier fit
            return self
        learner = copied(given).eval()
        if learner.loss != "mse":
            raise SettingError(f"{type(learner).__name__} is a classifier; give a learner with loss='mse'")
        weight = next(learner.parameters(), torch.empty(0, dtype=torch.float64))
        self._flat = np.ndim(y) == 1
        support = Examples(torch.tensor(X).to(weight), torch.tensor(np.reshape(y, (len(X), -1))).to(weight))
        self.learner_, self.support_, self.ridge_ = learner, support, None
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the values (n,) or (n, d) at points X (n, n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        # A pickle of an earlier version has one kind of these attributes alone.
        learner, support = getattr(self, "learner_", None), getattr(self, "support_", None)
        if learner is None or support is None:
            return np.asarray(self.ridge_.predict(X))
        x = torch.tensor(X).to(support.x)
        with torch.no_grad():
            values: np.ndarray = learner.adapt(support)(x).double().cpu().numpy()
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
