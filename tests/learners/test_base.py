"""A predictor says in one line which queries it takes."""

import pickle

import pytest
import torch
from torch import nn

from quickstudy import MAML, MLP, R2D2, Matching, Prototypical, Reptile, Siamese
from quickstudy.errors import DataError
from quickstudy.nets import Identity
from quickstudy.tasks.task import Examples

SUPPORT = Examples(torch.randn(6, 4), torch.eye(3).repeat(2, 1))


@pytest.mark.parametrize(
    "learner",
    [
        *(head(Identity(4)) for head in (Prototypical, Matching, Siamese, R2D2)),
        *(learner(MLP(4, (8,)), 3) for learner in (MAML, Reptile)),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_queries_of_another_shape_than_the_examples_are_refused(learner):
    predict = learner.adapt(SUPPORT)
    for each in (predict, pickle.loads(pickle.dumps(predict)), predict.to("cpu")):
        for shape in ((2, 3), (2, 1), (4,), (2, 1, 4)):
            with pytest.raises(DataError, match=r"queries have shape \[.*\], but one example has \[4\]; give"):
                each(torch.zeros(shape))
        assert each(torch.zeros(2, 4)).shape == (2, 3)


class Pooled(nn.Module):
    """Net of sequences of any length."""

    out_features = 2

    def forward(self, x):
        return torch.stack([x.mean(1), x.amax(1)], 1)


def test_a_net_may_take_queries_of_any_size():
    predict = Prototypical(Pooled()).adapt(SUPPORT)
    assert predict(torch.zeros(2, 7)).shape == (2, 3)
    with pytest.raises(DataError, match=r"queries have shape \[7\], but one example has \[4\]"):
        predict(torch.zeros(7))
