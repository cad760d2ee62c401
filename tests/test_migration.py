"""The page for those who come from other libraries: both sides of each section give the same loss and gradient."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
PACKAGES = {
    "learn2learn": ["learn2learn", "learn2learn.algorithms"],
    "higher": [],
    "torchmeta": ["torchmeta", "torchmeta.utils"],
    "easyfsl": ["easyfsl.methods"],
}
"""Packages whose own __init__ needs what is not installed; modules in them are imported alone."""


def alone(place: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType(name)
    package.__path__ = [str(place.joinpath(*name.split(".")[1:]))]
    monkeypatch.setitem(sys.modules, name, package)


def run(code: str) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Run a block; return its loss and the gradients of its first module."""
    names: dict[str, object] = {}
    exec(code, names)
    module = next(names[each] for each in ("model", "learner", "method") if each in names)
    assert isinstance(module, nn.Module)
    return names["loss"].detach(), [p.grad for p in module.parameters()]


def test_each_library_has_both_sides():
    assert SECTIONS.keys() == PACKAGES.keys()
    assert all(re.findall(r"^```(\w+)", text, re.MULTILINE) == ["py", "python"] for text in SECTIONS.values())


@pytest.mark.parametrize("library", PACKAGES)
def test_both_sides_give_the_same(library, monkeypatch):
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        pytest.skip(f"{library} is not installed")
    for package in PACKAGES[library]:
        alone(Path(spec.origin).parent, package, monkeypatch)
    theirs, ours = re.findall(r"^```\w+\n(.*?)^```", SECTIONS[library], re.MULTILINE | re.DOTALL)
    (loss, gradients), (expected, others) = run(ours), run(theirs)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    for a, b in zip(gradients, others, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
