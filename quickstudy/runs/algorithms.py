"""List of the learners with their summaries, settings and papers."""

from __future__ import annotations

import inspect
from typing import Any

from quickstudy.learners import LEARNERS
from quickstudy.runs.arguments import own_arguments
from quickstudy.runs.settings import HYPERPARAMETERS


def algorithms() -> list[dict[str, Any]]:
    """List each learner's name, summary, settings and own arguments with their defaults, and source.

    >>> algorithms()[0]["algorithm"]
    'maml'
    """
    rows = []
    for name, cls in LEARNERS.items():
        text = inspect.getdoc(cls) or ""
        parameters = inspect.signature(cls.__init__).parameters
        rows.append(
            {
                "algorithm": name,
                "what": text.partition("\n")[0],
                "settings": {key: p.default for key, p in parameters.items() if key in HYPERPARAMETERS},
                "arguments": {
                    key: "required" if default is inspect.Parameter.empty else default
                    for key, default in own_arguments(cls).items()
                },
                "source": text.partition("Source: ")[2].partition("\n\n")[0].replace("\n", " "),
            }
        )
    return rows
