"""Losses of a policy on sampled episodes, and which derivatives of the expected return theirs estimate."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from quickstudy.errors import SettingError, unknown
from quickstudy.learners.inner import Params
from quickstudy.rl.baseline import Batch
from quickstudy.rl.distributions import Distribution
from quickstudy.rl.policy import Policy

Estimator = Literal["dice", "lvc", "score"]


def check_estimator(name: str) -> None:
    """Refuse an unknown estimator.

    Raises:
        SettingError: No estimator has this name.
    """
    if name not in get_args(Estimator):
        raise SettingError(unknown("estimator", name, get_args(Estimator)))


def distribution_of(policy: Policy, params: Params, batch: Batch) -> Distribution:
    """Return the distribution of the action of every step."""
    distribution: Distribution = policy(batch.observations, params)
    return distribution


def surrogate(policy: Policy, params: Params, batch: Batch, estimator: Estimator) -> Tensor:
    """Return a loss per task, (n_tasks,), whose gradient is minus that of the expected return, estimated.

    All three have the same gradient, the policy gradient, at the weights that the episodes were sampled with. The
    inner loop is differentiated a second time, and there they differ, because the sampling depends on the weights too.

    "dice" multiplies each advantage by the change of the likelihood of the episode so far. Its derivatives of any order
    are unbiased if the advantages are. Its variance is the largest. See Foerster et al. 2018, arXiv:1802.05098, and for
    advantages Farquhar et al. 2019, arXiv:1909.10549.

    "lvc" multiplies each advantage by the likelihood ratio of the same action. Its second derivative leaves out the
    products of different steps, which has a smaller variance. See Rothfuss et al. 2019, section 5, arXiv:1810.06784.

    "score" multiplies each advantage by the log-likelihood, as the program of Finn et al. 2017 does. Its second
    derivative ignores that the sampling changes.

    Args:
        policy: Policy.
        params: Weights of each task, (n_tasks, *shape), or shared ones.
        batch: Steps sampled with these weights.
        estimator: "dice", "lvc" or "score".
    """
    log_prob = distribution_of(policy, params, batch).log_prob(batch.actions).view_as(batch.advantages)
    if estimator == "score":
        factor = log_prob
    elif estimator == "lvc":
        factor = (log_prob - log_prob.detach()).exp()
    else:
        change = (log_prob - log_prob.detach()) * (batch.weights > 0)
        total = change.cumsum(-1)
        factor = total.exp() - (total - change).exp()
    return -(batch.weights * batch.advantages * factor).sum((1, 2))


def ratio_loss(policy: Policy, params: Params, batch: Batch, old: Tensor) -> Tensor:
    """Return the mean over tasks of minus the advantage times the likelihood ratio to an older policy, a scalar.

    Args:
        policy: Policy.
        params: Weights, shared or one per task.
        batch: Steps sampled with the older policy.
        old: Log-probabilities of the actions at the older policy, (n_tasks, steps).

    Source: Schulman et al. 2015, eq. 14, arXiv:1502.05477.
    """
    ratio = (distribution_of(policy, params, batch).log_prob(batch.actions) - old).exp().view_as(batch.advantages)
    return -(batch.weights * ratio * batch.advantages).sum((1, 2)).mean()


def clipped(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Return likelihood ratios times advantages, of which changes beyond ``clip`` are not rewarded.

    Source: Schulman et al. 2017, eq. 7, arXiv:1707.06347.

    >>> clipped(torch.tensor([1.5, 1.5, 0.5]), torch.tensor([1.0, -1.0, 1.0]), 0.2)
    tensor([ 1.2000, -1.5000,  0.5000])
    """
    return torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def mean_kl(policy: Policy, params: Params, batch: Batch, old: Distribution) -> Tensor:
    """Return the divergence of the policy from an older one, the mean over steps and tasks, a scalar."""
    new: Any = distribution_of(policy, params, batch)
    each = old.kl(new).view_as(batch.weights)
    return (batch.weights * each).sum((1, 2)).mean()
