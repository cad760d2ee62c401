import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian

from quickstudy.learners import IMAML
from quickstudy.learners.imaml import conjugate_gradient
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from tests.learners.by_hand import Params, inner_gradient, loss, meta_gradient, start


class Identity(nn.Module):
    """Under a linear head, a mean squared error is quadratic."""

    in_features = out_features = 3

    def forward(self, x: Tensor) -> Tensor:
        return x


def lines(**options: object) -> IMAML:
    torch.manual_seed(0)
    return IMAML(Identity(), 2, loss="mse", **options).double()


def curves(**options: object) -> IMAML:
    torch.manual_seed(0)
    return IMAML(MLP(1, (4, 4), "tanh"), 2, loss="mse", **options).double()


def images(**options: object) -> IMAML:
    torch.manual_seed(0)
    return IMAML(Conv4(size=16, width=2), 3, **options).double()


def images_learned_head(**options: object) -> IMAML:
    return images(learned_head=True, **options)


def vector(params: Params) -> Tensor:
    return torch.cat([p.flatten() for p in params.values()])


def tensors(learner: IMAML, w: Tensor) -> Params:
    parts = w.split([p.numel() for p in learner.model.parameters()])
    return {name: part.view_as(p) for (name, p), part in zip(learner.model.named_parameters(), parts, strict=True)}


def support_hessian(learner: IMAML, w: Tensor, support: Examples) -> Tensor:
    """Of the inner loss, a matrix."""
    scale = 1 if learner.loss == "mse" else support.y.shape[1]
    return hessian(lambda w: scale * loss(learner, tensors(learner, w), support, support), w)


def assert_meta_gradient(learner: IMAML, task: Task, expected: Tensor) -> None:
    """Equal to 1e-8 of the largest entry, where something is meta-learned."""
    kept = torch.cat([torch.full((p.numel(),), p.requires_grad) for p in learner.model.parameters()])
    ours = torch.cat([g.flatten() for g in meta_gradient(learner, task)])
    assert (ours - expected[kept]).abs().max() <= 1e-8 * expected.abs().max()


def test_on_a_quadratic_the_meta_gradient_is_that_of_the_minimum_in_closed_form():
    learner = lines(inner_lr=0.3, inner_steps=200, penalty=0.5, cg_steps=8, damping=0.0)
    support, query = noise_tasks(learner).at(0)
    theta = vector(start(learner)).detach().requires_grad_()
    h = support_hessian(learner, theta.detach(), support)
    zero = torch.zeros_like(theta).requires_grad_()
    linear = torch.autograd.grad(loss(learner, tensors(learner, zero), support, support), zero)[0]
    phi = torch.linalg.solve(h + 0.5 * torch.eye(8), 0.5 * theta - linear)  # where H phi + linear = 0.5 (theta - phi)
    value = loss(learner, tensors(learner, phi), support, query)
    torch.testing.assert_close(learner.meta_loss(Task(support, query)), value, rtol=1e-12, atol=0)
    assert_meta_gradient(learner, Task(support, query), torch.autograd.grad(value, theta)[0])


@pytest.mark.slow
@pytest.mark.parametrize("damping", [0.0, 20.0])
@pytest.mark.parametrize("make", [lines, curves, images, images_learned_head])
def test_the_meta_gradient_solves_the_implicit_equation_wherever_the_inner_loop_ends(make, damping):
    learner = make(inner_lr=0.02, inner_steps=3, penalty=30.0, cg_steps=60, damping=damping)
    support, query = noise_tasks(learner).at(0)
    theta = start(learner)
    phi = theta
    for _ in range(3):
        grads = inner_gradient(learner, phi, support, list(phi), create_graph=False)
        phi = {name: p - 0.02 * (grads[name] + 30 * (p - theta[name])) for name, p in phi.items()}
    w = vector(phi).detach().requires_grad_()
    value = loss(learner, tensors(learner, w), support, query)
    v = torch.autograd.grad(value, w)[0]
    h = support_hessian(learner, w.detach(), support)
    torch.testing.assert_close(learner.meta_loss(Task(support, query)), value, rtol=1e-12, atol=0)
    assert_meta_gradient(learner, Task(support, query), torch.linalg.solve(torch.eye(len(v)) + h / (30 + damping), v))


@pytest.mark.parametrize("make", [curves, images])
def test_the_value_of_the_meta_loss_is_the_loss_of_the_queries_after_adapting(make):
    learner = make()
    support, query = noise_tasks(learner).at(0)
    by_hand = learner.prediction_loss(learner.adapt(support)(query.x), query.y)
    torch.testing.assert_close(learner.meta_loss(Task(support, query)), by_hand, rtol=1e-12, atol=0)


@pytest.mark.parametrize("steps", [1, 2, 6, 20])
def test_conjugate_gradient_solves_as_many_numbers_as_it_has_steps(steps):
    draw = torch.Generator().manual_seed(0)
    a = torch.randn(6, 6, generator=draw, dtype=torch.float64)
    a = a @ a.T + torch.eye(6)
    b = torch.randn(6, generator=draw, dtype=torch.float64)

    def matrix(d: Params) -> Params:
        image = a @ torch.cat([d["x"].flatten(), d["y"]])
        return {"x": image[:4].view(2, 2), "y": image[4:]}

    x = conjugate_gradient(matrix, {"x": b[:4].view(2, 2), "y": b[4:]}, steps)
    found, exact = torch.cat([x["x"].flatten(), x["y"]]), torch.linalg.solve(a, b)
    krylov = torch.stack([torch.linalg.matrix_power(a, k) @ b for k in range(min(steps, 6))], 1)
    best = krylov @ torch.linalg.solve(krylov.T @ a @ krylov, krylov.T @ b)
    torch.testing.assert_close(found, best if steps < 6 else exact, rtol=1e-9, atol=1e-9)


def test_conjugate_gradient_of_nothing_is_nothing():
    zero = {"x": torch.zeros(2)}
    assert torch.equal(conjugate_gradient(lambda d: d, zero, 3)["x"], torch.zeros(2))


class Square(torch.autograd.Function):
    """Of the form that ``torch.func`` refuses."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        [x] = ctx.saved_tensors
        return 2 * x * gradient


class Squared(nn.Module):
    in_features, out_features = 1, 4

    def __init__(self, square):
        super().__init__()
        self.layer, self.square = nn.Linear(1, 4), square

    def forward(self, x):
        return self.square(self.layer(x))


def test_a_net_that_torch_func_refuses_has_the_same_gradient():
    gradients = []
    for square in (torch.square, Square.apply):
        torch.manual_seed(0)
        learner = IMAML(Squared(square), 2, loss="mse").double()
        gradients.append(meta_gradient(learner, noise_tasks(learner).at(0)))
    for expected, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)
        assert ours.abs().max() > 0
