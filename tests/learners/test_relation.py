import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.learners import Relation
from quickstudy.nets import MLP, Conv4, Conv4Maps, apply
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import check_learner, noise_tasks


@pytest.fixture
def learner() -> Relation:
    torch.manual_seed(0)
    return Relation(MLP(2, (6,), "tanh")).double()


def score(learner: Relation, query: Tensor, shots: Tensor) -> Tensor:
    """Sung et al. 2018, eq. 1: r = g(C(f(x_i), f(x_j))), of one query and the shots of one class."""
    a, b = learner.relation.layers[0], learner.relation.layers[2]
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


def block(x: Tensor, weight: Tensor, others: Tensor | None = None) -> Tensor:
    """Sung et al. 2018, figure 2: convolution, batch norm, ReLU, max pooling; by others' statistics where given."""
    x, other = (F.conv2d(z, weight, padding=1) for z in (x, x if others is None else others))
    mean, var = other.mean((0, 2, 3), keepdim=True), other.var((0, 2, 3), correction=0, keepdim=True)
    return F.max_pool2d(((x - mean) / (var + 1e-5).sqrt()).clamp(min=0), 2)


def side_by_side(classes: Tensor, query: Tensor) -> Tensor:
    """Maps of each query and each class in one, a query's pairs after another's."""
    return torch.stack([torch.cat([c, q]) for q in query for c in classes])


@pytest.fixture
def of_maps() -> Relation:
    torch.manual_seed(0)
    return Relation(Conv4Maps(size=16, width=3)).double()


def test_on_maps_the_scores_are_the_papers_module_on_a_class_and_a_query_side_by_side(of_maps):
    support, query = noise_tasks(of_maps).at(0)
    z = apply(of_maps.net, torch.cat([support.x, query.x]), statistics="batch").unflatten(1, of_maps.net.maps)
    classes = torch.stack([z[:10][support.y[:, k] == 1].mean(0) for k in range(5)])
    module = of_maps.relation
    x = block(block(side_by_side(classes, z[10:]), module.convs[0].weight), module.convs[1].weight)
    by_hand = ((module.layers(x.flatten(1)).sigmoid().view(-1, 5) - query.y) ** 2).mean()
    torch.testing.assert_close(of_maps.meta_loss(noise_tasks(of_maps).at(0)), by_hand, rtol=1e-10, atol=0)


def test_on_maps_pairs_are_normalised_by_the_statistics_of_observed_pairs(of_maps):
    support, query = noise_tasks(of_maps, n_shot=1).at(0)
    seen = torch.rand(30, 1, 16, 16, dtype=torch.float64)
    of_maps.observe(seen)
    z, classes, others = (
        apply(of_maps.net, x, statistics="population").unflatten(1, of_maps.net.maps)
        for x in (query.x, support.x, seen)
    )
    pairs, observed = side_by_side(classes, z), side_by_side(others[:20], others)
    first, second = (conv.weight for conv in of_maps.relation.convs)
    x = block(block(pairs, first, observed), second, block(observed, first))
    by_hand = of_maps.relation.layers(x.flatten(1)).view(-1, 5) @ support.y
    torch.testing.assert_close(of_maps.adapt(support)(query.x), by_hand, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transductive", [False, True])
@pytest.mark.parametrize("net", [Conv4, Conv4Maps])
def test_it_keeps_the_laws(net, transductive):
    check_learner(Relation(net(size=16, width=4), transductive=transductive))
