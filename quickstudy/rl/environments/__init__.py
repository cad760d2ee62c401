"""Distributions of environments: the registry, and one file per distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from quickstudy.rl.environments.base import Environment

_HOME = "quickstudy.rl.environments."

ENVIRONMENTS: Registry[type[Environment]] = Registry(
    "environment",
    {
        "navigation": _HOME + "navigation:Navigation",
        "sparse-navigation": _HOME + "navigation:SparseNavigation",
        "bandits": _HOME + "bandits:Bandits",
        "mdps": _HOME + "mdps:MDPs",
        "cheetah-direction": _HOME + "cheetah:CheetahDirection",
        "cheetah-velocity": _HOME + "cheetah:CheetahVelocity",
    },
    base=_HOME + "base:Environment",
    group="quickstudy.environments",
)
"""Names that settings may use. ``ENVIRONMENTS.register("mine", Mine)`` adds one, as does an entry point of the group
"quickstudy.environments"."""
