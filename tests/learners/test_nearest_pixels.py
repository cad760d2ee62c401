import pytest
import torch
from torch.nn import functional as F

from quickstudy.learners import NearestPixels
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks


@pytest.fixture
def learner() -> NearestPixels:
    return NearestPixels(channels=2, size=3).double()


def test_a_class_scores_by_the_squared_distance_of_its_nearest_image(learner):
    with torch.no_grad():
        learner.log_scale.fill_(0.5)
    support, query = noise_tasks(learner).at(0)
    logits = learner.adapt(support)(query.x)
    for j, q in enumerate(query.x):
        for k in range(5):
            nearest = min(((q - image) ** 2).sum().item() for image in support.x[support.y[:, k] == 1])
            assert logits[j, k].item() == pytest.approx(-(learner.log_scale.exp().item()) * nearest, rel=1e-12)


def test_no_answer_depends_on_what_is_learned(learner):
    support, query = noise_tasks(learner).at(0)
    answers = learner.adapt(support)(query.x).argmax(-1)
    with torch.no_grad():
        learner.log_scale.fill_(-3.0)
    assert torch.equal(learner.adapt(support)(query.x).argmax(-1), answers)
    assert [name for name, _ in learner.named_parameters()] == ["log_scale"]


def test_what_is_learned_is_how_sure_a_distance_makes_it(learner):
    support, query = task = noise_tasks(learner, n_tasks=2).at(0)
    by_hand = F.cross_entropy(learner.adapt(support)(query.x), query.y.argmax(-1))
    torch.testing.assert_close(learner.meta_loss(task), by_hand, rtol=1e-12, atol=0)


def test_a_class_without_examples_is_never_the_answer(learner):
    support, query = noise_tasks(learner, n_shot=1).at(0)
    logits = learner.adapt(Examples(support.x[1:], support.y[1:]))(query.x)
    assert (logits[:, 0] == -torch.inf).all()
    assert torch.isfinite(logits[:, 1:]).all()


def test_it_keeps_the_laws(learner):
    check_learner(learner)
