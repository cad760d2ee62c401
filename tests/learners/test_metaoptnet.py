import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.svm import LinearSVC
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.learners import MetaOptNet
from quickstudy.learners.metaoptnet import kernel_of, shares
from quickstudy.nets import MLP, Conv4, Identity
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks

SIZES = pytest.mark.parametrize(("n", "d", "k"), [(6, 20, 3), (20, 4, 5), (25, 64, 5), (40, 30, 20)])
SCALES = pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])


def problem(n: int, d: int, k: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    y = torch.eye(k, dtype=torch.float64).repeat(n // k, 1)
    centres, noise = (torch.randn(rows, d, generator=draw, dtype=torch.float64) for rows in (k, n))
    return scale * (y @ centres + noise), y


def weights(x: Tensor, y: Tensor, cost: float) -> Tensor:
    return cost * x.T @ (y - shares(kernel_of(x, cost), y))


def primal(w: Tensor, x: Tensor, y: Tensor, cost: float) -> Tensor:
    scores = x @ w
    slacks = (scores + 1 - y).amax(-1) - (scores * y).sum(-1)
    return 0.5 * (w**2).sum() + cost * slacks.sum()


@SIZES
@SCALES
@pytest.mark.parametrize("cost", [0.1, 10.0])
def test_the_conditions_of_optimality_hold(n, d, k, scale, cost):
    x, y = problem(n, d, k, scale)
    b = shares(kernel_of(x, cost), y)
    assert b.min() > 0
    torch.testing.assert_close(b.sum(-1), torch.ones(n).double(), rtol=0, atol=1e-9)
    slope = kernel_of(x, cost) @ (b - y) + y
    assert (b * (slope - slope.amin(-1, keepdim=True))).max() < 1e-6  # a class with a share has the least slope


@SIZES
@SCALES
def test_the_loss_is_the_value_of_the_dual(n, d, k, scale):
    x, y = problem(n, d, k, scale)
    b = shares(kernel_of(x, 0.1), y)
    w = 0.1 * x.T @ (y - b)
    dual = 0.1 * ((1 - b) * y).sum() - 0.5 * (w**2).sum()  # the sum of alpha of the right classes
    torch.testing.assert_close(primal(w, x, y, 0.1), dual, rtol=1e-3, atol=1e-6)


@SIZES
def test_scikit_learn_finds_the_same_weights(n, d, k):
    x, y = problem(n, d, k)
    theirs = LinearSVC(C=0.1, multi_class="crammer_singer", fit_intercept=False, tol=1e-9, max_iter=1_000_000)
    theirs.fit(x.numpy(), y.argmax(-1).numpy())
    np.testing.assert_allclose(weights(x, y, 0.1).T.numpy(), theirs.coef_, rtol=0, atol=1e-5)


def test_scipy_finds_no_better_weights():
    x, y = problem(6, 2, 3)
    ours = weights(x, y, 0.7)
    rows = x.numpy()

    def margins(v: np.ndarray) -> np.ndarray:
        scores = rows @ v[:6].reshape(2, 3)
        return ((scores * y.numpy()).sum(1, keepdims=True) - scores - 1 + y.numpy() + v[6:, None]).ravel()

    start = np.concatenate([np.zeros(6), np.ones(6)])
    found = minimize(
        lambda v: 0.5 * v[:6] @ v[:6] + 0.7 * v[6:].sum(),
        start,
        method="SLSQP",
        constraints={"type": "ineq", "fun": margins},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    np.testing.assert_allclose(ours.numpy(), found.x[:6].reshape(2, 3), rtol=0, atol=1e-5)
    np.testing.assert_allclose(primal(ours, x, y, 0.7).item(), found.fun, rtol=1e-5)


@SCALES
def test_a_slack_of_weight_2_is_an_example_that_occurs_twice(scale):
    x, y = problem(6, 4, 3, scale)
    v = torch.tensor([2.0, 1, 1, 1, 1, 1]).double()
    moved = v[:, None] * x
    once = 0.7 * moved.T @ (y - shares(kernel_of(moved, 0.7), y, v))
    twice = weights(torch.cat([x, x[:1]]), torch.cat([y, y[:1]]), 0.7)
    torch.testing.assert_close(once, twice, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("n", "d", "k"), [(6, 10, 3), (12, 2, 3)])
def test_gradients_of_the_solution_are_those_of_finite_differences(n, d, k):
    x, y = problem(n, d, k)
    assert torch.autograd.gradcheck(lambda x: weights(x, y, 0.7), (x.requires_grad_(),), atol=1e-5)


def test_many_tasks_are_solved_together_as_one_by_one():
    tasks = [problem(12, 5, 3, scale) for scale in (0.1, 1.0, 10.0)]
    x, y = (torch.stack(parts) for parts in zip(*tasks, strict=True))
    together = torch.vmap(lambda x, y: weights(x, y, 0.1))(x, y)
    torch.testing.assert_close(together, torch.stack([weights(*task, 0.1) for task in tasks]), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("width", [4, 30])
def test_logits_are_scaled_products_with_the_weights(width):
    torch.manual_seed(0)
    learner = MetaOptNet(MLP(2, (width,), "tanh"), cost=2.0).double()
    with torch.no_grad():
        learner.scale.fill_(3.0)
    support, query = noise_tasks(learner).at(0)
    by_hand = 3 * learner.net(query.x) @ weights(learner.net(support.x), support.y, 2.0)
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-9, atol=1e-9)


def test_copies_of_an_example_and_features_of_zero_are_no_trouble():
    learner = MetaOptNet(Identity(3), cost=1.0)
    y = torch.eye(2).repeat(4, 1)
    for x in (torch.zeros(8, 3), torch.eye(2, 3).repeat(4, 1), torch.ones(8, 3)):
        assert torch.isfinite(learner.adapt(Examples(x, y))(torch.ones(2, 3))).all()


def test_mixed_precision_does_not_reach_the_solution():
    learner = MetaOptNet(MLP(2, (8,)))
    z, y, q = torch.randn(9, 8), torch.eye(3).repeat(3, 1), torch.randn(5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = learner.comparison(Examples(z, y))(q)
    assert torch.equal(mixed, learner.comparison(Examples(z, y))(q))


def test_the_weight_of_slacks_is_positive():
    with pytest.raises(SettingError, match="cost=0 is not positive"):
        MetaOptNet(MLP(2, (4,)), cost=0.0)


@pytest.mark.parametrize("net", [Conv4(size=16, width=4), MLP(2, (8,), "tanh")], ids=["images", "vectors"])
def test_it_keeps_the_laws(net):
    check_learner(MetaOptNet(net))
