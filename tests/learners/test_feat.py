import torch
from torch.nn import functional as F

from quickstudy.learners import FEAT
from quickstudy.learners.base import prototypes
from quickstudy.nets import Conv4, Identity
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, peer, task


def learner(**arguments) -> FEAT:
    torch.manual_seed(0)
    feat = FEAT(Identity(WIDTH), **arguments)
    torch.nn.init.normal_(feat.norm.weight)
    return feat.double().eval()


def test_prototypes_attend_to_each_other_by_hand():
    support, query = task()
    feat = learner(temperature=4.0)
    means = prototypes(support.x, support.y)
    attention = F.softmax(feat.q(means) @ feat.k(means).T / WIDTH**0.5, 1)
    adapted = feat.norm(means + feat.out(attention @ feat.v(means)))
    by_hand = -(torch.cdist(query.x, adapted) ** 2) / 4
    torch.testing.assert_close(feat.adapt(support)(query.x), by_hand)


def test_the_second_loss_is_that_of_adapted_classes():
    support, query = task()
    first, both = (learner(balance=b).meta_loss(task()) for b in (0.0, 0.3))
    feat, x, y = learner(), torch.cat([support.x, query.x]), torch.cat([support.y, query.y])
    centres = torch.stack([feat.attended(x[y[:, k] == 1], torch.tensor(True)).mean(0) for k in range(5)])
    by_hand = F.cross_entropy(-(torch.cdist(x, centres) ** 2), y.argmax(1))
    torch.testing.assert_close(both - first, 0.3 * by_hand)


def test_easyfsl_attends_alike_with_the_same_weights():
    feat, means = learner(), prototypes(*task().support)
    attention = peer("attention_modules", "modules").MultiHeadAttention(1, WIDTH, WIDTH, WIDTH).double().eval()
    for ours, theirs in (("q", "w_qs"), ("k", "w_ks"), ("v", "w_vs"), ("out", "fc"), ("norm", "layer_norm")):
        getattr(attention, theirs).load_state_dict(getattr(feat, ours).state_dict())
    adapted = attention(means[None], means[None], means[None])[0][0]
    torch.testing.assert_close(feat.attended(means, torch.tensor(True)), adapted, rtol=1e-4, atol=1e-4)


def test_it_keeps_the_laws():
    check_learner(FEAT(Conv4(size=16, width=4)))
