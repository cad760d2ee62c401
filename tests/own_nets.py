"""Nets as people bring them, tried with six learners: what ``docs/own-net.md`` says of each is what this measures."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import quickstudy as qs
from quickstudy.draws import same, seeded, states
from quickstudy.errors import QuickstudyError
from quickstudy.tasks.episodes import seeds_of
from quickstudy.tasks.task import Examples, Task
from quickstudy.training import outer_loop
from quickstudy.training.outer import State
from quickstudy.tree import Tree, concatenated

N_WAY, N_SHOT, N_QUERY = 3, 2, 2
WIDTH = 6
RATE = 0.3

Inputs = Callable[[int, torch.Generator], Tree]
"""A number of examples, and a generator to draw them by."""


class Noise:
    """Tasks of noise: the same of a step, whoever asks."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs, self.seed, self.split = inputs, 0, "train"

    def sample(self, step: int, n_tasks: int) -> Task:
        tasks = [self._task(torch.Generator().manual_seed(1000 * step + i)) for i in range(n_tasks)]
        parts = [torch.utils._pytree.tree_map(lambda *t: torch.stack(t), *some) for some in zip(*tasks, strict=True)]
        return Task(*parts)

    def _task(self, draw: torch.Generator) -> tuple[Examples, Examples]:
        rows = torch.eye(N_WAY)
        return tuple(Examples(self.inputs(k * N_WAY, draw), rows.repeat(k, 1)) for k in (N_SHOT, N_QUERY))


def vectors(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 4, generator=draw)


def images(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 3, 6, 6, generator=draw)


def series(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 5, 4, generator=draw)


def sentences(n: int, draw: torch.Generator) -> Tree:
    length = torch.randint(3, 7, (n, 1), generator=draw)
    ids = torch.randint(1, 50, (n, 6), generator=draw)
    return {"input_ids": ids, "attention_mask": (torch.arange(6) < length).long()}


def pairs(n: int, draw: torch.Generator) -> Tree:
    return {"a": vectors(n, draw), "b": vectors(n, draw)}


class Net(nn.Module):
    """Layers in a row, with the width of what they make."""

    def __init__(self, *layers: nn.Module, width: int = WIDTH) -> None:
        super().__init__()
        self.layers, self.out_features = nn.Sequential(*layers), width

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Block(nn.Module):
    """A basic block of He et al. 2016, with any norm; smooth, for at a kink a difference is no gradient."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(norm(channels) for _ in range(2))
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        z = self.act(self.norms[0](self.first(x)))
        return self.act(x + self.norms[1](self.second(z)))


def resnet(norm: Callable[[int], nn.Module]) -> Net:
    stem = nn.Conv2d(3, WIDTH, 3, stride=2, padding=1, bias=False)
    pool = nn.AdaptiveAvgPool2d(1)
    return Net(stem, norm(WIDTH), nn.SiLU(inplace=True), Block(WIDTH, norm), pool, nn.Flatten())


class Recurrent(nn.Module):
    out_features = WIDTH

    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = cell(4, WIDTH, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x)[0][:, -1]


class Attention(nn.Module):
    out_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(self.embed(x)).mean(1)


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
"""Of a transformer."""


class Bert(nn.Module):
    out_features = 8

    def __init__(self) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig(**SMALL, vocab_size=50, max_position_embeddings=8)
        self.bert = BertModel(config)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return self.bert(**x).pooler_output


class Vit(nn.Module):
    out_features = 8

    def __init__(self) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTModel

        config = ViTConfig(**SMALL, image_size=6, patch_size=3)
        self.vit = ViTModel(config, add_pooling_layer=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.vit(x).last_hidden_state[:, 0]


class Tied(nn.Module):
    """One weight in two layers."""

    out_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh())


class TwiceNamed(nn.Module):
    """One module under two names, as a net that keeps its backbone at hand."""

    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, 5)
        self.all = nn.Sequential(self.backbone, nn.Tanh(), nn.Linear(5, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(x)


class Lora(nn.Module):
    """A frozen layer and a low-rank change of it (Hu et al. 2022)."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(2, base.in_features))
        self.lora_b = nn.Parameter(0.1 * torch.randn(base.out_features, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.lora_a.T @ self.lora_b.T


class TwoInputs(nn.Module):
    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, WIDTH), nn.Linear(4, WIDTH)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return self.a(x["a"]).tanh() + self.b(x["b"]).tanh()


class Branching(nn.Module):
    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Linear(4, WIDTH), nn.Linear(4, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return (self.small if x.sum() < 0 else self.large)(x).tanh()


class Unused(nn.Module):
    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(4, WIDTH), nn.Linear(4, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x).tanh()


class Counting(nn.Module):
    """Keeps a running mean of what it sees."""

    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, WIDTH)
        self.register_buffer("centre", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.centre.lerp_(x.mean(0), 0.1)
        return self.layer(x - self.centre).tanh()


class Complex(nn.Module):
    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, WIDTH, dtype=torch.complex128))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.weight.dtype) @ self.weight).abs()


