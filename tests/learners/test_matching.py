import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners import Matching
from quickstudy.nets import MLP
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from quickstudy.training.engine import map_tasks


def matching(**options: object) -> Matching:
    torch.manual_seed(0)
    return Matching(MLP(2, (6,), "tanh"), **options).double()


def attention_by_hand(learner: Matching, q: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Vinyals et al. 2016, eq. 1: y = sum_i a(q, z_i) y_i, a = softmax of cosine."""
    out = torch.zeros(len(q), y.shape[1], dtype=q.dtype)
    for j in range(len(q)):
        cosine = torch.stack([q[j] @ row / (q[j].norm() * row.norm()) for row in z])
        weights = (learner.log_scale.exp() * cosine).exp()
        out[j] = ((weights / weights.sum())[:, None] * y).sum(0)
    return out


def test_probabilities_are_labels_weighed_by_attention():
    learner = matching()
    support, query = noise_tasks(learner).at(0)
    by_hand = attention_by_hand(learner, learner.net(query.x), learner.net(support.x), support.y)
    torch.testing.assert_close(learner.adapt(support)(query.x).exp(), by_hand, rtol=1e-12, atol=1e-12)


def test_the_meta_loss_is_minus_the_log_of_the_attention_on_the_right_class():
    learner = matching()
    task = noise_tasks(learner).at(0)
    p = attention_by_hand(learner, learner.net(task.query.x), learner.net(task.support.x), task.support.y)
    torch.testing.assert_close(learner.meta_loss(task), -(p * task.query.y).sum(-1).log().mean())


@pytest.mark.parametrize("full_context", [False, True])
def test_logits_are_log_probabilities_however_unequal_the_classes(full_context):
    learner = matching(full_context=full_context)
    support, query = noise_tasks(learner).at(0)
    logits = learner.adapt(Examples(support.x[3:], support.y[3:]))(query.x)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(len(query.x)).double())
    none = learner.adapt(Examples(support.x[1:5], support.y[1:5]))(query.x)
    assert (none[:, 0] == -torch.inf).all()


def test_the_scale_is_learned_from_10():
    learner = matching()
    assert learner.log_scale.exp().item() == pytest.approx(10, rel=1e-6)
    learner.meta_loss(noise_tasks(learner).at(0)).backward()
    assert learner.log_scale.grad.abs() > 0
    with torch.no_grad():
        learner.log_scale.fill_(100.0)
    support, query = noise_tasks(learner).at(0)
    assert torch.isfinite(learner.adapt(support)(query.x).amax(-1)).all()


def context_by_hand(learner: Matching, z: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Vinyals et al. 2016, appendix A, on torch's own LSTMs."""
    d = z.shape[1]
    both = nn.LSTM(d, d, bidirectional=True).double()
    names = [("weight_ih", "weight_ih_l0"), ("weight_hh", "weight_hh_l0")]
    names += [("bias_ih", "bias_ih_l0"), ("bias_hh", "bias_hh_l0")]
    with torch.no_grad():
        for cell, suffix in ((learner.forwards, ""), (learner.backwards, "_reverse")):
            for ours, theirs in names:
                getattr(both, theirs + suffix).copy_(getattr(cell, ours))
    order = z.sum(-1).argsort()
    states, _ = both(z[order])
    g = torch.empty_like(z)
    g[order] = z[order] + states[:, :d] + states[:, d:]
    h, c = q, torch.zeros(len(q), 2 * d, dtype=q.dtype)
    for _ in range(learner.attention_steps):
        r = (h @ g.T).softmax(-1) @ g
        state, c = learner.attention(q, (torch.cat([h, r], -1), c))
        h = state[:, :d] + q
    return g, h


def test_full_context_is_a_bidirectional_lstm_over_the_support_and_an_attention_lstm_over_the_query():
    learner = matching(full_context=True, attention_steps=3)
    support, query = noise_tasks(learner).at(0)
    g, h = context_by_hand(learner, learner.net(support.x), learner.net(query.x))
    by_hand = attention_by_hand(learner, h, g, support.y)
    torch.testing.assert_close(learner.adapt(support)(query.x).exp(), by_hand, rtol=1e-10, atol=1e-10)


def test_full_context_lets_a_support_example_depend_on_the_others_but_not_on_their_order():
    learner = matching(full_context=True)
    z = torch.randn(7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([4, 2, 6, 0, 1, 5, 3])
    context = learner.embed_support(z)
    torch.testing.assert_close(learner.embed_support(z[order]), context[order], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(learner.embed_support(z[:6]), context[:6])


def test_full_context_of_many_tasks_at_once_is_each_alone():
    learner = matching(full_context=True)
    tasks = noise_tasks(learner)
    together, alone = (map_tasks(learner.meta_loss, tasks, engine=engine) for engine in ("vmap", "loop"))
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


def test_relabelling_classes_permutes_logits():
    learner = matching(full_context=True)
    support, query = noise_tasks(learner).at(0)
    order = torch.tensor([3, 0, 4, 1, 2])
    logits = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(logits, learner.adapt(support)(query.x)[:, order])


def test_cosine_ignores_the_length_of_an_embedding():
    learner = matching()
    z, q = torch.randn(4, 6).double(), torch.randn(3, 6).double()
    y = torch.eye(4).double()
    torch.testing.assert_close(learner.comparison(Examples(z, y))(q), learner.comparison(Examples(5 * z, y))(q / 3))
    similarity = learner.log_scale.exp() * F.cosine_similarity(q[:, None], z[None], dim=-1)
    torch.testing.assert_close(learner.comparison(Examples(z, y))(q), similarity.log_softmax(-1))


def test_a_single_support_example_is_certain():
    learner = matching(full_context=True)
    one = Examples(torch.ones(1, 2).double(), torch.ones(1, 1).double())
    assert learner.meta_loss(Task(one, one)).abs() < 1e-12


def test_labels_that_are_probabilities_are_weighted_by_the_attention():
    learner = matching()
    z, q = torch.randn(4, 6).double(), torch.randn(3, 6).double()
    y = torch.rand(4, 3).double()
    y /= y.sum(1, keepdim=True)
    answer = learner.comparison(Examples(z, y))(q).exp()
    weights = learner.attention_to(Examples(z, y), q).exp()
    torch.testing.assert_close(answer, weights @ y)
    torch.testing.assert_close(answer.sum(1), torch.ones(3).double())
