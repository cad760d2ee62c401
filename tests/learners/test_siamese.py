import math

import pytest
import torch

from quickstudy.learners import Siamese
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks


@pytest.fixture
def learner() -> Siamese:
    torch.manual_seed(0)
    learner = Siamese(MLP(2, (6,), "tanh")).double()
    torch.nn.init.normal_(learner.similarity.weight)
    torch.nn.init.normal_(learner.similarity.bias)
    return learner


def same_by_hand(learner: Siamese, a: torch.Tensor, b: torch.Tensor) -> float:
    """Koch et al. 2015: p = sigmoid(sum_j alpha_j |a_j - b_j| + bias), of two inputs."""
    distance = (learner.net(a) - learner.net(b)).abs()
    logit = ((learner.similarity.weight[0] * distance).sum() + learner.similarity.bias).item()
    return 1 / (1 + math.exp(-logit))


def test_the_meta_loss_is_the_cross_entropy_of_all_pairs_at_the_odds_of_an_episode(learner):
    support, query = noise_tasks(learner, n_shot=2, n_query=1).at(0)
    same, different = [], []
    for q, qy in zip(*query, strict=True):
        for s, sy in zip(*support, strict=True):
            balanced = same_by_hand(learner, q, s)
            p = 0.2 * balanced / (0.2 * balanced + 0.8 * (1 - balanced))  # Bayes: one pair in five is the same
            if torch.equal(qy, sy):
                same.append(-math.log(p))
            else:
                different.append(-math.log(1 - p))
    by_hand = (sum(same) + sum(different)) / 50
    assert (len(same), len(different)) == (10, 40)
    loss = learner.meta_loss(noise_tasks(learner, n_shot=2, n_query=1).at(0))
    assert loss.item() == pytest.approx(by_hand, rel=1e-12)


def test_one_class_alone_has_a_finite_loss(learner):
    support, query = noise_tasks(learner).at(0)
    alone = Task(Examples(support.x, support.y.sum(1, keepdim=True)), Examples(query.x, query.y.sum(1, keepdim=True)))
    assert torch.isfinite(learner.meta_loss(alone))


def test_a_class_scores_as_its_most_similar_support_example(learner):
    support, query = noise_tasks(learner).at(0)
    probabilities = learner.adapt(support)(query.x).sigmoid()
    for j, q in enumerate(query.x):
        for k in range(5):
            best = max(same_by_hand(learner, q, s) for s in support.x[support.y[:, k] == 1])
            assert probabilities[j, k].item() == pytest.approx(best, rel=1e-12)


def test_the_answer_does_not_depend_on_where_the_target_stands(learner):
    support, query = noise_tasks(learner, n_shot=1).at(0)
    logits = learner.adapt(support)(query.x)
    for shift in range(1, 5):
        moved = Examples(support.x.roll(shift, 0), support.y.roll(shift, 0).roll(shift, 1))  # class k at shift + k
        torch.testing.assert_close(learner.adapt(moved)(query.x), logits.roll(shift, 1))


def test_relabelling_classes_permutes_logits(learner):
    support, query = noise_tasks(learner).at(0)
    order = torch.tensor([3, 0, 4, 1, 2])
    logits = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(logits, learner.adapt(support)(query.x)[:, order])


def test_same_is_symmetric_and_the_sigmoid_of_the_pairs_logit(learner):
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4, 2, generator=draw, dtype=torch.float64) for _ in "ab")
    p = learner.same(a, b)
    assert torch.equal(p, learner.same(b, a))
    torch.testing.assert_close(p, learner.pairs(learner.net(a), learner.net(b)).sigmoid())
    for i in range(4):
        assert p[i].item() == pytest.approx(same_by_hand(learner, a[i], b[i]), rel=1e-12)


def test_at_first_nothing_is_more_alike_than_a_thing_and_itself():
    torch.manual_seed(0)
    learner = Siamese(Conv4(size=16, width=4))
    a, b = torch.rand(2, 5, 1, 16, 16)
    learner.observe(torch.cat([a, b]))
    assert (learner.same(a, a) >= learner.same(a, b)).all()


def test_a_class_without_examples_is_never_the_answer(learner):
    support, query = noise_tasks(learner, n_shot=1).at(0)
    logits = learner.adapt(Examples(support.x[1:], support.y[1:]))(query.x)
    assert (logits[:, 0] == -torch.inf).all()
    assert torch.isfinite(logits[:, 1:]).all()
