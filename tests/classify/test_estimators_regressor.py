"""A regressor learns a function from a few of its points."""

import copy

import numpy as np
import pytest
import torch

from quickstudy import (
    MAML,
    MLP,
    R2D2,
    FewShotRegressor,
    Identity,
    Prototypical,
)
from quickstudy.errors import SettingError
from quickstudy.learners import Learner


def test_a_meta_learned_regressor_fits_points():
    learner = MAML(MLP(), 1, inner_lr=0.01, loss="mse").eval()
    X = np.linspace(-5, 5, 10)[:, None]
    few = FewShotRegressor(learner).fit(X, np.sin(X[:, 0]))
    assert few.predict(X).shape == (10,)
    with pytest.raises(SettingError, match="Prototypical is a classifier; give a learner with loss='mse'"):
        FewShotRegressor(Prototypical(MLP(1))).fit(X, X[:, 0])


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (5, 20), (1e-3, 2000), (1e4, -7)])
def test_units_and_origins_do_not_matter_to_the_default_regressor(scale, shift):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(scale=0.1, size=12)
    plain = FewShotRegressor().fit(X, y).predict(X)
    other = FewShotRegressor().fit(X * [1, scale, 1] + shift, scale * y + shift).predict(X * [1, scale, 1] + shift)
    np.testing.assert_allclose(other, scale * plain + shift, rtol=1e-6, atol=1e-6 * scale)


def test_a_line_is_learned_as_a_line():
    X = np.linspace(0, 1, 6)[:, None]
    predicted = FewShotRegressor().fit(X, 20 + 5 * X[:, 0]).predict([[0.0], [0.5], [1.0]])
    np.testing.assert_allclose(predicted, [20, 22.5, 25], atol=1e-3)


def test_each_fit_answers_by_its_own_learner():
    X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    linear = R2D2(Identity(1), loss="mse")
    fresh = {learner: FewShotRegressor(learner).fit(X, y).predict(X) for learner in (None, linear)}
    assert not np.allclose(fresh[None], fresh[linear])
    few = FewShotRegressor().fit(X, [0.0, 0.0, 9.0])
    for learner in (linear, None, linear):
        np.testing.assert_array_equal(few.set_params(learner=learner).fit(X, y).predict(X), fresh[learner])


class Nearest(Learner):
    """Answers with the value of the nearest point; it has no weights."""

    loss = "mse"

    def adapt(self, support):
        return lambda x: support.y[torch.cdist(x, support.x).argmin(-1)]

    def meta_loss(self, task):
        raise NotImplementedError


def test_a_regressor_answers_in_float64_whatever_its_weights():
    X, y = [[0.0], [1.0], [2.0]], [0.1, 0.2, 1 / 3]
    values = FewShotRegressor(Nearest()).fit(X, y).predict(X)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, y)
    torch.manual_seed(0)
    maml = MAML(MLP(1, (8,)), 1, loss="mse").eval()
    wide, narrow = (FewShotRegressor(m).fit(X, y).predict(X) for m in (maml, copy.deepcopy(maml).bfloat16()))
    assert narrow.dtype == wide.dtype == np.float64
    np.testing.assert_allclose(narrow, wide, atol=0.05)
