"""A learner on any net is saved and loaded as it was, or it is refused in one line before anything is written."""

import json

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from quickstudy.errors import ModelError, QuickstudyError
from quickstudy.learners import LEARNERS as REGISTERED
from quickstudy.learners import MAML, R2D2, Prototypical
from quickstudy.models.folder import ModelFolder, save
from quickstudy.models.state import saved
from quickstudy.nets import NETS, Identity
from quickstudy.tasks.task import Examples

LEARNERS = {"prototypical": Prototypical, "maml": lambda net: MAML(net, 3)}


class Plain(nn.Module):
    def __init__(self, in_features: int = 4):
        super().__init__()
        self.in_features, self.out_features = in_features, 8
        self.first, self.second = nn.Linear(in_features, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh())


class Tied(Plain):
    def __init__(self):
        super().__init__()
        self.third = nn.Linear(8, 8)
        self.third.weight = self.second.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.third(super().forward(x).tanh())


class Twice(Plain):
    def __init__(self):
        super().__init__()
        self.third = self.second

    def forward(self, x: Tensor) -> Tensor:
        return self.third(super().forward(x).tanh())


class Views(Plain):
    """Buffers that are parts of one tensor, one of them under two names."""

    def __init__(self):
        super().__init__()
        self.register_buffer("all", torch.ones(4, 8))
        self.register_buffer("part", self.all[1:3])
        self.first.register_buffer("all", self.all)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.part.sum()


class Frozen(Plain):
    def __init__(self):
        super().__init__()
        self.first.requires_grad_(False)


class Masked(Plain):
    """A causal mask of -inf above the diagonal."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((8, 8), -torch.inf).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        return (super().forward(x)[:, None] + self.mask).softmax(-1).sum(-2)


class Depths(Plain):
    """Rates of stochastic depth, read from a tensor."""

    def __init__(self):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]


class Orthogonal(Plain):
    def __init__(self):
        super().__init__()
        parametrizations.orthogonal(self.first)
        parametrizations.orthogonal(self.second)


class OldNorm(Plain):
    def __init__(self):
        super().__init__()
        nn.utils.weight_norm(self.second)


class Pruned(Plain):
    def __init__(self):
        super().__init__()
        prune.l1_unstructured(self.second, "weight", amount=0.3)


class Unsigned(Plain):
    def __init__(self):
        super().__init__()
        for bits, dtype in ((16, torch.uint16), (32, torch.uint32), (64, torch.uint64)):
            self.register_buffer(f"of{bits}", torch.arange(3).to(dtype))


class Constant(Plain):
    """A buffer that is not saved, since it is the same in each new net."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.arange(8.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Complex(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("w", torch.ones(3, dtype=torch.complex64))


