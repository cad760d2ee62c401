"""A predictor says in one line which queries it takes."""

import pickle

import pytest
import torch
from torch import nn

from quickstudy import MAML, MLP, R2D2, Matching, Prototypical, Reptile, Siamese
from quickstudy.errors import DataError
from quickstudy.learners.metric import Apart
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


def test_a_net_that_pools_takes_images_of_other_sizes():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.out_features, net.input_shape = 4, (1, 8, 8)
    predict = Prototypical(net).adapt(Examples(torch.rand(6, 1, 8, 8), SUPPORT.y))
    assert predict(torch.rand(2, 1, 10, 10)).shape == (2, 3)


class Flattening(Apart):
    """Predictor that passes on its inputs in another shape."""

    def __call__(self, x):
        return super().__call__(x.flatten(1))


class Flat(Prototypical):
    def adapt(self, support):
        predict = super().adapt(Examples(support.x.flatten(1), support.y))
        return Flattening(predict.learner, predict.compare)


def test_an_own_predictor_may_pass_on_its_inputs_in_another_shape():
    predict = Flat(Identity(4)).adapt(Examples(SUPPORT.x.view(6, 2, 2), SUPPORT.y))
    torch.testing.assert_close(predict(SUPPORT.x.view(6, 2, 2)), Prototypical(Identity(4)).adapt(SUPPORT)(SUPPORT.x))
    with pytest.raises(DataError, match=r"one example has \[2, 2\]"):
        predict(SUPPORT.x)


def test_dictionaries_are_known_by_their_keys_in_any_order():
    class Sum(nn.Module):
        out_features = 3

        def forward(self, x):
            return x["a"] + x["b"].sum(2)

    a, b = torch.randn(6, 3), torch.randn(6, 3, 5)
    predict = Prototypical(Sum()).adapt(Examples({"a": a, "b": b}, SUPPORT.y))
    torch.testing.assert_close(predict({"b": b, "a": a}), predict({"a": a, "b": b}))
