"""Meta-learning on PyTorch: learn from a few examples.

Names come from ``__init__.pyi`` and are imported when they are first used. So the command line runs without torch where
it is not needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
