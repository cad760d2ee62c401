"""Show the examples of docstrings as code: without a fence, Markdown takes ``>>>`` for a quotation."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n(?!>>> )|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(Extension):
    """Fence each doctest."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring and ">>> " in obj.docstring.value:
            obj.docstring.value = _EXAMPLE.sub(lambda match: f"```pycon\n{match[0]}\n```", obj.docstring.value)
