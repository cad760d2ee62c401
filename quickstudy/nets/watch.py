"""Watch over a forward pass, which must leave buffers, weights and inputs as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.nets.fast.private import version

CHANGES_WEIGHTS = (
    "the net's forward pass changes its weight {}, which is then another in each task, and has no right gradient; "
    "constrain it by torch.nn.utils.parametrize, or leave the constraint out (max_norm=None)"
)


class Watch:
    """State of tensors before a forward pass, with which they are compared afterwards.

    Args:
        buffers: Buffers that the net reads, by name.
        weights: Weights that it reads, by name.
        inputs: Its inputs.

    >>> import torch
    >>> x = torch.ones(2)
    >>> watch = Watch({}, {}, [x])
    >>> _ = x.mul_(2)
    >>> watch.check({})
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: the net's forward pass changes its input in place, so ...
    """

    def __init__(self, buffers: Mapping[str, Tensor], weights: Mapping[str, Tensor], inputs: Iterable[Tensor]) -> None:
        self._of_buffers = {name: (b, version(b)) for name, b in buffers.items()}
        # Tensors of inference mode count no changes.
        self._of_weights = {name: (w, version(w)) for name, w in weights.items() if not w.is_inference()}
        self._of_inputs = [(t, version(t)) for t in inputs if not t.is_inference()]

    def check(self, buffers: Mapping[str, Tensor]) -> None:
        """Refuse a net that has changed one of the tensors.

        Args:
            buffers: The buffers after the forward pass, by name.

        Raises:
            SettingError: The net has changed one; the message says which.
        """
        for name, (b, count) in self._of_buffers.items():
            if buffers[name] is not b or version(b) != count:
                raise SettingError(
                    f"the net's forward pass changes its buffer {name!r}, so a task would depend on those before it; "
                    f"fix the buffer by wrapping the net: qs.Encoder(net, input_shape, frozen=False)"
                )
        for name, (w, count) in self._of_weights.items():
            if version(w) != count:
                raise SettingError(CHANGES_WEIGHTS.format(repr(name)))
        if any(version(t) != count for t, count in self._of_inputs):
            raise SettingError(
                "the net's forward pass changes its input in place, so the next inner step would read other data; let "
                "the net compute a new tensor: x * 2, not x.mul_(2), and no inplace=True in its first layer"
            )
