"""Tests mirror the tree: what one file adds is held to its laws in that file's own test."""

from pathlib import Path


def holds(cls: type, law: str) -> bool:
    """Return whether the test of a class's module calls a law, such as ``check_learner``."""
    *folders, module = cls.__module__.split(".")[1:]
    path = Path(__file__).parent.joinpath(*folders, f"test_{module}.py")
    return path.exists() and f"{law}(" in path.read_text("utf-8")
