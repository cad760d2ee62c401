import pytest
import torch

from quickstudy.learners import MAML, CosineBaseline, Prototypical, Turned
from quickstudy.nets import Conv4, record_population
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks


def net():
    torch.manual_seed(0)
    net = Conv4(size=16, width=4)
    record_population(net, torch.rand(9, 1, 16, 16))
    return net


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner",
    [
        Prototypical(net()),
        Prototypical(net(), transductive=True),
        CosineBaseline(net(), n_classes=5, head_steps=2),
        MAML(net(), 5, inner_lr=0.1, inner_steps=1),
    ],
)
def test_a_turned_learner_keeps_the_laws(learner):
    check_learner(Turned(learner), noise_tasks(learner))


def test_it_is_the_mean_over_four_turns_of_support_and_queries():
    learner = Prototypical(net()).double()
    (x, y), query = noise_tasks(learner).at(0)
    each = []
    for turns in range(4):
        turned, asked = (torch.rot90(z, turns, (2, 3)) for z in (x, query.x))
        each.append(learner.adapt(Examples(turned, y))(asked))
    torch.testing.assert_close(Turned(learner).adapt(Examples(x, y))(query.x), sum(each) / 4)


def test_how_a_task_lies_makes_no_difference():
    learner = Turned(Prototypical(net()).double())
    (x, y), query = noise_tasks(learner.learner).at(0)
    lying = learner.adapt(Examples(x.rot90(1, (2, 3)), y))(query.x.rot90(1, (2, 3)))
    torch.testing.assert_close(lying, learner.adapt(Examples(x, y))(query.x))


def test_whether_it_is_transductive_is_the_learners_to_say():
    learner = Prototypical(net())
    turned = Turned(learner)
    turned.transductive = True
    assert learner.transductive
    learner.transductive = False
    assert not turned.transductive