def mlp(*between: nn.Module) -> Net:
    return Net(nn.Linear(4, 8), *between, nn.Tanh(), nn.Linear(8, WIDTH))


def called(net: Net) -> Net:
    net(vectors(2, torch.Generator().manual_seed(0)).double())
    return net


def frozen_encoder() -> Net:
    backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh()).double()
    return Net(qs.Encoder(backbone, (4,)), nn.Linear(8, WIDTH))


parametrize = nn.utils.parametrizations
CASES: dict[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "ResNet, `BatchNorm2d`": (lambda: resnet(nn.BatchNorm2d), images),
    "the same, after `qs.convert_norms`": (lambda: qs.convert_norms(resnet(nn.BatchNorm2d)), images),
    "`BatchNorm2d(track_running_stats=False)`": (
        lambda: resnet(lambda width: nn.BatchNorm2d(width, track_running_stats=False)),
        images,
    ),
    "`GroupNorm`": (lambda: resnet(lambda width: nn.GroupNorm(2, width)), images),
    "`LayerNorm` MLP": (lambda: mlp(nn.LayerNorm(8)), vectors),
    "`InstanceNorm2d(affine=True)`": (lambda: resnet(lambda width: nn.InstanceNorm2d(width, affine=True)), images),
    "`nn.LSTM`": (lambda: Recurrent(nn.LSTM), series),
    "`nn.GRU`": (lambda: Recurrent(nn.GRU), series),
    "`nn.TransformerEncoder`": (Attention, series),
    "Hugging Face BERT, with its dropout": (Bert, sentences),
    "Hugging Face ViT": (Vit, images),
    "`nn.Dropout`": (lambda: mlp(nn.Dropout(0.3)), vectors),
    "`weight_norm`": (lambda: Net(parametrize.weight_norm(nn.Linear(4, WIDTH)), nn.Tanh()), vectors),
    "`spectral_norm`": (lambda: Net(parametrize.spectral_norm(nn.Linear(4, WIDTH)), nn.Tanh()), vectors),
    "tied weights": (Tied, vectors),
    "a submodule with two names": (TwiceNamed, vectors),
    "a frozen backbone, by `qs.Encoder`": (frozen_encoder, vectors),
    "LoRA adapters": (lambda: Net(Lora(nn.Linear(4, 8)), nn.Tanh(), Lora(nn.Linear(8, WIDTH))), vectors),
    "all weights frozen": (lambda: mlp().requires_grad_(False), vectors),
    "a weight that is not used": (Unused, vectors),
    "a branch on the data": (Branching, vectors),
    "a dictionary of inputs": (TwoInputs, pairs),
    "a buffer written in `forward`": (Counting, vectors),
    "a lazy layer": (lambda: Net(nn.LazyLinear(WIDTH), nn.Tanh()), vectors),
    "the same, after one call": (lambda: called(Net(nn.LazyLinear(WIDTH), nn.Tanh()).double()), vectors),
    "float64": (mlp, vectors),
    "bfloat16": (lambda: mlp().bfloat16(), vectors),
    "float16": (lambda: mlp().half(), vectors),
    "complex weights": (Complex, vectors),
}
LEARNERS: dict[str, Callable[[nn.Module], qs.Learner]] = {
    "MAML": lambda net: qs.MAML(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True),
    "first order": lambda net: qs.MAML(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True, first_order=True),
    "Reptile": lambda net: qs.Reptile(
        net, N_WAY, inner_lr=RATE, inner_steps=2, test_steps=2, inner_rule="sgd", inner_batch=None, learned_head=True
    ),
    "ANIL": lambda net: qs.ANIL(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True),
    "Prototypical": qs.Prototypical,
    "Matching": qs.Matching,
}
HALF = {torch.bfloat16, torch.float16}


class Outcome(NamedTuple):
    """What became of one net with one learner.

    Attributes:
        cell: "vmap" or "loop", by which 8 tasks a step are taken, "(t)" where evaluation is transductive; or "refused".
        off: Largest relative difference of a gradient from its reference.
        line: Why it is refused.
    """

    cell: str
    off: float = 0.0
    line: str = ""


def tried(net: str, learner: str) -> Outcome:
    """Build, train by 1 and 8 tasks a step, evaluate; each gradient beside one made without this package's loop."""
    make, inputs = CASES[net]
    torch.manual_seed(0)
    source = Noise(inputs)
    try:
        module = make()
        half = any(p.dtype in HALF for p in module.parameters() if not _is_lazy(p))
        one = LEARNERS[learner](module if half else module.double())
        shape_of = {name: (p.stride(), p.requires_grad) for name, p in module.named_parameters()}
        off = max(_off(one, source, n, half=half) for n in (1, 8))
        state = State()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            list(outer_loop(copy.deepcopy(one), source, _sgd(one), steps=1, tasks_per_step=8, state=state))
            figure = qs.evaluate(one, source, n_tasks=4)
    except QuickstudyError as error:
        return Outcome("refused", line=str(error))
    assert shape_of == {name: (p.stride(), p.requires_grad) for name, p in module.named_parameters()}
    assert figure.n_tasks == 4
    cell = "loop" if state.engine == "loop" else "vmap"
    return Outcome(cell + " (t)" * figure.transductive, off)


