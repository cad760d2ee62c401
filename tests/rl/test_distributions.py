"""Distributions agree with torch's."""

import torch
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Independent, Normal, kl_divergence

from quickstudy.rl.distributions import Categorical, Gaussian


def test_gaussians_agree_with_torch():
    torch.manual_seed(0)
    a, b = (Gaussian(torch.randn(5, 3), torch.randn(3)) for _ in range(2))
    ta, tb = (Independent(Normal(x.mean, x.log_std.exp()), 1) for x in (a, b))
    x = torch.randn(5, 3)
    assert torch.allclose(a.log_prob(x), ta.log_prob(x), atol=1e-5)
    assert torch.allclose(a.kl(b), kl_divergence(ta, tb), atol=1e-4)
    assert torch.allclose(a.entropy(), ta.entropy(), atol=1e-5)


def test_categoricals_agree_with_torch():
    torch.manual_seed(0)
    a, b = (Categorical(torch.randn(5, 3)) for _ in range(2))
    ta, tb = (TorchCategorical(logits=x.logits) for x in (a, b))
    x = torch.tensor([0, 1, 2, 1, 0])
    assert torch.allclose(a.log_prob(x), ta.log_prob(x), atol=1e-6)
    assert torch.allclose(a.kl(b), kl_divergence(ta, tb), atol=1e-6)
    assert torch.allclose(a.entropy(), ta.entropy(), atol=1e-6)


def test_uniform_numbers_become_samples():
    u = (torch.arange(10_000) + 0.5).div(10_000).unsqueeze(-1)
    z = Gaussian(torch.full((1,), 2.0), torch.full((1,), 0.5).log()).sample(u)
    assert abs(z.mean() - 2) < 1e-3
    assert abs(z.std() - 0.5) < 1e-3
    logits = torch.tensor([0.0, 1.0, -1.0])
    counts = Categorical(logits.expand(10_000, 3)).sample(u).bincount(minlength=3) / 10_000
    assert torch.allclose(counts, logits.softmax(-1), atol=1e-3)