class Small(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("w", torch.ones(3).to(torch.float8_e4m3fn))


class Stateful(Plain):
    def get_extra_state(self) -> dict[str, int]:
        return {"a": 1}


class RandomScale(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.randn(8), persistent=False)


class RandomAttribute(Plain):
    def __init__(self):
        super().__init__()
        self.directions = torch.randn(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) @ self.directions


class Noisy(Plain):
    """Draws random numbers for each answer."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(8)


class Typed(Plain):
    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.dtype = dtype


def changed_later() -> nn.Module:
    net = Plain()
    net.register_forward_hook(lambda *given: given[-1].relu())
    return net


def unfrozen() -> nn.Module:
    net = Frozen()
    net.first.weight.requires_grad_(True)
    net.second.bias.requires_grad_(False)
    return net


def untied() -> nn.Module:
    net = Tied()
    net.third.weight = nn.Parameter(net.second.weight.detach().clone())
    return net


def tied() -> nn.Module:
    net = Plain(8)
    net.second.weight = net.first.weight
    return net


def pruned_later() -> nn.Module:
    net = Plain()
    prune.l1_unstructured(net.second, "weight", amount=0.3)
    return net


def infinite(name: str) -> nn.Module:
    net = Masked()
    with torch.no_grad():
        net.get_parameter(name)[0] = torch.inf
    return net


def mask_changed() -> nn.Module:
    net = Masked()
    net.mask[1, 0] = -torch.inf
    return net


SAVED = {
    each.__name__: each
    for each in (
        Tied, Twice, Views, Frozen, unfrozen, Masked, Depths, Orthogonal, OldNorm, Pruned, Unsigned, Constant, Noisy
    )
}  # fmt: skip
REFUSED = {
    "a weight untied afterwards": (untied, "was tied or untied after __init__; tie weights"),
    "a weight tied afterwards": (tied, "was tied or untied after __init__; tie weights"),
    "complex numbers": (Complex, "holds torch.complex64, which cannot be saved; .*view_as_real"),
    "float8": (Small, "holds torch.float8_e4m3fn, which cannot be saved; use another number type"),
    "another number type": (lambda: Plain().double(), "is torch.float64, .* but torch.float32, .* change type"),
    "pruned afterwards": (pruned_later, "weight_orig' is not in a new learner .* call prune.remove"),
    "a state that is a dictionary": (Stateful, "_extra_state' is of type dict, but a state holds tensors; use"),
    "a random buffer that is not saved": (RandomScale, "scale' is not persistent, and differs .* register it"),
    "a random tensor that is no buffer": (RandomAttribute, "answers differently when it is loaded, .* or a buffer"),
    "a change that is no argument": (changed_later, "answers differently when it is loaded, since .* after __init__"),
    "an argument that is no plain data": (Typed, "dtype is not JSON serializable.*; use numbers, words or lists"),
    "an infinite weight": (lambda: infinite("first.weight"), "first.weight' holds NaN or infinity"),
    "a buffer that became infinite": (mask_changed, "mask' holds NaN or infinity"),
}


@pytest.fixture(autouse=True)
def registered():
    torch.manual_seed(0)
    for cls in (Plain, *Plain.__subclasses__()):
        NETS.register(cls.__name__, cls)


def ties(learner: nn.Module) -> set[tuple[str, str]]:
    names = list(learner.named_parameters(remove_duplicate=False))
    return {(a, b) for a, p in names for b, q in names if p is q and a != b}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("net", SAVED)
def test_a_learner_on_ones_own_net_is_loaded_as_it_was(net, kind, tmp_path):
    learner = LEARNERS[kind](SAVED[net]()).eval()
    with torch.no_grad():
        for p in learner.parameters():
            p *= 1.1
    save(learner, tmp_path)
    again = ModelFolder(tmp_path).learner
    support, x = Examples(torch.randn(3, 4), torch.arange(3)), torch.randn(2, 4)
    answers = []
    for each in (again, learner):
        torch.manual_seed(1)
        answers.append(each.adapt(support)(x))
    assert torch.equal(*answers)
    flags = [{name: p.requires_grad for name, p in each.named_parameters()} for each in (learner, again)]
    assert flags[0] == flags[1]
    assert ties(again) == ties(learner)
    assert bool(ties(again)) == (net in ("Tied", "Twice"))
    assert list(ModelFolder(tmp_path).faults()) == []


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_could_not_be_loaded_is_refused_before_anything_is_written(case, kind, tmp_path):
    net, says = REFUSED[case]
    with pytest.raises(QuickstudyError, match=says) as caught:
        save(LEARNERS[kind](net()).eval(), tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_the_trial_leaves_learner_and_random_state_alone():
    learner, before = Prototypical(Depths()), torch.get_rng_state()
    data = saved(learner)
    assert torch.equal(torch.get_rng_state(), before)
    assert learner.training
    assert list(data.probe) == ["support.x", "support.y", "query.x", "answers"]


def test_a_random_buffer_is_refused_though_its_seed_is_set_again():
    torch.manual_seed(3)
    learner = Prototypical(RandomScale())
    torch.manual_seed(3)
    with pytest.raises(ModelError, match="is not persistent"):
        saved(learner)


@pytest.mark.parametrize("names", ["net.first.weight", ["net.mask"], [3], {"net.first.weight": True}], ids=repr)
@pytest.mark.parametrize("entry", ["frozen", "unfrozen"])
def test_flags_of_what_is_no_weight_are_refused(entry, names, tmp_path):
    ModelFolder(tmp_path).write(Prototypical(Masked()), **{entry: names})
    with pytest.raises(ModelError, match=rf"{entry} = .* not all are weights; train again"):
        _ = ModelFolder(tmp_path).learner


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("old", [False, True])
def test_whether_classes_weigh_the_same_is_saved(balanced, old, tmp_path):
    """A folder of a learner that does not say it is of a learner whose classes weigh the same."""
    learner = R2D2(Identity(4)).eval()
    learner.balanced = balanced or old
    save(learner, tmp_path)
    if old:
        config = json.loads((tmp_path / "config.json").read_text())
        del config["balanced"]
        (tmp_path / "config.json").write_text(json.dumps(config | {"format": 4 if balanced else 3}))
    support = Examples(torch.randn(6, 4), torch.eye(3)[[0, 0, 0, 0, 1, 2]])
    again, query = ModelFolder(tmp_path).learner, torch.randn(5, 4)
    assert torch.equal(again.adapt(support)(query), learner.adapt(support)(query))
    learner.balanced = not learner.balanced
    assert not torch.allclose(again.adapt(support)(query), learner.adapt(support)(query))


def test_an_old_folder_leaves_to_the_class_whether_classes_weigh_the_same(tmp_path):
    class Unbalanced(R2D2):
        balanced = False

    REGISTERED.register("unbalanced", Unbalanced)
    save(Unbalanced(Identity(4)).eval(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["balanced"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ModelFolder(tmp_path).learner.balanced is False
