"""Every public name says what it takes, which shapes, which errors, and shows an example or why it has none."""

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

import quickstudy
import quickstudy.testing

WITHOUT_EXAMPLE = {
    "Explanation": "explain shows one",
    "Inputs": "abstract; docs/new-input.md runs a class of one's own",
    "Learner": "abstract; docs/new-learner.md runs a class of one's own",
    "calibrate": "it takes minutes; docs/text.md shows the command",
    "embedded": "it needs the extra text",
    "export": "it needs the extra onnx",
    "photo_encoder": "it needs the extra photos",
    "push_to_hub": "it goes to the network",
    "sentence_encoder": "it needs the extra text",
    "serve": "it runs until it is stopped; docs/serve.md shows the command",
}
"""Public names that show no example, and why."""

NAMES = {
    name: getattr(module, name)
    for module in (quickstudy, quickstudy.testing)
    for name in sorted(module.__all__)
    if not inspect.ismodule(getattr(module, name))
}
CODE = {name: inspect.unwrap(value) for name, value in NAMES.items() if callable(value)}
_DOCUMENTED = r"^ *(?:\*{{0,2}}\w+, )*\*{{0,2}}{}(?:, \*{{0,2}}\w+)*: "


def arguments(value) -> list[str]:
    return [name for name in inspect.signature(value).parameters if name not in ("self", "args", "kwargs")]


def raised(value) -> set[str]:
    """Errors of this package that the text of a function, or of a class's ``__init__``, raises itself."""
    own = [vars(value).get(name) for name in ("__init__", "__post_init__")] if inspect.isclass(value) else [value]
    written = [each for each in own if inspect.isfunction(each) and "<" not in each.__code__.co_filename]
    trees = [ast.parse(textwrap.dedent(inspect.getsource(each))) for each in written]
    calls = [node.exc for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = {ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)}
    return names & {"DataError", "SettingError", "ModelError"}


@pytest.mark.parametrize("name", CODE)
def test_each_public_name_is_documented(name):
    value = CODE[name]
    doc = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    assert doc, f"{name} has no docstring"
    missing = [each for each in arguments(value) if not re.search(_DOCUMENTED.format(each), doc, re.MULTILINE)]
    assert not missing, f"{name}: Args: or Attributes: without {missing}"
    assert (">>> " in doc) != (name in WITHOUT_EXAMPLE), f"{name} needs an example"
    assert all(error in doc for error in raised(value)), f"{name}: Raises: without one of {raised(value)}"


@pytest.mark.parametrize("name", [name for name, value in CODE.items() if inspect.isfunction(value)])
def test_a_tensor_has_a_shape(name):
    notes = inspect.get_annotations(CODE[name])
    for parameter in [each for each, note in notes.items() if note in ("Tensor", "Tree") and each != "return"]:
        text = re.search(_DOCUMENTED.format(parameter) + r"(.*(?:\n {12,}.*)*)", CODE[name].__doc__, re.MULTILINE)[1]
        assert re.search(r"\(\w+(, [*\w]+)*,?\)|scalar|shape", text), f"{name}: {parameter} has no shape"


def test_each_public_value_says_what_it_is():
    """A string below its definition, which the reference shows."""
    documented = set()
    for path in Path(quickstudy.__path__[0]).rglob("*.py"):
        body = ast.parse(path.read_text("utf-8")).body
        for node, after in pairwise(body):
            target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
            if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                documented.add(target.id)
    assert documented >= NAMES.keys() - CODE.keys()
