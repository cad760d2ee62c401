"""RL2: PPO's loss equals a plain loop, and the memory learns within a trial."""

import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.rl.adapt import adapt
from quickstudy.rl.environments.bandits import Bandits
from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.rl2 import RL2
from quickstudy.rl.recurrent import play_trial
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import train
from tests.rl.environments.corridor import Corridor


def plain(agent, inputs):
    """Log-probabilities of all actions, and the value, of each step of one trial: the GRU written out."""
    net, h, answers = agent.net, torch.zeros(agent.hidden, dtype=torch.float64), []
    w, u, b, c = (getattr(net.gru, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    for x in inputs:
        (r, z, n), (s, y, m) = (w @ x + b).chunk(3), (u @ h + c).chunk(3)
        keep = torch.sigmoid(z + y)
        h = (1 - keep) * torch.tanh(n + torch.sigmoid(r + s) * m) + keep * h
        answers.append(
            ((net.action.weight @ h + net.action.bias).log_softmax(0), net.value.weight[0] @ h + net.value.bias[0])
        )
    return answers


def plain_loss(agent, trials, old):
    """PPO's loss, one trial and one step after another.

    Args:
        agent: Agent.
        trials: Inputs, actions and rewards of each trial.
        old: What ``plain`` returned for each trial when it was played.
    """
    found = []
    for (_, _, rewards), answers in zip(trials, old, strict=True):
        values = [agent.unit * float(value) for _, value in answers] + [0.0]
        for t in range(len(rewards)):
            a = 0.0
            for k in range(t, len(rewards)):
                surprise = float(rewards[k]) + agent.discount * values[k + 1] - values[k]
                a += (agent.discount * agent.gae_lambda) ** (k - t) * surprise
            found.append((a, a + values[t]))
    mean = sum(a for a, _ in found) / len(found)
    std = (sum((a - mean) ** 2 for a, _ in found) / len(found)) ** 0.5
    total, numbers = 0.0, iter(found)
    for (inputs, actions, _), answers in zip(trials, old, strict=True):
        for (log, value), (log_before, _), action in zip(plain(agent, inputs), answers, actions, strict=True):
            a, target = next(numbers)
            a, ratio = (a - mean) / std, (log[action] - log_before[action].detach()).exp()
            limited = ratio.clamp(1 - agent.clip, 1 + agent.clip)
            entropy = -(log.exp() * log).sum()
            total = total - min(ratio * a, limited * a) - agent.entropy_weight * entropy
            total = total + agent.value_weight * (value - target / agent.unit) ** 2
    return total / len(found)


@pytest.mark.parametrize("world", [Bandits(3), MDPs(3, 2, horizon=3), Corridor()], ids=lambda w: type(w).__name__)
def test_the_loss_and_its_gradient_are_those_of_a_plain_loop(world):
    torch.manual_seed(0)
    agent = RL2(world, episodes=3, hidden=5, discount=0.9, gae_lambda=0.7, clip=0.1, entropy_weight=0.1)
    draws = Draws(0, "train", 1, 4)
    played, _ = play_trial(world, draws.tasks(world), agent.net, draws.generators("rollout-0"), 3)
    agent.double()
    played = Trajectories(*(part.double() if part.is_floating_point() else part for part in played))
    trials = [
        tuple(part[i][played.alive[i].bool()] for part in (played.observations, played.actions, played.rewards))
        for i in range(4)
    ]
    with torch.no_grad():
        old = [plain(agent, inputs) for inputs, _, _ in trials]
    steps = agent.steps_of(played)
    with torch.no_grad():  # other weights than those that played, so that some ratios are clipped
        for p in agent.parameters():
            p += 0.3 * torch.randn_like(p)
    expected = plain_loss(agent, trials, old)
    wanted = torch.autograd.grad(expected, list(agent.parameters()))
    loss = agent.loss(steps)
    assert torch.allclose(loss, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(torch.autograd.grad(loss, list(agent.parameters())), wanted, strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)
    unlimited, agent.clip = loss.item(), 1e9
    assert agent.loss(steps).item() != unlimited


def test_it_learns_to_try_the_arms_and_to_stay_with_the_better_one():
    torch.manual_seed(0)
    bandits = Bandits(arms=2)
    agent = RL2(bandits, episodes=8, hidden=16, parts=2)
    optimizer = agent.optimizer(3e-2)
    for k in range(18):
        agent.improve(bandits, Draws(0, "train", k, 100), optimizer)
    draws = Draws(0, "test", 0, 1000)
    with torch.no_grad():
        (trial,) = agent.adaptation(bandits, draws.tasks(bandits), draws, 0, 8)
    by_pull = trial.returns.mean(0)
    assert by_pull[0] < 0.55  # nothing is known: 0.5
    assert by_pull[3:].mean() > 0.56  # the best arm pays 0.667 on average


def test_adaptation_is_one_trial_and_the_agent_stays_as_it_was():
    navigation, draws = Navigation(horizon=3), Draws(0, "test", 0, 4)
    torch.manual_seed(0)
    agent = RL2(navigation, hidden=8)
    before = {name: p.clone() for name, p in agent.state_dict().items()}
    first, second = agent.adaptation(navigation, draws.tasks(navigation), draws, 1, 5)
    assert first.observations.shape == second.observations.shape == (4, 5, 3, 2)
    _, memory = play_trial(navigation, draws.tasks(navigation), agent.net, draws.generators("rollout-0"), 5)
    carried, _ = play_trial(navigation, draws.tasks(navigation), agent.net, draws.generators("rollout-1"), 5, memory)
    assert torch.equal(second.actions, carried.actions)
    assert all(torch.equal(p, before[name]) for name, p in agent.state_dict().items())


def test_trials_grow_to_their_whole_length():
    agent = RL2(Bandits(), episodes=100, grow_steps=50)
    lengths = [agent.length(step) for step in range(1, 60)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 2
    assert set(lengths[49:]) == {100}


def test_its_own_rate_is_used_if_none_is_given():
    assert settings_of({"agent": "rl2", "environment": "bandits"}).outer_lr == RL2.outer_lr == 1e-3
    assert settings_of({"agent": "rl2", "environment": "bandits", "outer_lr": 0.1}).outer_lr == 0.1
    assert settings_of({"agent": "reptile", "environment": "bandits"}).outer_lr == 0.1


@pytest.mark.parametrize("wrong", [{"episodes": 0}, {"parts": 0}, {"discount": 1.5}])
def test_arguments_out_of_range_are_refused_in_one_line(wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=f"^{name}=.*: give"):
        settings_of({"agent": "rl2", "environment": "bandits", "agent_arguments": wrong})


def test_adapting_by_gradients_is_refused(tmp_path):
    small = {"agent": "rl2", "environment": "bandits", "steps": 1, "agent_arguments": {"hidden": 4}}
    with pytest.raises(SettingError, match="no policy that adapts by gradients"):
        adapt(train(small, tmp_path / "run"))