def _is_lazy(p: Tensor) -> bool:
    return isinstance(p, nn.parameter.UninitializedParameter)


def _sgd(learner: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(learner.parameters(), 1.0)


def _off(learner: qs.Learner, source: Noise, n: int, *, half: bool) -> float:
    """How far the gradient that ``train`` takes is from its reference, relative to the gradient's size."""
    trained = copy.deepcopy(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        qs.train(trained, source, steps=1, tasks_per_step=n, optimizer=_sgd(trained))
    batch, seeds = source.sample(1, n), seeds_of(source, 1, n)
    if half:  # too coarse for more than: it moved, and its numbers are finite
        assert all(p.isfinite().all() for p in trained.parameters())
        return 0.0
    gradient = [a.detach() - b.detach() for a, b in zip(learner.parameters(), trained.parameters(), strict=True)]
    learner.train()
    if isinstance(learner, qs.Reptile) or getattr(learner, "first_order", False):
        each = [_by_hand(learner, batch.at(i), seeds[i]) for i in range(n)]
        expected = [torch.stack(parts).mean(0) for parts in zip(*each, strict=True)]
        size = torch.cat([g.flatten() for g in expected]).norm().clamp(min=1e-9)
        return float(torch.cat([(g - e).flatten() for g, e in zip(gradient, expected, strict=True)]).norm() / size)
    return _beside_differences(learner, gradient, batch, seeds)


def _beside_differences(learner: qs.Learner, gradient: list[Tensor], batch: Task, seeds: list[int]) -> float:
    """The gradient along a random direction beside the central difference of the meta-loss."""
    draw = torch.Generator().manual_seed(0)
    ways = [
        torch.randn(p.shape, generator=draw, dtype=torch.float64).to(p) * p.requires_grad for p in learner.parameters()
    ]

    def loss(step: float) -> Tensor:
        moved = copy.deepcopy(learner)
        with torch.no_grad():
            for p, way in zip(moved.parameters(), ways, strict=True):
                p += step * way
        losses = []
        for i, seed in enumerate(seeds):
            with seeded(seed):
                losses.append(moved.meta_loss(batch.at(i)).detach())
        return torch.stack(losses).mean()

    slope = sum((g * way).sum() for g, way in zip(gradient, ways, strict=True))
    size = torch.stack([g.norm() for g in gradient]).norm().clamp(min=1e-9)
    return float(((loss(1e-5) - loss(-1e-5)) / 2e-5 - slope).abs() / size)


def _by_hand(learner: Any, task: Task, seed: int) -> list[Tensor]:
    """Reptile's and first-order MAML's gradient of one task, by a copy of the net that is changed in place."""
    before, model = list(learner.model.parameters()), copy.deepcopy(learner.model)
    head = list(model[1].parameters())
    moving = [p for p in model.parameters() if p.requires_grad or any(p is h for h in head)]
    dtype = before[0].dtype
    (x, y), (qx, qy) = (
        Examples(torch.utils._pytree.tree_map(lambda t: t.to(dtype) if t.is_floating_point() else t, part.x), part.y)
        for part in task
    )
    with seeded(seed):
        for _ in range(learner.inner_steps):
            loss = N_WAY * F.cross_entropy(qs.apply(model, x, statistics="batch"), y.to(dtype))
            gradients = torch.autograd.grad(loss, moving, materialize_grads=True)
            with torch.no_grad():
                for p, g in zip(moving, gradients, strict=True):
                    p -= RATE * g
        if isinstance(learner, qs.Reptile):
            return [(a - b).detach() for a, b in zip(before, model.parameters(), strict=True)]
        z = qs.apply(model, concatenated(x, qx), statistics=len(y))[len(y) :]
        wanted = [p for p in model.parameters() if p.requires_grad]
        gradients = iter(torch.autograd.grad(F.cross_entropy(z, qy.to(dtype)), wanted, materialize_grads=True))
    return [next(gradients) if p.requires_grad else torch.zeros_like(p) for p in model.parameters()]


def draws_nothing_of_ours() -> Callable[[], bool]:
    """Whether torch's generators are as they were when this was called."""
    before = states()
    return lambda: same(before, states())


def row(net: str) -> str:
    """The line of the table for one net."""
    return "| " + " | ".join([net, *(tried(net, learner).cell for learner in LEARNERS)]) + " |"


if __name__ == "__main__":
    print("| net | " + " | ".join(LEARNERS) + " |")
    print("|---" * (len(LEARNERS) + 1) + "|")
    for name in CASES:
        outcomes = {learner: tried(name, learner) for learner in LEARNERS}
        print("| " + " | ".join([name, *(outcome.cell for outcome in outcomes.values())]) + " |")
        print("    ", {k: f"{o.off:.1e}" for k, o in outcomes.items()}, {o.line for o in outcomes.values() if o.line})
