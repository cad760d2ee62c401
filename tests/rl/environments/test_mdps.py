"""Decision processes move and reward as their tables say."""

import torch

from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.rollout import Draws


def test_moves_and_rewards_are_those_of_the_tables():
    mdps, draws = MDPs(), Draws(0, "train", 0, 2)
    tasks, n = draws.tasks(mdps), 40_000
    chances, means = tasks
    rng = torch.Generator().manual_seed(0)
    state, first = mdps.reset(tasks, n, torch.rand(2, n, 2, generator=rng))
    assert (first.argmax(-1) == 0).all()
    action = torch.full((2, n), 3)
    for start in (0, None):
        t = mdps.step(state, action, torch.rand(2, n, 2, generator=rng))
        for i in range(2):
            where = first[i].argmax(-1)
            for place in (0,) if start == 0 else range(10):
                rows = where == place
                table = chances[i, place, 3].diff(prepend=torch.zeros(1))
                close = 4 / rows.sum().sqrt()
                assert (t.observation[i, rows].mean(0) - table).abs().max() < close
                assert abs(t.reward[i, rows].mean() - means[i, place, 3]) < 1.5 * close
                assert abs(t.reward[i, rows].std() - 1) < 1.5 * close
        state, first = t.state, t.observation


def test_tables_are_drawn_as_in_the_paper():
    chances, means = MDPs().sample_tasks(0, "train", 0, 50)
    probabilities = chances.diff(dim=-1, prepend=torch.zeros(*chances.shape[:-1], 1))
    assert torch.allclose(chances[..., -1], torch.ones(50, 10, 5), atol=1e-5)
    # A coordinate of a flat Dirichlet distribution of size 10 is Beta(1, 9): mean 1/10, variance 9/1100.
    assert abs(probabilities.var() - 9 / 1100) < 3e-4
    assert abs(means.mean() - 1) < 0.06
    assert abs(means.std() - 1) < 0.05
