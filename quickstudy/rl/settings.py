"""Settings of a training on environments, as plain data."""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quickstudy.errors import SettingError, one_line
from quickstudy.learners.draws import seeded
from quickstudy.models.build import construct
from quickstudy.registry import Registry
from quickstudy.rl.environments import ENVIRONMENTS
from quickstudy.rl.environments.base import Discrete, Environment
from quickstudy.rl.learners import AGENTS
from quickstudy.rl.learners.base import Agent
from quickstudy.rl.ranges import check_range
from quickstudy.runs.schema import MOST

STORED = 0.1
"""Outer rate that runs of 1.0.0 stored for agents that have none."""


class Settings(BaseModel):
    """Everything that decides a training, and so its result.

    Attributes:
        agent: Name in ``AGENTS``.
        environment: Name in ``ENVIRONMENTS``, or "module:function" for your own (see ``Gymnasium``).
        agent_arguments: Arguments of the agent.
        environment_arguments: Arguments of the environment.
        steps: Number of outer steps.
        tasks_per_step: Number of tasks in one step.
        outer_lr: Rate of the outer optimiser; ``settings_of`` takes the agent's own if it is not given. None for an
            agent whose outer step is a trust region.
        schedule: Schedule of the outer rate: "constant", or "cosine" or "linear", which fall to 0.
        seed: Seed of the weights, tasks and episodes.
        save_every: Steps between two checkpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    agent: str = "maml"
    environment: str = "navigation"
    agent_arguments: dict[str, Any] = {}
    environment_arguments: dict[str, Any] = {}
    steps: int = Field(100, ge=1)
    tasks_per_step: int = Field(20, ge=1)
    outer_lr: float | None = Field(None, gt=0, le=MOST)
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    seed: int = Field(0, ge=0, lt=2**63)
    save_every: int = Field(10, ge=1)


def settings_of(values: dict[str, Any]) -> Settings:
    """Return checked settings.

    Raises:
        SettingError: A setting is unknown, out of range or without effect, or an argument does not fit its class.

    >>> settings_of({"steps": 0})
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: steps = 0: Input should be greater than or equal to 1
    """
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingError(f"{name} = {one_line(repr(first['input']))}: {first['msg']}") from None
    agent = build_agent(settings, build_environment(settings))
    if agent.outer_lr is None:
        for name, value in (("outer_lr", settings.outer_lr), ("schedule", settings.schedule)):
            if value not in (None, STORED, "constant"):
                raise SettingError(
                    f"{name} = {value} has no effect with agent = {settings.agent}: a trust region decides its outer "
                    f"step; leave it out, or set max_kl by the agent's arguments"
                )
    return settings if settings.outer_lr is not None else settings.model_copy(update={"outer_lr": agent.outer_lr})


def arguments_of(flag: str, text: str) -> dict[str, Any]:
    """Return the arguments that a flag gives as JSON.

    Raises:
        SettingError: The text is not a JSON object.

    >>> arguments_of("--agent-arguments", '{"inner_lr": 0.1}')
    {'inner_lr': 0.1}
    """
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise SettingError(f"{flag} {one_line(text)!r} is not JSON: {error}") from None
    if not isinstance(arguments, dict):
        raise SettingError(f'{flag} {one_line(text)!r} is not a JSON object; write {{"name": value}}')
    return arguments


def build_environment(settings: Settings) -> Environment:
    """Return the environment of settings.

    Raises:
        SettingError: The name is unknown, or an argument does not fit.
    """
    arguments = dict(settings.environment_arguments)
    if ":" in settings.environment:
        from quickstudy.rl.environments.gymnasium import Gymnasium

        environment: Environment = construct(Gymnasium, {"env": settings.environment, **arguments})
    else:
        environment = construct(_checked(ENVIRONMENTS, settings.environment, arguments), arguments)
    actions = environment.actions
    check_range(1, horizon=environment.horizon, observation_size=environment.observation_size)
    check_range(1, actions=actions.n if isinstance(actions, Discrete) else actions.size)
    return environment


def build_agent(settings: Settings, environment: Environment) -> Agent:
    """Return the agent of settings, with weights drawn by the seed.

    Raises:
        SettingError: The name is unknown, or an argument does not fit.
    """
    arguments = dict(settings.agent_arguments)
    cls = _checked(AGENTS, settings.agent, arguments)
    try:
        with seeded(settings.seed):
            agent: Agent = construct(cls, {"environment": environment, **arguments})
    except SettingError:
        raise
    except Exception as error:  # constructors may raise any error for a wrong type or combination
        raise SettingError(f"agent {settings.agent!r} cannot be built from {arguments}: {one_line(error)}") from error
    return agent


def _checked(registry: Registry[Any], name: str, arguments: dict[str, Any]) -> Any:
    """Return the class of a name, and refuse arguments that neither it nor a class that it extends has."""
    cls = registry[name]
    known: set[str] = set()
    for each in cls.__mro__:
        if "__init__" in vars(each):
            parameters = inspect.signature(each.__init__).parameters.values()
            known |= {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self", "environment"}
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    for argument in arguments:
        if argument not in known:
            raise SettingError(
                f"{registry.noun} {name!r} has no argument {argument!r}; it has {', '.join(sorted(known)) or 'none'}"
            )
    return cls
