"""An agent adapted to one environment, and its policy as a folder of data or as ONNX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from quickstudy.errors import ModelError, SettingError, one_line
from quickstudy.io.files import check_new, read_json, replace, whole_files
from quickstudy.io.tensors import pack, unpack
from quickstudy.models.build import construct
from quickstudy.rl.environments.base import Continuous, Discrete, Environment
from quickstudy.rl.environments.gymnasium import Gymnasium
from quickstudy.rl.learners.gradient import GradientAgent
from quickstudy.rl.policy import Policy
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws
from quickstudy.rl.run import Run
from quickstudy.sharing.onnx import silent

FORMAT = 1
"""Format number of the folder of a policy."""
TOLERANCE = 1e-5
"""Largest difference of an exported file's answers, relative to the largest answer."""


class Adapted(NamedTuple):
    """Policy of one task.

    Attributes:
        policy: Adapted policy.
        returns: Mean return after 0, 1, ... updates.
        n_episodes: Number of episodes that were played to learn, all updates together.
    """

    policy: Policy
    returns: tuple[float, ...]
    n_episodes: int


def adapt(
    run: Run | Path | str,
    environment: Environment | str | None = None,
    *,
    task_seed: int = 0,
    episodes: int = 20,
    updates: int = 1,
) -> Adapted:
    """Adapt a trained agent to one environment: play, update the policy, and play again.

    Args:
        run: Run, or its folder.
        environment: Environment, or "module:function" for your own; that of the run if None.
        task_seed: Seed of the task. The function of "module:function" receives this number.
        episodes: Episodes per update.
        updates: Number of updates.

    Raises:
        SettingError: A number is out of range, or the agent does not adapt by gradients. Or the environment has other
            observations or actions than those that it was trained on.

    >>> from tempfile import TemporaryDirectory
    >>> from quickstudy.rl.training import train
    >>> with TemporaryDirectory() as place:
    ...     folder = train({"environment": "bandits", "steps": 1, "agent_arguments": {"hidden": ()}}, place + "/run")
    ...     adapted = adapt(folder, episodes=4)
    >>> len(adapted.returns)
    2
    """
    check_range(0, 2**63 - 1, task_seed=task_seed)
    check_range(0, updates=updates)
    check_range(1, episodes=episodes)
    run = run if isinstance(run, Run) else Run(run)
    agent, before = run.agent, run.environment
    if not isinstance(agent, GradientAgent) or agent.policy.inputs != before.observation_size:
        raise SettingError(
            f"{run.settings.agent!r} has no policy that adapts by gradients; give a run of maml or reptile"
        )
    if isinstance(environment, str):
        environment = Gymnasium(environment, before.horizon)
    environment = environment or before
    own = isinstance(environment, Gymnasium)
    tasks: Any = torch.tensor([task_seed]) if own else environment.sample_tasks(task_seed, "adapt", 0, 1)
    agent.check_fits(environment)
    draws, params, returns = Draws(task_seed, "adapt", 0, 1), agent.stacked(1), []
    with torch.no_grad():
        for t in range(updates + 1):
            played = agent.play(environment, tasks, draws, t, params, episodes)
            returns.append(played.returns.mean().item())
            if t < updates:
                params = agent.updated(params, agent.batch(played), t)
        policy = Policy(agent.policy.inputs, agent.policy.actions, agent.policy.hidden, agent.policy.activation)
        policy.load_state_dict({name: p[0] for name, p in params.items()})
    return Adapted(policy.eval(), tuple(returns), updates * episodes)


def save_policy(policy: Policy, folder: Path | str, **about: Any) -> None:
    """Save a policy in a folder, as data.

    Args:
        policy: Policy.
        folder: New folder.
        about: Plain data on how it was made.

    Raises:
        SettingError: There is something in the folder already.
    """
    folder = Path(folder)
    check_new(folder)
    actions = {"discrete": policy.actions.n} if isinstance(policy.actions, Discrete) else {"size": policy.actions.size}
    config = {
        "format": FORMAT, "inputs": policy.inputs, "actions": actions, "hidden": list(policy.hidden),
        "activation": policy.activation, "about": about,
    }  # fmt: skip
    with whole_files(folder) as partial:
        replace(partial / "policy.json", (json.dumps(config, indent=2) + "\n").encode())
        replace(partial / "policy.safetensors", pack(policy.state_dict()))


def load_policy(folder: Path | str) -> Policy:
    """Return the policy of a folder.

    Raises:
        ModelError: The folder is not a policy, or is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     save_policy(Policy(2, Discrete(3), (4,)), place + "/policy")
    ...     load_policy(place + "/policy").act([0.0, 0.0]).shape
    torch.Size([])
    """
    path = Path(folder) / "policy.json"
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ModelError(f"{path} is not a policy of this version; adapt again")
    try:
        actions = config["actions"]
        kind = Discrete(int(actions["discrete"])) if "discrete" in actions else Continuous(int(actions["size"]))
        described = {name: config[name] for name in ("inputs", "hidden", "activation")}
        with torch.device("meta"):
            policy = construct(Policy, {**described, "actions": kind})
    except Exception as error:  # the file may hold anything
        raise ModelError(f"{path} cannot be read: {one_line(error)}; adapt again") from error
    expected = {name: (torch.float32, tuple(t.shape)) for name, t in policy.state_dict().items()}
    tensors = unpack(Path(folder) / "policy.safetensors", expected)
    policy.load_state_dict(tensors, assign=True)
    return policy.eval()


class _Action(nn.Module):
    """Module from observations to the most probable actions."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, x: Tensor) -> Tensor:
        action: Tensor = self.policy(x).mode()
        return action


def export_policy(policy: Policy, path: Path | str) -> None:
    """Write a policy as ONNX, from "observation" (n, inputs) to the most probable "action", and check the file.

    Args:
        policy: Policy.
        path: Path of the file.

    Raises:
        SettingError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: The actions of the file differ from the policy's.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise SettingError("onnx is not installed; pip install 'quickstudy[onnx]'") from None
    module = _Action(policy).eval()
    few, many = (torch.rand(n, policy.inputs, generator=torch.Generator().manual_seed(n)) for n in (3, 5))
    with torch.no_grad(), silent():
        program = torch.onnx.export(
            module,
            (few,),
            input_names=["observation"],
            output_names=["action"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            verbose=False,
        )
    assert program is not None
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for x in (few, many):
        with torch.no_grad():
            expected = module(x).numpy()
        action = session.run(None, {"observation": x.numpy()})[0]
        off = float(np.abs(action - expected).max() / max(np.abs(expected).max(), 1e-9))
        if not off <= TOLERANCE:
            raise ModelError(f"the exported file differs from the policy by {off:.1e} relative; nothing was written")
    replace(Path(path), content)
