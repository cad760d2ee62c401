"""What all learners without an inductive form have in common."""

import pytest
import torch

import quickstudy as qs
from quickstudy.errors import SettingError
from quickstudy.learners import LEARNERS
from quickstudy.learners.laplacian_shot import nearest, smoothed
from quickstudy.learners.transductive import TransductiveLearner, rectified
from quickstudy.nets import Identity
from quickstudy.tasks.task import Examples
from tests.learners.transductive import WIDTH, task

NAMES = ["tim", "laplacian-shot", "pt-map", "bd-cspn", "trans-finetune"]


@pytest.fixture(params=NAMES)
def learner(request) -> TransductiveLearner:
    torch.manual_seed(0)
    more = {"inner_lr": 0.01} if request.param == "trans-finetune" else {}
    return LEARNERS[request.param](Identity(WIDTH), **more).double().eval()


def test_answers_depend_on_the_other_queries_and_follow_their_order(learner):
    support, query = task()
    predict = learner.adapt(support)
    answers = predict(query.x)
    order = torch.randperm(len(query.y), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(predict(query.x[order]), answers[order], rtol=1e-8, atol=1e-8)
    assert not torch.allclose(predict(query.x[:7]), answers[:7], rtol=1e-4, atol=1e-4)


def test_one_query_alone_is_refused_in_a_line_and_none_is_empty(learner):
    support, query = task()
    predict = learner.adapt(support)
    with pytest.raises(SettingError, match=r"answers queries together and has no answer for one alone; give two"):
        predict(query.x[:1])
    assert predict(query.x[:0]).shape == (0, 5)


def test_it_is_never_reported_as_inductive(learner):
    data = qs.ClassDataset.from_labels(torch.randn(40, WIDTH), [f"{i % 8}" for i in range(40)])
    tasks = qs.Episodes(data, 3, 1, 3)
    result = qs.evaluate(learner, tasks, n_tasks=2)
    assert result.transductive
    assert str(result).endswith("transductive")
    with pytest.raises(SettingError, match="has no inductive form; leave out transductive=False"):
        qs.evaluate(learner, tasks, n_tasks=2, transductive=False)


def test_a_class_without_examples_gets_no_query(learner):
    support, query = task()
    answers = learner.adapt(support.at(support.y[:, 2] == 0))(query.x)
    assert (answers[:, 2] == -torch.inf).all()
    assert answers[:, [0, 1, 3, 4]].isfinite().all()


def test_training_is_that_of_prototypical_networks(learner):
    expected = qs.Prototypical(Identity(WIDTH)).meta_loss(task())
    torch.testing.assert_close(learner.meta_loss(task()), expected)


def test_rectified_prototypes_by_hand():
    support = Examples(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.eye(2))
    means = rectified(support, torch.tensor([[3.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), 1.0)
    # The queries move by (1, 1) - (4/3, 2/3); the first two belong to the first class, the last to the second.
    moved = torch.tensor([[8, 4], [2, 4], [-1, 1]]) / 3
    assert moved[1, 0] < moved[1, 1]  # the middle one belongs to the second class too
    # The means are the axes, so a cosine is a coordinate of the direction.
    weights = (torch.cat([support.x, moved]) / torch.cat([support.x, moved]).norm(dim=1, keepdim=True)).softmax(1)
    first = (weights[0, 0] * support.x[0] + weights[2, 0] * moved[0]) / (weights[0, 0] + weights[2, 0])
    own = weights[[1, 3, 4], 1]
    second = (own[:, None] * torch.stack([support.x[1], *moved[1:]])).sum(0) / own.sum()
    torch.testing.assert_close(means, torch.stack([first, second]))


@pytest.mark.parametrize("name", ["bd-cspn", "laplacian-shot"])
def test_moved_queries_are_answered_as_if_their_mean_were_that_of_the_support(name):
    support, query = task()
    z, q = (torch.nn.functional.normalize(x, dim=1) for x in (support.x, query.x))
    learner = LEARNERS[name](Identity(WIDTH), shifted=True).double()
    answers = learner.answers(Examples(z, support.y), q)
    assert not torch.allclose(answers, LEARNERS[name](Identity(WIDTH)).double().answers(Examples(z, support.y), q))
    means, near = rectified(Examples(z, support.y), q, 10.0), q + z.mean(0) - q.mean(0)
    if name == "bd-cspn":
        expected = 10 * torch.nn.functional.cosine_similarity(near[:, None], means, dim=-1)
    else:
        expected = smoothed(-(torch.cdist(near, means) ** 2), nearest(near, 2), 0.7, 20)
    torch.testing.assert_close(answers, expected)


def test_a_classifier_answers_a_batch_together():
    torch.manual_seed(0)
    x = torch.randn(6, WIDTH)
    data = qs.ClassDataset.from_labels(x, list("aabbcc"))
    classifier = qs.Classifier(LEARNERS["bd-cspn"](Identity(WIDTH)), qs.Arrays(shape=(WIDTH,)), data)
    assert classifier.predict(x + 0.01) == list("aabbcc")
    with pytest.raises(SettingError, match="BDCSPN answers queries together"):
        classifier.predict(x[:1])
