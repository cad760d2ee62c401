"""Learners for environments: the registry, and one file per algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from quickstudy.rl.learners.base import Agent

_HOME = "quickstudy.rl.learners."

AGENTS: Registry[type[Agent]] = Registry(
    "agent",
    {
        "maml": _HOME + "maml:MAML",
        "reptile": _HOME + "reptile:Reptile",
        "rl2": _HOME + "rl2:RL2",
        "finetuned": _HOME + "baselines:Finetuned",
        "random": _HOME + "baselines:Random",
        "oracle": _HOME + "baselines:Oracle",
    },
    base=_HOME + "base:Agent",
    group="quickstudy.agents",
)
"""Names that settings may use. ``AGENTS.register("mine", Mine)`` adds one, as does an entry point of the group
"quickstudy.agents"."""
