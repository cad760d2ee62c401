"""The scikit-learn face: fit and predict from a few examples, in pipelines and searches."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data
from torch import Tensor

from quickstudy.classify.classifier import Classifier, confidence, image_format
from quickstudy.classify.confidence import Confidence
from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import ImageFormat, read_image, to_format
from quickstudy.learners import R2D2, Learner, Prototypical
from quickstudy.models.build import load
from quickstudy.nets import Identity, input_shape
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.task import Examples
from quickstudy.training import train


class _Meant(NamedTuple):
    """The learner, if one is given, what it brings images of files to, and how far to believe it."""

    learner: Learner | None
    images: ImageFormat | None = None
    confidence: Confidence | None = None


class _FewShot(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: a learner by name, folder or itself, and inputs as it takes them."""

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
        """Meta-train the learner on tasks cut from a data set of other classes; ``fit`` then starts from it.

        Args:
            data: Labelled examples of at least ``n_way`` classes.
            steps: Outer steps, of one task each.
            n_way: Classes of a training task.
            n_shot: Support examples of each.
            n_query: Query examples of each.
            seed: Of the tasks.
        """
        learner = copy.deepcopy(self._meant().learner)
        if learner is None:
            raise SettingError("meta_fit trains a learner, and none was given; give one, such as Prototypical(Conv4())")
        train(learner, Episodes(data, n_way, n_shot, n_query, seed=seed), steps=steps)
        return self.set_params(learner=learner.eval())  # type: ignore[no-any-return]

    def _meant(self) -> _Meant:
        if isinstance(self.learner, Learner):
            shape = input_shape(self.learner)
            drawn = shape is not None and len(shape) == 3
            return _Meant(self.learner, ImageFormat(shape[0], shape[1], ink=shape[0] == 1) if drawn and shape else None)
        if self.learner is None:
            return _Meant(None)
        return _Meant(load(self.learner), image_format(self.learner), confidence(self.learner))

    def _inputs(self, X: Any, images: ImageFormat | None) -> Tensor:
        """Inputs as the learner takes them: (n, channels, size, size) or (n, d)."""
        x = validate_data(self, X, reset=False, dtype=np.float64) if images is None else _pictures(X, images)
        return torch.tensor(x)


def _pictures(X: Any, format: ImageFormat) -> np.ndarray:
    """Paths, Pillow's images or arrays as (n, channels, size, size)."""
    if isinstance(X, str | Path | Image.Image):
        raise DataError(f"X is one {type(X).__name__}, but a list of them is needed; write [X]")
    want = (format.channels, format.size, format.size)
    if isinstance(X, np.ndarray | Tensor) and X.dtype != object:
        x = np.asarray(X)
        if x.shape[1:] == want:
            return x
        if x.ndim == 3 and format.channels == 1 and x.shape[1:] == want[1:]:
            return x[:, None]
        if x.dtype != np.uint8 or x.ndim not in (3, 4):
            raise DataError(
                f"images of shape {x.shape} and type {x.dtype}; give {('n', *want)}, uint8 images of any size as "
                f"(n, height, width) or (n, height, width, 3), or a list of files"
            )
        X = [Image.fromarray(one) for one in x]
    if len(X) == 0:
        raise DataError("X has no images; give at least one")
    return np.stack([_picture(one, format) for one in X])


def _picture(one: Any, format: ImageFormat) -> np.ndarray:
    if isinstance(one, Image.Image):
        return to_format(one, format)
    if isinstance(one, str | Path):
        return read_image(Path(one), format)
    return to_format(Image.fromarray(np.asarray(one)), format)


