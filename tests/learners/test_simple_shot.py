import pytest
import torch
from torch.nn import functional as F

from quickstudy.learners import SimpleShot
from quickstudy.nets import MLP, Conv4, apply
from quickstudy.testing import check_learner, noise_tasks


@pytest.fixture
def learner() -> SimpleShot:
    torch.manual_seed(0)
    return SimpleShot(MLP(8, (6,), "tanh"), 4).double()


def test_a_query_goes_to_the_nearest_mean_of_centred_and_normalised_features(learner):
    support, query = noise_tasks(learner).at(0)
    others = noise_tasks(learner, seed=1).at(0).support.x
    learner.observe(others)
    centre = learner.net(others).mean(0)
    z, q = (learner.net(x) - centre for x in (support.x, query.x))
    z, q = z / z.norm(dim=1, keepdim=True), q / q.norm(dim=1, keepdim=True)
    means = torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(4)])
    by_hand = -(torch.cdist(q, means) ** 2)
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-10, atol=1e-10)


def test_the_centre_is_the_mean_of_features_under_the_statistics_observed_with_it():
    torch.manual_seed(0)
    learner = SimpleShot(Conv4(size=16, width=4), 4).double()
    x = noise_tasks(learner).at(0).support.x
    learner.observe(x)
    mean = apply(learner.net, x, statistics="batch").mean(0)
    torch.testing.assert_close(learner.centre, mean, rtol=1e-10, atol=1e-12)
    assert "centre" in learner.state_dict()


def test_it_trains_as_an_ordinary_classifier(learner):
    support, query = task = noise_tasks(learner).at(0)
    logits = learner.head(learner.net(torch.cat([support.x, query.x])))
    by_hand = F.cross_entropy(logits, torch.cat([support.y, query.y]).argmax(-1))
    torch.testing.assert_close(learner.meta_loss(task), by_hand, rtol=1e-12, atol=0)


def test_it_keeps_the_laws():
    check_learner(SimpleShot(Conv4(size=16, width=4), 3))
