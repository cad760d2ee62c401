import torch
from torch.nn import functional as F

from quickstudy.learners import BDCSPN, transductive
from quickstudy.learners.transductive import rectified
from quickstudy.nets import Conv4, Identity
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, peer, task


def test_an_answer_is_the_scaled_cosine_to_the_rectified_prototype():
    support, query = task()
    z, q = F.normalize(support.x, dim=1), F.normalize(query.x, dim=1)
    by_hand = 7 * F.cosine_similarity(q[:, None], rectified(Examples(z, support.y), q, 7.0), dim=-1)
    torch.testing.assert_close(BDCSPN(Identity(WIDTH), scale=7.0).double().adapt(support)(query.x), by_hand)


def test_easyfsl_answers_alike_with_its_scale_and_weights(monkeypatch):
    monkeypatch.setattr(transductive, "weights_by_class", lambda cosines, scale: (scale * cosines).exp())
    support, query = task()
    theirs = peer("bd_cspn").BDCSPN(feature_normalization=2.0)
    theirs.process_support_set(support.x, support.y.argmax(-1))
    ours = BDCSPN(Identity(WIDTH), scale=1.0).double().adapt(support)
    torch.testing.assert_close(ours(query.x), theirs(query.x), rtol=1e-4, atol=1e-4)


def test_it_keeps_the_laws():
    check_learner(BDCSPN(Conv4(size=16, width=4)))