class FewShotClassifier(ClassifierMixin, _FewShot):  # type: ignore[misc]
    """Learns classes from a few examples of each, in milliseconds; takes more of them, and new classes, at any time.

    Args:
        learner: Name of a model that comes with quickstudy ("glyphs-proto": drawings and characters), folder of a run,
            or a learner. None takes the nearest class mean of a table's rows, without meta-training; standardise them
            first.

    Attributes:
        classes_: Labels, sorted.
        classifier_: The ``quickstudy.Classifier`` behind.
        X_: Examples shown so far, as the learner takes them.
        y_: Their labels.

    Images are file names, Pillow's images, or arrays: (n, channels, size, size) as the learner takes them, or uint8
    (n, height, width) or (n, height, width, 3) of any size. Tables are (n, n_features).

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
        """Learn from examples X with labels y, and from nothing before them."""
        return self._show(X, y, first=True)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Learn from more examples, of classes known or new, beside those before.

        Args:
            X: Examples.
            y: Their labels.
            classes: Not used; scikit-learn's signature.
        """
        return self._show(X, y, first=not hasattr(self, "X_"))

    def forget(self, label: Any) -> Self:
        """Forget a class and all of its examples.

        Raises:
            SettingError: It is not known.
        """
        check_is_fitted(self)
        keep = self.y_ != label
        if keep.all():
            raise SettingError(f"no class {label!r} to forget; there are {', '.join(map(str, self.classes_))}")
        return self._learn(self._before, self.X_[torch.from_numpy(keep)], self.y_[keep])

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each example."""
        best = self.predict_proba(X).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each label, (n, n_classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(self._inputs(X, self.classifier_.images))

    def kneighbors(
        self,
        X: Any,
        n_neighbors: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The examples shown, ``X_`` and ``y_``, that lie nearest to each input as the learner's net sees them.

        Returns:
            Euclidean distances between embeddings, and rows, each (n, n_neighbors), nearest first.
        """
        check_is_fitted(self)
        if n_neighbors > len(self.X_):
            raise SettingError(f"n_neighbors={n_neighbors} of {len(self.X_)} examples shown; lower it")
        few = self.classifier_
        shown, asked = (few.embed(few.inputs(x)).cpu() for x in (self.X_, self._inputs(X, few.images)))
        nearest = NearestNeighbors(n_neighbors=n_neighbors).fit(shown)
        return nearest.kneighbors(asked)  # type: ignore[no-any-return]

    def _show(self, X: Any, y: Any, *, first: bool) -> Self:
        meant = self._meant() if first else self._before
        if meant.images is None:
            X, y = validate_data(self, X, y, reset=first, dtype=np.float64)
        else:
            X, y = _pictures(X, meant.images), column_or_1d(y)
            check_consistent_length(X, y)
        check_classification_targets(y)
        x = torch.tensor(X)
        if not first:
            x, y = torch.cat([self.X_, x]), np.concatenate([self.y_, y])
        return self._learn(meant, x, y)

    @property
    def _before(self) -> _Meant:
        return _Meant(self.classifier_.learner, self.classifier_.images, self.classifier_.confidence)

    def _learn(self, meant: _Meant, x: Tensor, y: np.ndarray) -> Self:
        learner = meant.learner or Prototypical(Identity(x.shape[1]))
        classes, index = np.unique(y, return_inverse=True)
        names = [str(c) for c in classes]
        order = np.argsort(index, kind="stable")
        data = ClassDataset(x[torch.from_numpy(order)], torch.from_numpy(index[order]), tuple(names))
        self.classifier_ = Classifier(learner, data, meant.images, meant.confidence)
        self.X_, self.y_, self.classes_ = x, y, classes
        return self


class FewShotRegressor(RegressorMixin, _FewShot):  # type: ignore[misc]
    """Learns a function from a few of its points, by a learner meta-trained on others like it.

    Args:
        learner: Folder of a run, or a learner with ``loss="mse"``. None is ridge regression (see ``R2D2``).

    >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]
    >>> FewShotRegressor().fit(X, y).predict([[1.0]]).shape
    (1,)
    """

    def __init__(self, learner: Learner | Path | str | None = None) -> None:
        self.learner = learner

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from points X (n, n_features) with values y (n,) or (n, d)."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        learner = copy.deepcopy(self._meant().learner or R2D2(Identity(X.shape[1]), loss="mse").double()).eval()
        if learner.loss != "mse":
            raise SettingError(f"{type(learner).__name__} classifies; give a learner with loss='mse'")
        weight = next(learner.parameters())
        self._flat = np.ndim(y) == 1
        support = Examples(torch.tensor(X).to(weight), torch.tensor(np.reshape(y, (len(X), -1))).to(weight))
        self.learner_, self.support_ = learner, support
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Values (n,) or (n, d) at points X (n, n_features)."""
        check_is_fitted(self)
        x = self._inputs(X, None).to(self.support_.x)
        with torch.no_grad():
            values: np.ndarray = self.learner_.adapt(self.support_)(x).numpy()
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
