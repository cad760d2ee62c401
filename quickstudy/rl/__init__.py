"""Environments: learn to learn to act. Names come from ``__init__.pyi`` and are imported when they are first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
