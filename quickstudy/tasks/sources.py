"""Registry of the sources of tasks."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from quickstudy.tasks.source import Source

SOURCES: Registry[type[Source]] = Registry(
    "source",
    {
        "glyphs": "quickstudy.tasks.glyphs:Glyphs",
        "omniglot": "quickstudy.tasks.omniglot:Omniglot",
        "digits": "quickstudy.tasks.digits:Digits",
        "folders": "quickstudy.tasks.folders:Folders",
        "mini-imagenet": "quickstudy.tasks.mini_imagenet:MiniImageNet",
        "tiered-imagenet": "quickstudy.tasks.tiered_imagenet:TieredImageNet",
        "cub": "quickstudy.tasks.cub:Cub",
        "meta-album": "quickstudy.tasks.meta_album:MetaAlbum",
        "cifar-fs": "quickstudy.tasks.cifar100:CifarFS",
        "fc100": "quickstudy.tasks.cifar100:FC100",
        "clinc150": "quickstudy.tasks.clinc150:Clinc150",
        "text": "quickstudy.tasks.text:Text",
        "table": "quickstudy.tasks.table:Rows",
        "sinusoid": "quickstudy.tasks.sinusoid:Sinusoids",
    },
    base="quickstudy.tasks.source:Source",
    group="quickstudy.sources",
)
"""Sources by name, which are the values of ``--data``."""


def source(name: str, **arguments: Any) -> Source:
    """Return a source by name; arguments that it does not take are ignored.

    Raises:
        SettingError: The source is unknown.

    >>> source("digits", data_root=None).about
    'real handwritten digits, all for testing'
    """
    cls = SOURCES[name]
    parameters = inspect.signature(cls.__init__).parameters
    return cls(**{key: value for key, value in arguments.items() if key in parameters})
