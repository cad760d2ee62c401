"""Learner: a module that turns a support set into a predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import reduce, wraps
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import DataError, SettingError
from quickstudy.learners.balance import balance
from quickstudy.nets import input_shape, usable, weight_type
from quickstudy.nets.copies import copied
from quickstudy.tasks.task import Examples, Task, check_leaves, check_tensors, with_rows
from quickstudy.tasks.tree import Tree, leaves, tree_map

Predictor = Callable[[Tree], Tensor]
"""Function from inputs (m, *input) to logits (m, n_way), or to real numbers (m, d)."""

Loss = Literal["cross_entropy", "mse"]


class Learner(nn.Module, ABC):
    """Module that turns a support set into a predictor (inner loop), and is improved over many tasks (outer loop).

    Meta-learned values are parameters of the module; values of one task live in the predictor. ``adapt`` is pure: it
    changes nothing and twice gives the same, and the order of the support does not matter. Every argument of
    ``__init__`` is stored as an attribute of the same name, so that a learner can be saved and built again.

    ``adapt`` and ``meta_loss`` of every subclass accept class indices as well as one-hot rows. They convert targets to
    the type of the learner's weights, and work under ``torch.inference_mode``.

    Attributes:
        transductive: True if a predictor may use the other queries of its batch (their batch statistics). False, the
            default, is inductive: an answer depends on the support and that one query.
        loss: "cross_entropy" of logits, or "mse" of real numbers.
        balanced: True if classes of unequal numbers of examples weigh the same. False for a classifier that version 1.0
            stored, which answers as it did.
        episodic: True if it trains on tasks, as most learners do; False if on plain batches of all training classes.
        rise: Exponent with which the temperature of its logits grows with the number of shots. None if it falls with 1
            + 1 / shots, as for distances to means.
    """

    transductive: bool = False
    loss: Loss = "cross_entropy"
    balanced: bool = True
    episodic: ClassVar[bool] = True
    rise: ClassVar[float | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, checked in (("adapt", _checked_adapt), ("meta_loss", _checked_meta_loss)):
            if name in vars(cls):
                setattr(cls, name, checked(vars(cls)[name]))

    @abstractmethod
    def adapt(self, support: Examples) -> Predictor:
        """Learn one task from its support."""

    def meta_loss(self, task: Task) -> Tensor:
        """Return the loss of one task, a scalar; by default the loss of the queries after adapting."""
        support, query = self.with_rows(*task)
        return self.prediction_loss(self.adapt(support)(query.x), query.y)

    def prediction_loss(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of predictions (n, d) against targets (n, d), a scalar, at least in float32.

        Raises:
            SettingError: The shapes differ; torch would repeat the smaller one.
        """
        if prediction.shape != y.shape:
            raise SettingError(
                f"answers have shape {list(prediction.shape)}, but targets {list(y.shape)}; let the net return "
                f"(n, width) for n inputs: flatten or pool its output"
            )
        if prediction.dtype != y.dtype:
            dtype = torch.promote_types(prediction.dtype, y.dtype)
            prediction, y = prediction.to(dtype), y.to(dtype)
        return F.cross_entropy(prediction, y) if self.loss == "cross_entropy" else F.mse_loss(prediction, y)

    def anneal(self, progress: float) -> None:
        """Set the progress of training, in [0, 1]; the outer loop calls it before each step.

        By default, nothing depends on it.
        """

    def observe(self, x: Tree) -> None:
        """Measure on training inputs (n, *input) what inference needs, such as population statistics.

        The outer loop calls it before each validation and at the end. By default, nothing is measured.
        """

    def row_weights(self, y: Tensor) -> Tensor:
        """Return the weight of each example by its one-hot class (n, n_way), (n,); 1 where classes are equally large.

        Without weights, a class with fewer examples than others would hardly ever be the answer.
        """
        return y @ balance(y.sum(0)) if self.balanced and self.loss == "cross_entropy" else y.new_ones(len(y))

    def weighted(self, support: Examples) -> Examples:
        """Return a support whose classes weigh the same in a mean cross-entropy: targets times weights of mean 1."""
        if self.loss != "cross_entropy":
            return support
        weights = self.row_weights(support.y)
        return Examples(support.x, support.y * (weights / weights.mean())[:, None])

    def number_type(self, *given: torch.dtype) -> torch.dtype:
        """Return the number type of embeddings and targets: that of the learner's weights, but at least float32.

        A learner without weights uses the widest of the given types, those of its inputs.
        """
        own = weight_type(self)
        return reduce(torch.promote_types, given if own is None else (own,), torch.float32)

    def with_rows(self, *parts: Examples, axes: int = 1) -> tuple[Examples, ...]:
        """Return support and query with targets in this learner's form; see ``quickstudy.tasks.task.with_rows``.

        Raises:
            DataError: The targets do not fit the learner.
        """
        check_tensors(*parts)
        for part in parts:
            if self.loss == "mse" and part.y.ndim == axes:
                raise DataError(
                    f"targets have shape {list(part.y.shape)}, but real targets are (n, d); give y.unsqueeze(-1)"
                )
            if self.loss != "mse" and part.y.shape[axes:] == (1,) and not part.y.is_floating_point():
                raise DataError(
                    f"class indices have shape {list(part.y.shape)}, as rows of a single class have; give y.squeeze(-1)"
                )
        dtype = self.number_type(*(t.dtype for part in parts for t in leaves(part.x) if t.is_floating_point()))
        return tuple(
            part if part.y.dtype == dtype else Examples(part.x, part.y.to(dtype))
            for part in with_rows(*parts, axes=axes)
        )


