import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.learners import CosineBaseline
from quickstudy.nets import MLP, Conv4
from quickstudy.testing import check_learner, noise_tasks


def cosine_baseline(**options: object) -> CosineBaseline:
    torch.manual_seed(0)
    return CosineBaseline(MLP(8, (32,), "tanh"), 4, **options).double()


def cosines(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([torch.stack([u @ v / (u.norm() * v.norm()) for v in b]) for u in a])


def test_it_trains_on_scaled_cosines_to_a_weight_a_class():
    learner = cosine_baseline()
    support, query = task = noise_tasks(learner).at(0)
    z = learner.net(torch.cat([support.x, query.x]))
    logits = learner.head.log_scale.exp() * cosines(z, learner.head.weight)
    by_hand = F.cross_entropy(logits, torch.cat([support.y, query.y]).argmax(-1))
    torch.testing.assert_close(learner.meta_loss(task), by_hand, rtol=1e-12, atol=0)
    assert learner.head.log_scale.exp().item() == pytest.approx(10, rel=1e-6)


def test_without_a_step_the_new_head_is_the_mean_direction_of_each_class():
    learner = cosine_baseline(head_steps=0)
    support, query = noise_tasks(learner).at(0)
    z = learner.net(support.x)
    z = z / z.norm(dim=1, keepdim=True)
    means = torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(4)])
    by_hand = learner.head.log_scale.exp() * cosines(learner.net(query.x), means)
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-12, atol=1e-12)


def test_the_new_head_descends_the_cross_entropy_of_cosines_on_frozen_features():
    learner = cosine_baseline(head_lr=0.3, head_steps=4)
    support, query = noise_tasks(learner).at(0)
    scale, z = learner.head.log_scale.exp().detach(), learner.net(support.x).detach()
    unit = z / z.norm(dim=1, keepdim=True)
    weight = (support.y.T @ unit / 2).requires_grad_()
    for _ in range(4):
        loss = -((scale * cosines(z, weight)).log_softmax(-1) * support.y).sum(-1).mean()
        (gradient,) = torch.autograd.grad(loss, weight)
        weight = (weight - 0.3 * gradient).detach().requires_grad_()
    by_hand = scale * cosines(learner.net(query.x), weight)
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-12, atol=1e-12)


def test_the_length_of_features_does_not_matter():
    learner = cosine_baseline(head_steps=3)
    z = torch.randn(5, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(learner.head(z), learner.head(7 * z))


def test_it_keeps_the_laws():
    check_learner(CosineBaseline(Conv4(size=16, width=4), 3, head_steps=5))
