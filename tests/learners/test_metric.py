"""A closed form belongs to the methods it was derived from: what overrides one of them does not inherit it."""

import pytest
import torch
from torch.nn import functional as F

from quickstudy import Classifier
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import LRD2, R2D2, Matching, Prototypical, Siamese
from quickstudy.learners.metric import MetricLearner, nearest_mean
from quickstudy.nets import Identity
from quickstudy.tasks.task import Examples


def directed(support):
    return Examples(F.normalize(support.x, dim=-1), support.y)


class Scaled(Prototypical):
    def comparison(self, support):
        compare = super().comparison(support)
        return lambda query: 10 * compare(query)


class Cosine(Prototypical):
    def comparison(self, support):
        means = F.normalize(support.y.T @ support.x / support.y.sum(0)[:, None], dim=-1)
        return lambda query: 10 * F.normalize(query, dim=-1) @ means.T


class Mixin:
    def comparison(self, support):
        compare = super().comparison(directed(support))
        return lambda query: compare(F.normalize(query, dim=-1))


class MixedPrototypical(Mixin, Prototypical):
    pass


class MixedMatching(Mixin, Matching):
    pass


class MixedSiamese(Mixin, Siamese):
    pass


class MixedR2D2(Mixin, R2D2):
    pass


class BelowMixed(MixedR2D2):
    pass


class Doubled(R2D2):
    def solve(self, x, y):
        return 2 * super().solve(x, y)


class Unweighted(R2D2):
    def row_weights(self, y):
        return y.new_ones(len(y))


class Harder(R2D2):
    def penalty(self, n):
        return super().penalty(n) * n


class Squared(R2D2):
    def padded(self, z):
        return super().padded(torch.cat([z, z**2], -1))


class Normed(Prototypical):
    def embed(self, x, *args, **kwargs):
        return F.normalize(super().embed(x, *args, **kwargs), dim=-1)


class Centred(Prototypical):
    """Its embedding of an input depends on the others, so that nothing but learning again is exact."""

    def embed(self, x, *args, **kwargs):
        z = super().embed(x, *args, **kwargs)
        return z - z.mean(0)


class Standardised(MetricLearner):
    def comparison(self, support):
        return nearest_mean(support)

    def adapt(self, support):
        mean, deviation = support.x.mean(0), support.x.std(0)
        compare = nearest_mean(Examples((support.x - mean) / deviation, support.y))
        return lambda x: compare((x - mean) / deviation)


class WithOwnForm(Scaled):
    """Its closed form is of the same class as its comparison, and takes that of its base."""

    def left_out(self, support, query=None):
        return 10 * Prototypical.left_out(self, support, query)


OWN = [
    *(Scaled, Cosine, MixedPrototypical, MixedMatching, MixedSiamese, MixedR2D2, BelowMixed, Doubled, Unweighted),
    *(Harder, Squared, Normed, Centred, Standardised, WithOwnForm),
]


@pytest.mark.filterwarnings("ignore:a query's answer depends")
@pytest.mark.parametrize("learner", [Prototypical, Matching, Siamese, R2D2, LRD2, *OWN])
def test_leaving_out_is_learning_again_and_scores_are_the_logits(learner):
    torch.manual_seed(0)
    x, y = torch.randn(9, 4).double() + 1, [0, 0, 0, 0, 1, 1, 1, 2, 2]
    few = Classifier(learner(Identity(4)).double(), Arrays((4,)), ClassDataset.from_labels(x, y))
    query = torch.randn(3, 4).double()
    with torch.no_grad():
        again = [few.learner.adapt(few.support.without(i)) for i in range(9)]
        own = torch.stack([adapted(x[i : i + 1]) for i, adapted in enumerate(again)])
        of_query = torch.stack([adapted(query) for adapted in again])
        logits = few.learner.adapt(few.support)(query)
        torch.testing.assert_close(few.left_out(), own, atol=1e-9, rtol=0)
        torch.testing.assert_close(few.judged, own[:, 0], atol=1e-9, rtol=0)
        torch.testing.assert_close(few.left_out(query), of_query, atol=1e-9, rtol=0)
        shares = few.metric and few.metric.contributions(Examples(few.embedded, few.support.y), few.embed(query))
    if shares is not None:
        scores = logits.exp() if learner is Matching else logits
        torch.testing.assert_close(shares @ few.support.y, scores, atol=1e-9, rtol=0)
    assert (shares is not None) == (learner in (Prototypical, Matching, Siamese, Normed))


def test_closed_forms_are_inherited_by_those_that_compare_alike():
    class Named(Prototypical):
        def observe(self, x):
            pass

    assert (Named.left_out, Named.contributions) == (Prototypical.left_out, Prototypical.contributions)
    assert (Scaled.left_out, LRD2.left_out, BelowMixed.left_out) == (MetricLearner.left_out,) * 3
    assert WithOwnForm.contributions is MetricLearner.contributions
