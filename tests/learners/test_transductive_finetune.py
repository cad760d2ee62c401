import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import TransductiveFinetune
from quickstudy.nets import MLP, Conv4
from quickstudy.testing import check_learner
from tests.learners.transductive import WIDTH, task


@pytest.mark.parametrize("part", ["all", "head", "layers.0.*"])
def test_steps_are_those_of_torch_on_support_and_queries(part):
    torch.manual_seed(0)
    net = MLP(WIDTH, (8, 4), "tanh").double()
    learner = TransductiveFinetune(net, adapt_only=part, test_steps=4, inner_lr=0.01, scale=3.0)
    support, query = task()
    copied = copy.deepcopy(net)
    z = F.normalize(copied(support.x), dim=1).detach()
    head = F.normalize(torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(5)]), dim=1).requires_grad_()
    moving = [p for name, p in copied.named_parameters() if part == "all" or name.startswith(part.rstrip("*"))]
    optimizer = torch.optim.Adam([head, *moving], 0.01)

    def logits(x):
        return 3 * F.normalize(copied(x), dim=1) @ head.T

    for _ in range(4):
        answers = logits(query.x)
        unsure = -(answers.softmax(1) * answers.log_softmax(1)).sum(1).mean()
        loss = F.cross_entropy(logits(support.x), support.y) + unsure
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        ours = learner.adapt(support)(query.x)
    torch.testing.assert_close(ours, logits(query.x).detach(), rtol=1e-5, atol=1e-5)


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="matches no parameter"):
        TransductiveFinetune(nn.Linear(2, 2), adapt_only="*lora*")


def test_it_keeps_the_laws():
    check_learner(TransductiveFinetune(Conv4(size=16, width=4), test_steps=2))
