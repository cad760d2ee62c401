import math

import numpy as np
import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.tasks.task import Task


def tensors(tasks: Task) -> list[torch.Tensor]:
    return [*tasks.support, *tasks.query]


def waves(tasks: Task) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Amplitude, phase and largest misfit of each task, from y = a sin x + b cos x."""
    x, y = (
        torch.cat([tasks.support.x, tasks.query.x], 1).double(),
        torch.cat([tasks.support.y, tasks.query.y], 1).double(),
    )
    basis = torch.cat([x.sin(), x.cos()], -1)
    ab = torch.linalg.lstsq(basis, y, driver="gelsd").solution
    a, b = ab[:, 0, 0], ab[:, 1, 0]
    return torch.hypot(a, b), torch.atan2(-b, a), (basis @ ab - y).abs().amax((1, 2))


def test_shapes_and_types():
    tasks = Sinusoid(n_shot=5, n_query=7).sample(0, 3)
    assert [t.shape for t in tensors(tasks)] == [(3, 5, 1)] * 2 + [(3, 7, 1)] * 2
    assert {t.dtype for t in tensors(tasks)} == {torch.float32}


def test_every_task_is_one_sine_in_the_published_ranges():
    tasks = Sinusoid(n_shot=20, n_query=20).sample(0, 2000)
    amplitude, phase, misfit = waves(tasks)
    assert misfit.max() < 1e-4
    assert amplitude.min() > 0.1 - 1e-3
    assert 4.95 < amplitude.max() < 5 + 1e-3
    assert phase.min() > -1e-3
    assert math.pi - 0.05 < phase.max() < math.pi + 1e-3
    x = tasks.support.x
    assert x.min() >= -5
    assert x.max() <= 5
    for values, low, high in ((amplitude, 0.1, 5.0), (phase, 0.0, math.pi), (x.flatten(), -5.0, 5.0)):
        quarters = np.histogram(values.numpy(), bins=np.linspace(low, high, 5))[0] / values.numel()
        assert np.abs(quarters - 0.25).max() < 0.05  # uniform


def test_ranges_can_be_chosen():
    tasks = Sinusoid(amplitude=(2, 2), phase=(1, 1), x_range=(3, 4)).sample(0, 5)
    torch.testing.assert_close(tasks.query.y, 2 * torch.sin(tasks.query.x - 1))
    assert tasks.query.x.min() >= 3
    assert tasks.query.x.max() <= 4


def test_a_task_depends_on_seed_split_step_and_its_number_alone():
    source = Sinusoid(seed=3)
    source.sample(99, 4)
    for few, many in zip(tensors(source.sample(5, 2)), tensors(Sinusoid(seed=3).sample(5, 9)), strict=True):
        assert torch.equal(few, many[:2])
    others = [Sinusoid(seed=4), Sinusoid(seed=3, split="test")]
    drawn = [source.sample(5, 1), source.sample(6, 1), *(other.sample(5, 1) for other in others)]
    values = {float(tasks.support.x[0, 0, 0]) for tasks in drawn}
    assert len(values) == 4


def test_tasks_of_a_step_differ_and_support_is_not_query():
    tasks = Sinusoid().sample(0, 50)
    x = torch.cat([tasks.support.x, tasks.query.x], 1).flatten()
    assert len(x.unique()) > 0.99 * len(x)


def test_global_random_state_is_left_alone():
    def numpy_state() -> tuple[list[int], int]:
        _, keys, position, *_ = np.random.get_state()  # noqa: NPY002
        return keys.tolist(), position

    before = torch.get_rng_state(), numpy_state()
    Sinusoid().sample(0, 2)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == numpy_state()


@pytest.mark.parametrize(
    "settings",
    [
        {"n_shot": 0},
        {"n_query": -1},
        {"amplitude": (5, 0.1)},
        {"phase": (0, math.inf)},
        {"x_range": (math.nan, 1)},
    ],
)
def test_bad_settings_are_one_line_that_names_them(settings):
    with pytest.raises(SettingError, match=next(iter(settings))) as caught:
        Sinusoid(**settings)
    assert "\n" not in str(caught.value)
