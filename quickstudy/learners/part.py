"""The part of a net's parameters that an inner loop changes."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from quickstudy.errors import SettingError


def names_of_part(net: nn.Module, part: str, words: Sequence[str] = ("all", "norm")) -> frozenset[str]:
    """Return the names of the parameters of a part of a net.

    Args:
        net: Any module.
        part: "all"; "norm", the weights and biases of modules that have "norm" in their class name; or a pattern of
            names in ``net.named_parameters()``, such as "*lora*".
        words: Values other than patterns, which the message of an error lists.

    Raises:
        SettingError: The part has no parameter.

    >>> sorted(names_of_part(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "norm"))
    ['1.bias', '1.weight']
    """
    names = [name for name, _ in net.named_parameters()]
    norms = (prefix for prefix, module in net.named_modules() if "norm" in type(module).__name__.lower())
    of_norms = {
        f"{prefix}.{name}" for prefix in norms for name, _ in net.get_submodule(prefix).named_parameters(recurse=False)
    }
    chosen = frozenset(
        name for name in names if part == "all" or (name in of_norms if part == "norm" else fnmatchcase(name, part))
    )
    if not chosen and part != "all":
        raise SettingError(
            f"adapt_only={part!r} matches no parameter of the net; use {', '.join(map(repr, words))} or a pattern of "
            f"their names, such as {', '.join(names[:3])}"
        )
    return chosen
