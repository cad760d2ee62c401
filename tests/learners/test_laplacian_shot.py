from itertools import pairwise

import torch
from torch.nn import functional as F

from quickstudy.learners import LaplacianShot, transductive
from quickstudy.learners.laplacian_shot import nearest, smoothed
from quickstudy.nets import Conv4, Identity
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, peer, task


def test_a_copy_is_a_neighbour_and_a_row_itself_is_not():
    affinity = nearest(torch.tensor([[0.0], [0.0], [1.0], [9.0]]), 2)
    assert affinity.diagonal().tolist() == [0.0] * 4
    assert affinity.sum(1).tolist() == [2.0] * 4
    assert affinity[0].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert nearest(torch.zeros(2, 1), 5).sum(1).tolist() == [1.0, 1.0]


def test_updates_lower_the_loss_whose_bound_they_minimise():
    torch.manual_seed(0)
    logits = torch.randn(9, 3, dtype=torch.float64)
    affinity = nearest(torch.randn(9, 2, dtype=torch.float64), 2)
    affinity = affinity + affinity.T  # the bound needs symmetric weights

    def loss(steps: int) -> float:
        y = smoothed(logits, affinity, 0.7, steps).softmax(-1)
        return float((y * y.log() - y * logits).sum() - 0.35 * (y * (affinity @ y)).sum())

    losses = [loss(steps) for steps in range(6)]
    assert all(after <= before + 1e-12 for before, after in pairwise(losses))


def test_without_smoothness_each_query_is_answered_alone():
    logits = torch.randn(4, 3)
    assert torch.equal(smoothed(logits, torch.ones(4, 4), 0.0, 3), logits)


def test_easyfsl_answers_alike_with_its_weights(monkeypatch):
    monkeypatch.setattr(transductive, "weights_by_class", lambda cosines, scale: (scale * cosines).exp())
    support, query = task()
    theirs = peer("laplacian_shot").LaplacianShot(
        inference_steps=200, knn=3, lambda_regularization=0.7, feature_normalization=2.0
    )
    theirs.process_support_set(support.x.float(), support.y.argmax(-1))
    ours = LaplacianShot(Identity(WIDTH), scale=1.0, test_steps=200).adapt(support._replace(x=support.x.float()))
    shares = F.softmax(ours(query.x.float()), -1)
    torch.testing.assert_close(shares, theirs(query.x.float()), rtol=1e-4, atol=1e-4)


def test_it_keeps_the_laws():
    check_learner(LaplacianShot(Conv4(size=16, width=4), test_steps=3))
