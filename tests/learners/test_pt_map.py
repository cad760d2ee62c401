import torch

from quickstudy.learners import PTMAP
from quickstudy.learners.pt_map import transport
from quickstudy.nets import Conv4, Identity
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, peer, task


def test_each_class_with_examples_takes_equally_many_queries():
    torch.manual_seed(0)
    cost = 10 * torch.rand(12, 4, dtype=torch.float64)
    shares = transport(cost, torch.tensor([True, True, False, True]))
    torch.testing.assert_close(shares.sum(0), torch.tensor([4.0, 4.0, 0.0, 4.0]).double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(shares.sum(1), torch.ones(12).double(), rtol=1e-4, atol=1e-4)
    # The plan is exp(-cost), with rows and columns scaled: cross ratios stay.
    ratio = shares[0, 0] * shares[1, 1] / (shares[0, 1] * shares[1, 0])
    torch.testing.assert_close(ratio.log(), -(cost[0, 0] + cost[1, 1] - cost[0, 1] - cost[1, 0]))


def test_costs_that_are_huge_are_transported_too():
    cost = torch.tensor([[1e4, 2e4], [3e4, 1e4]])
    assert transport(cost, torch.ones(2, dtype=torch.bool)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_move_goes_a_share_of_the_way_to_the_weighted_mean():
    support, query = task()
    learner = PTMAP(Identity(WIDTH), test_steps=1, centred=False).double()
    z, q = ((x + 1e-6) ** 0.5 for x in (support.x, query.x))
    means = torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(5)])
    everything = torch.ones(5, dtype=torch.bool)
    shares = torch.cat([support.y, transport(10 * torch.cdist(q, means) ** 2, everything)])
    means = means + 0.2 * (shares.T @ torch.cat([z, q]) / shares.sum(0)[:, None] - means)
    by_hand = transport(10 * torch.cdist(q, means) ** 2, everything)
    torch.testing.assert_close(learner.adapt(support)(query.x).exp(), by_hand, rtol=1e-6, atol=1e-6)


def test_easyfsl_answers_alike_without_centring():
    support, query = task()
    theirs = peer("pt_map").PTMAP()
    theirs.process_support_set(support.x.double(), support.y.argmax(-1))
    ours = PTMAP(Identity(WIDTH), centred=False).double().adapt(support)
    torch.testing.assert_close(ours(query.x).exp(), theirs(query.x), rtol=1e-4, atol=1e-4)


def test_it_keeps_the_laws():
    learner = PTMAP(Conv4(size=16, width=4), test_steps=1, strength=0.1)  # a low strength takes few iterations
    check_learner(learner)
