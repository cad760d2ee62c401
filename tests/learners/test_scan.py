import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import grad, jacrev, vmap

from quickstudy.learners.scan import scan

Carry = tuple[dict[str, Tensor], Tensor]


def step(carry: Carry, data: tuple[Tensor, Tensor], t: int) -> Carry:
    (params, speed), (pull, drag) = carry, data
    speed = torch.tanh(drag * speed - grad(lambda w: (pull * w**2).sum() / (t + 1))(params["w"]))
    return {"w": params["w"] + 0.3 * speed}, speed


def inputs(*batch: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(*batch, 3, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(4)]


def scanned(w: Tensor, speed: Tensor, pull: Tensor, drag: Tensor) -> Tensor:
    params, speed = scan(step, ({"w": w}, speed), (pull, drag), 4)
    return params["w"].sin().sum() + speed.prod()


def looped(w: Tensor, speed: Tensor, pull: Tensor, drag: Tensor) -> Tensor:
    carry: Carry = {"w": w}, speed
    for t in range(4):
        carry = step(carry, (pull, drag), t)
    return carry[0]["w"].sin().sum() + carry[1].prod()


def test_value_and_gradients_are_those_of_a_plain_loop():
    x = inputs()
    assert torch.equal(scanned(*x), looped(*x))
    torch.testing.assert_close(
        torch.autograd.grad(scanned(*x), x), torch.autograd.grad(looped(*x), x), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("wanted", [(0,), (2,), (1, 3)])
def test_what_needs_no_gradient_gets_none(wanted):
    x = [t if i in wanted else t.detach() for i, t in enumerate(inputs())]
    some = [x[i] for i in wanted]
    torch.testing.assert_close(torch.autograd.grad(scanned(*x), some), torch.autograd.grad(looped(*x), some))


@pytest.mark.parametrize("shared", [(), (0, 1), (2, 3)])
def test_under_vmap_every_lane_is_alone_and_what_is_shared_gets_the_sum(shared):
    one, many = inputs(), inputs(5)
    x = [one[i] if i in shared else many[i] for i in range(4)]
    dims = tuple(None if i in shared else 0 for i in range(4))
    found = [vmap(f, in_dims=dims)(*x) for f in (scanned, looped)]
    torch.testing.assert_close(*found, rtol=1e-13, atol=0)
    torch.testing.assert_close(*(torch.autograd.grad(out.sum(), x) for out in found), rtol=1e-12, atol=1e-13)


def test_function_transforms_go_through():
    x = [t.detach() for t in inputs()]
    for transform in (grad, jacrev):
        torch.testing.assert_close(transform(scanned)(*x), transform(looped)(*x))


MEMORY = """
import sys
from pathlib import Path
import torch
import quickstudy as qs
from quickstudy.testing import noise_tasks

def peak():  # of this process alone: getrusage begins with the parent's
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

torch.set_num_threads(1)
small = qs.MAML(qs.MLP(2, (3,)), 5, inner_steps=6).double()
small.meta_loss(noise_tasks(small, 1, n_shot=1, n_query=1).at(0)).backward()  # torch loads 50 MB of itself here
learner = qs.MAML(qs.Conv4(size=28, width=16), 5, inner_lr=0.01, inner_steps=int(sys.argv[1]))
task = noise_tasks(learner, 1, n_shot=4, n_query=1).at(0)
learner.double()
before = peak()
learner.meta_loss(task).backward()
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak memory")
@pytest.mark.slow
def test_fifty_steps_of_second_order_maml_take_less_than_twice_the_memory_of_five():
    # What is freed goes back to the system at once, so that the peak is of what is alive.
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}

    def peak(steps: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(steps)]
        return int(subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout)

    five, fifty = peak(5), peak(50)
    assert five > 25_000  # kB, more than an allocator's noise
    assert fifty < 2 * five


def test_a_part_of_the_carry_that_stays_as_it_is_has_its_gradient():
    def end(x: Tensor, rate: Tensor) -> Tensor:
        return scan(lambda c, _, t: (c[0] - c[1] * c[0], c[1]), (x, rate), (), 6)[0]

    x, rate = torch.tensor([2.0, 0.1]).double().requires_grad_().unbind()
    slopes = torch.autograd.grad(end(x, rate), (x, rate))
    torch.testing.assert_close(torch.stack(slopes), torch.stack([(1 - rate) ** 6, -6 * x * (1 - rate) ** 5]).detach())


def test_a_dictionary_may_come_out_in_another_order():
    start = {"a": torch.tensor(2.0, requires_grad=True), "b": torch.ones(3)}
    end = scan(lambda c, _, t: {"b": c["b"] * c["a"], "a": 2 * c["a"]}, start, (), 3)
    assert end["a"].item() == 16
    assert end["b"].tolist() == [2 * 4 * 8] * 3
    end["b"].sum().backward()
    assert start["a"].grad.item() == 3 * 3 * 64 / 2
