import pytest
import torch

from quickstudy.learners import Prototypical
from quickstudy.nets import MLP
from quickstudy.runs.outer_rate import optimizer_of
from quickstudy.runs.settings import complete


def stepped(**settings):
    """Return all weights before and after two steps along a gradient of ones."""
    torch.manual_seed(0)
    learner = Prototypical(MLP(2, (3,)))
    weights = torch.nn.utils.parameters_to_vector(learner.parameters()).detach()
    optimizer = optimizer_of(complete(settings), learner)
    for _ in range(2):
        for p in learner.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
    return weights, torch.nn.utils.parameters_to_vector(learner.parameters()).detach()


def test_decay_of_adam_is_the_rate_times_the_weight_whatever_the_gradient():
    w, plain = stepped(outer_lr=0.1, optimizer="adam")
    _, decayed = stepped(outer_lr=0.1, optimizer="adam", weight_decay=0.5)
    first = w - plain  # both steps of the gradient
    assert torch.allclose(decayed, 0.95 * (0.95 * w - first / 2) - first / 2, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_has_nesterovs_momentum_and_decays_by_the_gradient(momentum):
    w, after = stepped(outer_lr=0.1, optimizer="sgd", momentum=momentum, weight_decay=0.5)
    velocity = torch.zeros_like(w)
    for _ in range(2):
        g = 1 + 0.5 * w
        velocity = momentum * velocity + g
        w = w - 0.1 * (g + momentum * velocity)
    assert torch.allclose(after, w, atol=1e-6)
