"""Published protocols and figures, for ``quickstudy reproduce``."""

from __future__ import annotations

from functools import cache

from quickstudy.errors import SettingError, unknown
from quickstudy.runs.recipes import Cell, Protocol, recipes


@cache
def protocols() -> dict[str, Protocol]:
    """Return the protocols of all recipes by name; names of ``reproduce`` add ``-Nway-Kshot``.

    >>> protocols()["maml-omniglot"].title
    'MAML'
    """
    return {key: protocol for recipe in recipes().values() for key, protocol in recipe.protocols.items()}


def names() -> list[str]:
    """Return the names of all figures that can be reproduced.

    >>> names()[0]
    'maml-omniglot-5way-1shot'
    """
    return [f"{key}-{c.n_way}way-{c.n_shot}shot" for key, protocol in protocols().items() for c in protocol.cells]


def find(name: str) -> tuple[str, Protocol, Cell]:
    """Return the key, the protocol and the figure of a name.

    Raises:
        SettingError: The name is unknown.

    >>> find("prototypical-omniglot-20way-5shot")[2]
    Cell(n_way=20, n_shot=5, mean=98.9, ci95=None, train_query=None)
    """
    for key, protocol in protocols().items():
        for cell in protocol.cells:
            if name == f"{key}-{cell.n_way}way-{cell.n_shot}shot":
                return key, protocol, cell
    raise SettingError(unknown("reproduction", name, names()))
