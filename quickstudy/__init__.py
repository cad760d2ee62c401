"""Meta-learning on PyTorch: learn from a few examples.

Names come from ``__init__.pyi`` and are imported when they are first used. So the command line runs without torch where
it is not needed.
"""

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Return a public name, or the installed version."""
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    return _public(name)
