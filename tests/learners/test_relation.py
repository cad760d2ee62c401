import pytest
import torch
from torch import Tensor

from quickstudy.learners import Relation
from quickstudy.nets import MLP, Conv4, apply
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import check_learner, noise_tasks


@pytest.fixture
def learner() -> Relation:
    torch.manual_seed(0)
    return Relation(MLP(2, (6,), "tanh")).double()


def score(learner: Relation, query: Tensor, shots: Tensor) -> Tensor:
    """Sung et al. 2018, eq. 1: r = g(C(f(x_i), f(x_j))), of one query and the shots of one class."""
    a, b = learner.relation[0], learner.relation[2]
    pair = torch.cat([shots.mean(0), query])
    return (b.weight @ (a.weight @ pair + a.bias).clamp(min=0) + b.bias).sigmoid()[0]


def scores(learner: Relation, query: Tensor, support: Examples) -> Tensor:
    classes = [support.x[support.y[:, k] == 1] for k in range(support.y.shape[1])]
    return torch.stack([torch.stack([score(learner, q, shots) for shots in classes]) for q in query])


def test_scores_are_the_relation_module_on_a_query_and_a_class_mean(learner):
    support, query = noise_tasks(learner).at(0)
    by_hand = scores(learner, learner.net(query.x), Examples(learner.net(support.x), support.y))
    torch.testing.assert_close(learner.adapt(support)(query.x).sigmoid(), by_hand, rtol=1e-12, atol=1e-12)


def test_the_meta_loss_is_the_squared_error_of_the_scores_under_common_statistics():
    torch.manual_seed(0)
    learner = Relation(Conv4(size=16, width=4)).double()
    support, query = noise_tasks(learner).at(0)
    z = apply(learner.net, torch.cat([support.x, query.x]), statistics="batch")
    r = scores(learner, z[10:], Examples(z[:10], support.y))
    by_hand = ((r - query.y) ** 2).mean()
    torch.testing.assert_close(learner.meta_loss(noise_tasks(learner).at(0)), by_hand, rtol=1e-10, atol=0)


def test_a_class_without_examples_is_never_the_answer_and_spoils_no_gradient(learner):
    task = noise_tasks(learner, n_shot=1).at(0)
    support = Examples(task.support.x[1:], task.support.y[1:])
    assert (learner.adapt(support)(task.query.x)[:, 0] == -torch.inf).all()
    learner.meta_loss(Task(support, task.query)).backward()
    assert all(torch.isfinite(p.grad).all() for p in learner.parameters())


def test_relabelling_classes_permutes_logits(learner):
    support, query = noise_tasks(learner).at(0)
    order = torch.tensor([3, 0, 4, 1, 2])
    logits = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(logits, learner.adapt(support)(query.x)[:, order])


@pytest.mark.parametrize("transductive", [False, True])
def test_it_keeps_the_laws(transductive):
    check_learner(Relation(Conv4(size=16, width=4), transductive=transductive))