def _checked_adapt(adapt: Callable[[Any, Examples], Predictor]) -> Callable[[Any, Examples], Predictor]:
    @wraps(adapt)
    def checked(self: Learner, support: Examples) -> Predictor:
        (support,) = self.with_rows(support)
        if torch.is_inference_mode_enabled():  # an inner loop cannot differentiate its tensors
            with torch.inference_mode(False), torch.no_grad():
                return checked(self, tree_map(torch.clone, support))
        if any(t.is_inference() for t in (support.y, *leaves(support.x))):
            support = tree_map(torch.clone, support)
        predictor = adapt(self, support)
        if isinstance(predictor, Adapted) and isinstance(support.x, Tensor):
            vars(predictor).setdefault("_taught", (input_shape(self) is not None, support.x.shape[1:]))
        return predictor

    return checked


def _checked_meta_loss(meta_loss: Callable[[Any, Task], Tensor]) -> Callable[[Any, Task], Tensor]:
    @wraps(meta_loss)
    def checked(self: Learner, task: Task) -> Tensor:
        return meta_loss(self, Task(*self.with_rows(*task)))

    return checked


def _checked_call(call: Callable[[Any, Tree], Tensor]) -> Callable[[Any, Tree], Tensor]:
    @wraps(call)
    def checked(self: Adapted, x: Tree) -> Tensor:
        check_leaves("queries", leaves(x))
        taught = getattr(self, "_taught", None)
        if taught and isinstance(x, Tensor) and type(self).__call__ is checked:  # a subclass may pass on other inputs
            is_fixed, shape = taught
            # Images of other sizes are taken by nets that pool, and sentences of other lengths by most.
            if x.ndim != len(shape) + 1 or (is_fixed and len(shape) == 1 and x.shape[1:] != shape):
                raise DataError(
                    f"queries have shape {list(x.shape)}, but one example has {list(shape)}; give several of that "
                    "shape, and one alone as x.unsqueeze(0)"
                )
        return call(self, x)

    return checked


@dataclass(frozen=True, eq=False)
class Adapted(ABC):
    """A predictor as data: the result of adapting to one task, and the learner that adapted.

    It can be pickled, moved to another device, and compiled by ``torch.compile(fullgraph=True)``. Your own learner may
    return any function instead.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__call__" in vars(cls):
            setattr(cls, "__call__", _checked_call(vars(cls)["__call__"]))  # noqa: B010  # mypy refuses an assignment

    @abstractmethod
    def __call__(self, x: Tree) -> Tensor:
        """Answer queries, (m, *input) -> (m, n_way) logits, or (m, d).

        Raises:
            DataError: The queries are no tensors, or have another shape than the examples.
        """

    def to(self, device: torch.device | str) -> Self:
        """Return the same predictor on another device; the learner stays where it is."""

        def moved(part: Any) -> Any:
            if isinstance(part, nn.Module):
                return copied(part).to(device)
            return part.to(device) if isinstance(part, Tensor | Adapted) else part

        result = type(self)(*(tree_map(moved, getattr(self, field.name)) for field in fields(self)))
        vars(result).update({name: value for name, value in vars(self).items() if name == "_taught"})
        return result

    def __getstate__(self) -> dict[str, Any]:
        # A graph of gradients cannot be pickled.
        return {
            name: tree_map(lambda part: part.detach() if type(part) is Tensor else part, value)
            for name, value in vars(self).items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def prototypes(z: Tensor, y: Tensor) -> Tensor:
    """Return the mean embedding of each class; zero for a class without examples.

    Args:
        z: Embeddings, (n, d).
        y: One-hot classes, or weights of the examples in each class, (n, n_way).

    Returns:
        (n_way, d).

    Source: Snell et al. 2017, eq. 1, arXiv:1703.05175.

    >>> import torch
    >>> prototypes(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]]))
    tensor([[1.]])
    """
    total = y.sum(0)
    return (y.T @ z) / torch.where(total > 0, total, 1)[:, None]


def like(net: nn.Module) -> Tensor:
    """Return an empty tensor on the device of a net's weights, and of their number type, but at least in float32.

    >>> like(nn.Linear(2, 2).double()).dtype
    torch.float64
    """
    weight = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
    return weight.new_empty(0, dtype=torch.promote_types(weight.dtype, torch.float32))


def exact(x: Tensor) -> Tensor:
    """Return numbers in double precision, or in single precision on Apple's GPU, which has no other.

    Products of embeddings far from zero nearly cancel, and a rounded Gram matrix is not positive definite.

    >>> exact(torch.ones(1)).dtype
    torch.float64
    """
    return x.float() if x.device.type == "mps" else x.double()


def embedding_width(net: nn.Module) -> int:
    """Return the width of a net's embeddings: its ``out_features``, or that of its last layer.

    Raises:
        SettingError: The width is unknown, or no learner can use the net.

    >>> embedding_width(nn.Linear(3, 7)), embedding_width(nn.Sequential(nn.Linear(3, 7), nn.Tanh()))
    (7, 7)
    """
    usable(net)
    width = getattr(net, "out_features", None)
    for layer in reversed(list(net) if isinstance(net, nn.Sequential) else []):
        width = getattr(layer, "out_features", width)
        if width is not None or any(True for _ in layer.parameters()):
            break
    if not isinstance(width, int):
        raise SettingError(f"{type(net).__name__} has no out_features; set it to the width of its output (n, width)")
    return width
