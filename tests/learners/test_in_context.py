import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.learners import InContext
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks


@pytest.fixture
def learner() -> InContext:
    torch.manual_seed(0)
    return InContext(MLP(2, (6,), "tanh"), token_width=8).double()


def attend(layer: torch.nn.Module, token: Tensor, context: list[Tensor]) -> Tensor:
    """Vaswani et al. 2017, eq. 1, a head at a time, for one token of width 8; pre-norm."""
    z, seen = layer.norms[0](token), [layer.norms[0](c) for c in context]
    heads = []
    for h in range(4):
        own = slice(2 * h, 2 * h + 2)
        scores = torch.stack([layer.q(z)[own] @ layer.k(c)[own] / 2**0.5 for c in seen])
        heads.append((scores.softmax(0)[:, None] * torch.stack([layer.v(c)[own] for c in seen])).sum(0))
    token = token + layer.out(torch.cat(heads))
    return token + layer.mlp(layer.norms[1](token))


def logit(learner: InContext, support: Examples, query: Tensor, k: int) -> Tensor:
    """Of class k for one embedded query, token by token."""
    context = [
        learner.token(z) + (learner.this if y[k] else learner.other) for z, y in zip(support.x, support.y, strict=True)
    ]
    asked = learner.token(query) + learner.unknown
    for layer in learner.transformer:
        asked, context = attend(layer, asked, context), [attend(layer, c, context) for c in context]
    return learner.score(asked)[0]


@pytest.mark.slow
def test_logits_are_those_of_a_transformer_that_reads_token_by_token(learner):
    support, query = noise_tasks(learner, n_query=1).at(0)
    z, q = Examples(learner.net(support.x), support.y), learner.net(query.x)
    by_hand = torch.stack([torch.stack([logit(learner, z, row, k) for k in range(5)]) for row in q])
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-10, atol=1e-10)


def test_the_meta_loss_is_the_cross_entropy_of_the_logits(learner):
    support, query = task = noise_tasks(learner).at(0)
    by_hand = F.cross_entropy(learner.adapt(support)(query.x), query.y.argmax(-1))
    torch.testing.assert_close(learner.meta_loss(task), by_hand, rtol=1e-12, atol=0)


def test_relabelling_classes_permutes_logits(learner):
    support, query = noise_tasks(learner).at(0)
    order = torch.tensor([3, 0, 4, 1, 2])
    logits = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(logits, learner.adapt(support)(query.x)[:, order])


def test_the_answer_depends_on_every_label(learner):
    support, query = noise_tasks(learner, n_shot=1).at(0)
    logits = learner.adapt(support)(query.x)
    for i, k in ((0, 1), (2, 4)):
        y = copy.deepcopy(support.y)
        y[[i, k]] = y[[k, i]]
        assert (learner.adapt(Examples(support.x, y))(query.x) - logits).abs().min(0).values[[i, k]].min() > 1e-6


@pytest.mark.parametrize("n_way", [2, 9])
def test_any_number_of_classes_is_read(learner, n_way):
    y = torch.eye(n_way).double()
    x = torch.randn(n_way, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert learner.adapt(Examples(x, y))(x).shape == (n_way, n_way)


@pytest.mark.parametrize("transductive", [False, True])
def test_it_keeps_the_laws(transductive):
    check_learner(InContext(Conv4(size=16, width=4), transductive=transductive))
