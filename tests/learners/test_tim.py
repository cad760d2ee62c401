import pytest
import torch
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import TIM
from quickstudy.learners.tim import entropy
from quickstudy.nets import Conv4, Identity
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, peer, task


class ByCosine(TIM):
    """TIM with easyfsl's classifier: cosines in place of squared distances."""

    def logits(self, z, weights, y):
        return self.temperature * z @ F.normalize(weights, dim=-1).T

    def gradient(self, weights, z, y):
        support, query = Examples(z[: len(y)], y), z[len(y) :]
        return torch.func.grad(lambda w: self.objective(w, support, query))(weights)


def directed():
    torch.manual_seed(0)
    support, query = task()
    return Examples(F.normalize(support.x, dim=1), support.y), F.normalize(query.x, dim=1)


def test_the_loss_is_that_of_the_paper():
    (x, y), query = directed()
    learner = TIM(Identity(WIDTH), temperature=3.0, fit=0.2, balance=0.7, confidence=0.4)
    weights = torch.randn(5, WIDTH, dtype=torch.float64)
    known, p = (F.softmax(-1.5 * torch.cdist(z, weights) ** 2, 1) for z in (x, query))
    mean = p.mean(0)
    by_hand = -0.2 * (y * known.log()).sum(1).mean() + 0.7 * (mean * mean.log()).sum()
    by_hand = by_hand - 0.4 * (p * p.log()).sum(1).mean()
    torch.testing.assert_close(learner.objective(weights, Examples(x, y), query), by_hand)


def test_the_gradient_by_hand_is_that_of_autograd():
    support, query = directed()
    learner = TIM(Identity(WIDTH), temperature=3.0, fit=0.2, balance=0.7, confidence=0.4)
    weights = torch.randn(5, WIDTH, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(learner.objective(weights, support, query), weights)
    torch.testing.assert_close(learner.gradient(weights, torch.cat([support.x, query]), support.y), gradient)


@pytest.mark.parametrize("alternating", [True, False])
def test_steps_lower_the_loss(alternating):
    support, query = directed()
    learner = TIM(Identity(WIDTH), alternating=alternating, inner_lr=None if alternating else 0.01, test_steps=30)
    update = learner._alternated if alternating else learner._descended
    start = torch.stack([support.x[support.y[:, k] == 1].mean(0) for k in range(5)])
    before, after = (float(learner.objective(w, support, query)) for w in (start, update(start, support, query)))
    assert after < before - 0.01


def test_an_alternating_step_by_hand():
    (x, y), query = directed()
    learner = TIM(Identity(WIDTH), test_steps=1)
    w = torch.randn(5, WIDTH, dtype=torch.float64)
    known, p = (F.softmax(-7.5 * torch.cdist(z, w) ** 2, 1) for z in (x, query))
    q = p**1.1 / (p**1.1).sum(0).sqrt()
    q = q / q.sum(1, keepdim=True)
    ratio, new = len(x) / len(query), []
    for k in range(5):
        over = 0.1 / 1.1 * sum(y[i, k] * x[i] + known[i, k] * (w[k] - x[i]) for i in range(len(x)))
        over = over + ratio * sum(q[i, k] * query[i] + p[i, k] * (w[k] - query[i]) for i in range(len(query)))
        new.append(over / (0.1 / 1.1 * y[:, k].sum() + ratio * q[:, k].sum()))
    torch.testing.assert_close(learner._alternated(w, Examples(x, y), query), torch.stack(new))


def test_the_weight_of_the_mean_answer_is_the_assumption_of_balance():
    (x, y), query = directed()
    spread = [
        float(entropy(F.softmax(TIM(Identity(WIDTH), balance=b).double().adapt(Examples(x, y))(query[:9]), 1).mean(0)))
        for b in (0.0, 1.0)
    ]
    assert spread[0] < spread[1]


def test_easyfsl_descends_alike_with_its_classifier():
    support, query = task()
    theirs = peer("tim").TIM(fine_tuning_lr=0.01, feature_normalization=2.0, temperature=10.0)
    theirs.process_support_set(support.x, support.y.argmax(-1))
    settings = {"temperature": 10.0, "fit": 1.0, "balance": 1.0, "confidence": 0.1}
    ours = ByCosine(Identity(WIDTH), alternating=False, inner_lr=0.01, test_steps=50, **settings).double()
    answers = ours.adapt(support)(query.x) / 10
    torch.testing.assert_close(answers, theirs(query.x), rtol=1e-4, atol=1e-4)


def test_a_rate_that_does_nothing_is_refused():
    with pytest.raises(SettingError, match="inner_lr has no effect"):
        TIM(Identity(WIDTH), inner_lr=0.1)


@pytest.mark.parametrize("alternating", [True, False])
def test_it_keeps_the_laws(alternating):
    check_learner(TIM(Conv4(size=16, width=4), alternating=alternating, test_steps=2))
