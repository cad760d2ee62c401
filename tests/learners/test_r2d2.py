import math
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.learners import LRD2, R2D2
from quickstudy.learners.balance import balance
from quickstudy.learners.r2d2 import logistic, ridge
from quickstudy.nets import MLP, Conv4, Identity
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import check_learner, noise_tasks

SHAPES = pytest.mark.parametrize(("n", "d"), [(4, 9), (9, 4), (5, 5)])


def problem(n: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=draw, dtype=torch.float64)
    return x, torch.eye(3, dtype=torch.float64).repeat(3, 1)[:n], torch.tensor(0.7, dtype=torch.float64)


@SHAPES
def test_the_ridge_solution_is_that_of_the_normal_equations(n, d):
    x, y, penalty = problem(n, d)
    w = ridge(x, y, penalty)
    torch.testing.assert_close(x.T @ (x @ w - y) + penalty * w, torch.zeros(d, 3).double(), rtol=0, atol=1e-13)


@SHAPES
def test_the_ridge_solution_is_a_least_squares_fit_to_the_rows_of_the_penalty_too(n, d):
    x, y, penalty = problem(n, d)
    rows = torch.cat([x, penalty.sqrt() * torch.eye(d).double()])
    by_hand = torch.linalg.lstsq(rows, torch.cat([y, torch.zeros(d, 3).double()])).solution
    torch.testing.assert_close(ridge(x, y, penalty), by_hand, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("solve", [ridge, lambda *of: logistic(*of, steps=3)])
@SHAPES
def test_gradients_of_a_solution_are_those_of_finite_differences(solve, n, d):
    x, y, penalty = problem(n, d)
    assert torch.autograd.gradcheck(lambda x, p: solve(x, y, p), (x.requires_grad_(), penalty.requires_grad_()))


@SHAPES
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_a_logistic_step_is_newtons(n, d, steps):
    x, y, penalty = problem(n, d)
    by_hand = torch.zeros(d, 3).double()
    for k in range(3):
        w = torch.zeros(d).double()
        for _ in range(steps):
            mu = (x @ w).sigmoid()
            gradient = x.T @ (mu - y[:, k]) + penalty * w
            hessian = x.T @ (x * (mu * (1 - mu))[:, None]) + penalty * torch.eye(d).double()
            w = w - torch.linalg.solve(hessian, gradient)
        by_hand[:, k] = w
    torch.testing.assert_close(logistic(x, y, penalty, steps), by_hand, rtol=1e-11, atol=1e-12)


@SHAPES
def test_newtons_steps_end_where_the_penalised_likelihood_is_flat(n, d):
    x, y, penalty = problem(n, d)
    w = logistic(x, y, penalty, 10)
    gradient = x.T @ ((x @ w).sigmoid() - y) + penalty * w
    torch.testing.assert_close(gradient, torch.zeros(d, 3).double(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("n", "d"), [(4, 9), (9, 4)])
def test_logistic_steps_stand_where_probabilities_are_0_or_1(n, d):
    x, y, penalty = problem(n, d)
    x = (1e3 * x).requires_grad_()
    w = logistic(x, y, penalty / 1e3, 5)
    w.sum().backward()
    assert torch.isfinite(w).all()
    assert torch.isfinite(x.grad).all()


def embedded(learner: R2D2, x: Tensor) -> Tensor:
    z = learner.net(x)
    return torch.cat([z, torch.ones(len(z), 1).double()], 1)


@pytest.mark.parametrize("width", [4, 30])
def test_logits_are_scaled_answers_of_the_regression_on_embeddings_and_a_one(width):
    torch.manual_seed(0)
    learner = R2D2(MLP(2, (width,), "tanh")).double()
    with torch.no_grad():
        for p, value in zip((learner.log_penalty, learner.scale, learner.bias), (0.3, 2.0, -1.0), strict=True):
            p.fill_(value)
    support, query = noise_tasks(learner).at(0)
    x = embedded(learner, support.x)
    w = torch.linalg.inv(x.T @ x + learner.log_penalty.exp() * torch.eye(width + 1).double()) @ x.T @ support.y
    by_hand = 2 * embedded(learner, query.x) @ w - 1
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-9, atol=1e-9)
    loss = F.cross_entropy(by_hand, query.y.argmax(-1))
    torch.testing.assert_close(learner.meta_loss(Task(support, query)), loss, rtol=1e-9, atol=0)


def test_lrd2_regresses_each_class_against_the_others():
    torch.manual_seed(0)
    learner = LRD2(MLP(2, (4,), "tanh"), inner_steps=3).double()
    support, query = noise_tasks(learner).at(0)
    w = logistic(embedded(learner, support.x), support.y, learner.log_penalty.exp(), 3)
    by_hand = learner.scale * embedded(learner, query.x) @ w + learner.bias
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-12, atol=1e-12)


def test_a_task_is_solved_when_it_is_learned_not_when_it_is_asked(monkeypatch):
    learner = LRD2(MLP(2, (4,))).double()
    support, query = noise_tasks(learner).at(0)
    predict = learner.adapt(support)
    monkeypatch.setattr(LRD2, "solve", None)
    assert predict(query.x).shape == query.y.shape


@pytest.mark.parametrize("make", [R2D2, LRD2])
@pytest.mark.parametrize("width", [4, 30])
def test_mixed_precision_does_not_reach_the_solution(make, width):
    learner = make(MLP(2, (width,)))
    z, y, q = torch.randn(9, width), torch.eye(3).repeat(3, 1), torch.randn(5, width)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = learner.comparison(Examples(z, y))(q)
    assert torch.equal(mixed, learner.comparison(Examples(z, y))(q))


