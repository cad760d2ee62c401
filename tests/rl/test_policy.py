"""Policies: one set of weights per task, actions from Python."""

import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.rl.environments.base import Continuous, Discrete
from quickstudy.rl.policy import Policy


@pytest.mark.parametrize("actions", [Discrete(3), Continuous(2)])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 5)])
def test_weights_per_task_are_as_one_task_after_another(actions, hidden):
    torch.manual_seed(0)
    policies = [Policy(4, actions, hidden, "tanh").double() for _ in range(3)]
    stacked = {name: torch.stack([p.params()[name] for p in policies]) for name in policies[0].params()}
    x = torch.randn(3, 7, 4, dtype=torch.float64)
    together = policies[0](x, stacked)
    for i, policy in enumerate(policies):
        alone = policy(x[i])
        for name, value in vars(alone).items():
            part = vars(together)[name][i]
            assert torch.allclose(part, value.expand_as(part), atol=1e-12)


def test_a_policy_acts():
    policy = Policy(2, Continuous(2), (8,))
    one, several = policy.act([0.1, 0.2]), policy.act(torch.tensor([[0.1, 0.2], [1.0, 1.0]]))
    assert one.shape == (2,)
    assert torch.allclose(several[0], one, atol=1e-6)
    assert Policy(2, Discrete(3), ()).act([0.1, 0.2]).shape == ()
    with pytest.raises(SettingError, match="takes 2 numbers"):
        policy.act([1.0])
