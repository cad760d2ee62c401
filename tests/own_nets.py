"""Nets as people bring them, and inputs for each."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import quickstudy as qs
from quickstudy.tasks.tree import Tree

WIDTH = 6

Inputs = Callable[[int, torch.Generator], Tree]
"""A number of examples, and a generator to draw them by."""


def vectors(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 4, generator=draw)


def images(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 3, 6, 6, generator=draw)


def series(n: int, draw: torch.Generator) -> Tensor:
    return torch.randn(n, 5, 4, generator=draw)


def words(n: int, draw: torch.Generator) -> Tensor:
    return torch.randint(0, 20, (n, 5), generator=draw)


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


class Checkpointed(nn.Module):
    """Forgets what lies between its layers, and computes it again on the way back."""

    out_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp()

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.layers, x, use_reentrant=False)


class _Square(torch.autograd.Function):
    """Of the form before ``setup_context``, which torch.func cannot differentiate."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        [x] = ctx.saved_tensors
        return 2 * x * gradient


class Squared(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _Square.apply(x)


class Words(nn.Module):
    out_features = WIDTH

    def __init__(self, **options: float) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(20, 8, **options), nn.Linear(8, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.table(x).mean(1)).tanh()


class MaxNorm(nn.Linear):
    """Linear layer that shortens its weights in each forward pass, as programs of EEGNet do."""

    def forward(self, x: Tensor) -> Tensor:
        self.weight.data = torch.renorm(self.weight.data, p=2, dim=0, maxnorm=0.3)
        return super().forward(x)


class LayerDrop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if self.training and random.random() < 0.5 else x.tanh()


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
    backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh())
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
    "`torch.utils.checkpoint`": (Checkpointed, vectors),
    "an `autograd.Function` without `setup_context`": (lambda: mlp(Squared()), vectors),
    "`nn.Embedding`": (Words, words),
    "`nn.Embedding(max_norm=0.5)`": (lambda: Words(max_norm=0.5), words),
    "a layer that shortens its weights": (lambda: Net(MaxNorm(4, 8), nn.Tanh(), MaxNorm(8, WIDTH)), vectors),
    "layers left out by `random`": (lambda: mlp(*[LayerDrop() for _ in range(8)]), vectors),
    "complex weights": (Complex, vectors),
}

LAYERS = nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 4))