@pytest.mark.parametrize("make", [R2D2, LRD2])
@pytest.mark.parametrize("n_features", [8, 64])  # the system of the features, and that of the examples
@pytest.mark.parametrize("offset", [0.0, 300.0, 3000.0])
def test_far_from_zero_single_precision_answers_as_double_does(make, n_features, offset):
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(5, n_features, generator=draw)
    y = torch.eye(5).repeat(8, 1)
    x = y @ centres + 0.25 * torch.randn(40, n_features, generator=draw) + offset
    single, double = make(Identity(n_features)), make(Identity(n_features)).double()
    answers = single.adapt(Examples(x[:25], y[:25]))(x[25:])
    assert answers.dtype == torch.float32
    assert torch.equal(answers.argmax(1), y[25:].argmax(1))
    expected = double.adapt(Examples(x[:25].double(), y[:25]))(x[25:].double())
    torch.testing.assert_close(answers, expected.float(), rtol=1e-5, atol=1e-5)


def test_real_targets_on_a_line_are_found():
    torch.manual_seed(0)
    learner = R2D2(MLP(1, (8,), "tanh"), loss="mse").double()
    with torch.no_grad():
        learner.log_penalty.fill_(-30.0)
    z = torch.linspace(-1, 1, 20).double()[:, None]
    y = 3 * learner.net(z)[:, :1] - 2
    torch.testing.assert_close(learner.adapt(Examples(z[::2], y[::2]))(z[1::2]), y[1::2], rtol=1e-4, atol=1e-4)


def test_penalty_scale_and_bias_of_real_targets_are_learned():
    torch.manual_seed(0)
    learner = R2D2(MLP(2, (8,), "tanh"), loss="mse").double()
    learner.meta_loss(noise_tasks(learner).at(0)).backward()
    assert all(p.grad.abs() > 0 for p in (learner.log_penalty, learner.scale, learner.bias))


@pytest.mark.parametrize(
    "learner",
    [
        R2D2(Conv4(size=16, width=4)),
        LRD2(Conv4(size=16, width=4)),
        R2D2(MLP(2, (8,), "tanh"), loss="mse"),
        R2D2(Conv4(size=16, width=4), mean_loss=True),
    ],
    ids=["ridge", "logistic", "regression", "mean"],
)
def test_they_keep_the_laws(learner):
    check_learner(learner)


def classes(*counts: int) -> Tensor:
    return torch.eye(len(counts), dtype=torch.float64).repeat_interleave(torch.tensor(counts), 0)


@pytest.mark.parametrize("n_features", [3, 40])
@pytest.mark.parametrize("counts", [(2, 3, 2), (3, 3, 3), (1, 4, 2), (1, 1, 5), (6, 0, 2), (1, 1)])
@pytest.mark.parametrize("learner", [R2D2, LRD2, partial(R2D2, loss="mse"), partial(R2D2, mean_loss=True)])
def test_leaving_an_example_out_is_learning_again_without_it(learner, counts, n_features):
    torch.manual_seed(0)
    ridge, n = learner(Identity(n_features)).double(), sum(counts)
    support = Examples(torch.randn(n, n_features, dtype=torch.float64), classes(*counts))
    query = torch.randn(4, n_features).double()
    again = [ridge.comparison(support.without(i)) for i in range(n)]
    own = torch.stack([compare(support.x[i : i + 1]) for i, compare in enumerate(again)])
    torch.testing.assert_close(ridge.left_out(support), own)
    torch.testing.assert_close(ridge.left_out(support, query), torch.stack([compare(query) for compare in again]))


def test_all_classes_weigh_as_much_as_the_harmonic_mean_of_their_counts():
    for counts in ((1, 5), (2, 3, 7), (4, 0, 8)):
        c = torch.tensor(counts, dtype=torch.float64)
        present = c > 0
        weigh = (balance(c) * c)[present]
        torch.testing.assert_close(weigh, (present.sum() / (1 / c[present]).sum()).expand_as(weigh))
    assert balance(torch.full((7,), 3.0)).tolist() == [1.0] * 7


@pytest.mark.parametrize("n_features", [4, 60])
def test_weights_are_those_of_repeated_examples(n_features):
    torch.manual_seed(0)
    x, y = torch.randn(5, n_features).double(), classes(2, 3)
    penalty, rows = torch.tensor(0.7).double(), [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]
    root = torch.tensor([3.0, 3, 2, 2, 2]).double().sqrt()[:, None]
    torch.testing.assert_close(ridge(root * x, root * y, penalty), ridge(x[rows], y[rows], penalty))
    torch.testing.assert_close(logistic(x, y, penalty, 4, root[:, 0].square()), logistic(x[rows], y[rows], penalty, 4))


def test_the_mean_loss_multiplies_the_penalty_by_the_number_of_examples():
    torch.manual_seed(0)
    learners = [R2D2(Identity(4), mean_loss=mean).double() for mean in (False, True)]
    support, query = noise_tasks(learners[0]).at(0)
    twice = Examples(support.x.repeat(2, 1), support.y.repeat(2, 1))
    summed, averaged = ([each.adapt(s)(query.x) for s in (support, twice)] for each in learners)
    assert not torch.allclose(summed[0], summed[1], rtol=0.01)
    torch.testing.assert_close(averaged[0], averaged[1])
    learners[0].log_penalty.data += math.log(len(support.y))
    torch.testing.assert_close(learners[0].adapt(support)(query.x), averaged[0])
