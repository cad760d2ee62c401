import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import SettingError
from quickstudy.learners import Prototypical
from quickstudy.learners.base import prototypes
from quickstudy.learners.metric import nearest_mean, squared_distances
from quickstudy.nets import MLP, Conv4, apply, record_population
from quickstudy.tasks.task import Examples, one_hot
from quickstudy.testing import noise_tasks


@pytest.fixture
def learner() -> Prototypical:
    torch.manual_seed(0)
    return Prototypical(MLP(2, (6,), "tanh")).double()


def test_logits_are_minus_squared_euclidean_distances_to_class_means(learner):
    support, query = noise_tasks(learner).at(0)
    z, q = learner.net(support.x), learner.net(query.x)
    means = torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(5)])
    torch.testing.assert_close(learner.adapt(support)(query.x), -(torch.cdist(q, means) ** 2), rtol=1e-10, atol=1e-10)


def test_the_meta_loss_is_the_cross_entropy_of_minus_distances_under_common_statistics():
    torch.manual_seed(0)
    learner = Prototypical(Conv4(size=16, width=4)).double()
    support, query = noise_tasks(learner).at(0)
    z = apply(learner.net, torch.cat([support.x, query.x]), statistics="batch")
    means = z[:10].view(2, 5, -1).mean(0)
    by_hand = torch.nn.functional.cross_entropy(-(torch.cdist(z[10:], means) ** 2), query.y.argmax(-1))
    torch.testing.assert_close(learner.meta_loss(noise_tasks(learner).at(0)), by_hand, rtol=1e-8, atol=0)


def test_inference_takes_the_population_that_was_observed():
    torch.manual_seed(0)
    learner = Prototypical(Conv4(size=16, width=4)).double()
    support, query = noise_tasks(learner).at(0)
    with pytest.raises(SettingError, match="no population statistics yet"):
        learner.adapt(support)(query.x)
    learner.observe(query.x)
    net = Conv4(size=16, width=4).double()
    net.load_state_dict(learner.net.state_dict())
    record_population(net, query.x)
    net.eval()
    z, q = net(support.x).view(2, 5, -1).mean(0), net(query.x)
    after = learner.adapt(support)(query.x)
    torch.testing.assert_close(after, -(torch.cdist(q, z) ** 2), rtol=1e-8, atol=1e-8)


def test_transductive_predictions_use_the_whole_batch():
    learners = [Prototypical(Conv4(size=16, width=4), transductive=t).double() for t in (False, True)]
    learners[1].load_state_dict(learners[0].state_dict())
    support, query = noise_tasks(learners[0]).at(0)
    learners[0].observe(support.x)
    learners[1].observe(support.x)
    inductive, transductive = (learner.adapt(support)(query.x) for learner in learners)
    z = apply(learners[1].net, torch.cat([support.x, query.x]), statistics="batch")
    by_hand = -(torch.cdist(z[10:], z[:10].view(2, 5, -1).mean(0)) ** 2)
    torch.testing.assert_close(transductive, by_hand, rtol=1e-8, atol=1e-8)
    assert not torch.allclose(inductive, transductive)


@settings(max_examples=40, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=9), n_way=st.integers(4, 6))
def test_a_class_mean_is_a_mean_and_a_class_without_examples_is_never_the_answer(labels, n_way):
    y = one_hot(torch.tensor(labels), n_way).double()
    z = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means = prototypes(z, y)
    for k in range(n_way):
        own = z[torch.tensor(labels) == k]
        torch.testing.assert_close(means[k], own.mean(0) if len(own) else torch.zeros(3).double())
    torch.manual_seed(0)
    logits = Prototypical(MLP(3, (4,))).double().adapt(Examples(z, y))(z)
    absent = y.sum(0) == 0
    assert (logits[:, absent] == -torch.inf).all()
    assert torch.isfinite(logits[:, ~absent]).all()


def test_relabelling_classes_permutes_logits(learner):
    support, query = noise_tasks(learner).at(0)
    order = torch.tensor([3, 0, 4, 1, 2])
    logits = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(logits, learner.adapt(support)(query.x)[:, order])


def test_distances_far_from_zero_are_those_of_float64():
    draw = torch.Generator().manual_seed(0)
    classes = 30 + 0.05 * torch.randn(5, 512, generator=draw)
    query = classes.repeat(100, 1) + 0.05 * torch.randn(500, 512, generator=draw)
    exact = torch.cdist(query.double(), classes.double()) ** 2
    found = squared_distances(query, classes)
    assert torch.equal(found.argmin(1), exact.argmin(1))
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=1e-4)
    logits = nearest_mean(Examples(classes, torch.eye(5)))(query)
    assert bool((logits <= 0).all())


def test_distances_of_half_precision_are_computed_in_float32():
    a, b = torch.randn(4, 64).bfloat16(), torch.randn(3, 64).bfloat16()
    exact = torch.cdist(a.double(), b.double()) ** 2
    with torch.autocast("cpu", torch.bfloat16):
        found = squared_distances(a, b)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)


def test_a_prototype_is_the_mean_by_weights_that_need_not_sum_to_one():
    z, y = torch.eye(2), torch.tensor([[0.9, 0.1], [0.6, 0.4]])
    torch.testing.assert_close(prototypes(z, y), torch.tensor([[0.6, 0.4], [0.2, 0.8]]))
    assert torch.equal(prototypes(z, torch.zeros(2, 1)), torch.zeros(1, 2))
