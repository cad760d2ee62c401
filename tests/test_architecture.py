"""The layers, read from the imports themselves."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import quickstudy

ROOT = Path(quickstudy.__file__).parent
LAYERS = [
    "errors", "registry", "io", "inputs", "tasks", "nets", "learners", "training", "models", "classify", "runs",
    "sharing", "rl", "serving", "testing", "cli", "__main__",
]  # fmt: skip
"""From the ground up: what lies in a folder imports from its own folder or lower ones."""
RANK = {name: rank for rank, name in enumerate(LAYERS)}
BASES = {"base", "gradient", "metric", "supervised", "inner", "part", "scan", "draws", "balance", "transductive"}
"""Files of learners that other learners may build on."""
PRIVATE = {
    "nets.fast.private": None,  # any
    "tasks.tree": {"torch.utils._pytree"},  # tasks lie below nets
}
"""Files that may use private names of torch, and which."""
UNDOCUMENTED = {"torch.ops", "torch.batch_norm_update_stats", "torch.norm_except_dim"}
"""Names of torch without an underscore that its documentation does not promise."""
INSIDE = {"_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks", "_version"}
"""Private attributes of torch's modules and tensors, which no import shows."""


def modules() -> dict[str, Path]:
    """Every module, by its name below quickstudy; the package itself, which only names things, left out."""
    files = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in files.items() if name != "__init__"}


def imports(path: Path) -> set[str]:
    """What a file imports of quickstudy, wherever in the file, by name below quickstudy; "" is the package itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself; say the whole name"
            found.add(str(node.module))
    inside = {name for name in found if name.split(".")[0] == "quickstudy"}
    return {name.removeprefix("quickstudy").removeprefix(".") for name in inside}


def torch_names(tree: ast.Module) -> set[str]:
    """Dotted names below torch that a file imports or reads, each as long as it is written."""
    found, meanings = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            meanings |= {alias.asname or "torch": alias.name if alias.asname else "torch" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            meanings |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    meanings = {name: meaning for name, meaning in meanings.items() if meaning.split(".")[0] == "torch"}
    for node in ast.walk(tree):
        parts, inner = [], node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if parts and isinstance(inner, ast.Name) and inner.id in meanings:
            found.add(".".join([meanings[inner.id], *parts]))
    return {name for name in found if name.split(".")[0] == "torch"}


def private_names(source: str) -> set[str]:
    """Private or undocumented names of torch in a file, and private attributes of its modules and tensors."""
    tree = ast.parse(source)
    names = {
        name
        for name in torch_names(tree)
        if any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
        or any(name == known or name.startswith(f"{known}.") for known in UNDOCUMENTED)
    }
    return names | {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in INSIDE}


def test_few_modules_lie_at_the_root():
    assert len(list(ROOT.glob("*.py"))) <= 5


def test_every_module_has_a_layer():
    unplaced = {name.split(".")[0] for name in modules()} - RANK.keys()
    assert not unplaced, f"{sorted(unplaced)} have no layer; place them in LAYERS"


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_down(name):
    for imported in imports(modules()[name]):
        assert imported, f"{name} imports the package itself; import from the module that defines what it needs"
        above = RANK[imported.split(".")[0]] > RANK[name.split(".")[0]]
        assert not above, f"{name} imports {imported}, which is above it"


@pytest.mark.parametrize("name", sorted(name for name in modules() if name.startswith("learners.")))
def test_no_learner_imports_another(name):
    imported = {name.split(".")[-1] for name in imports(modules()[name]) if name.startswith("learners")}
    assert imported <= BASES


def test_settings_rest_on_errors_and_names_alone():
    own = {"runs.needs", "runs.recipes", "runs.schema"}
    names = {"errors", "inputs", "inputs.base", "learners.registry", "nets.registry", "registry", "tasks.sources"}
    assert all(imports(modules()[name]) <= own | names for name in (*own, "runs.settings"))


def test_the_errors_rest_on_nothing():
    assert imports(modules()["errors"]) == set()


def test_no_module_goes_round_in_a_circle():
    known = modules()
    needs = {name: {each for each in imports(path) if each in known} for name, path in known.items()}
    while ready := {name for name, rest in needs.items() if not rest & needs.keys() - {name}}:
        needs = {name: rest for name, rest in needs.items() if name not in ready}
    assert not needs, f"these import one another: {sorted(needs)}"


@pytest.mark.parametrize(
    "module", ["quickstudy", "quickstudy.cli", "quickstudy.runs.settings", "quickstudy.learners", "quickstudy.nets"]
)
def test_the_command_line_starts_without_torch(module):
    code = f"import sys, {module}; print([name for name in ('torch', 'numpy', 'sklearn') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_drawing_of_the_rooms_is_as_the_imports_are():
    place = ROOT.parent / "docs" / "rooms.py"
    if not place.exists():
        pytest.skip("no documentation beside the package")
    spec = importlib.util.spec_from_file_location("rooms", place)
    rooms = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rooms)
    text = rooms.PAGE.read_text("utf-8")
    assert text == rooms.page(text, rooms.arrows()), "run `python docs/rooms.py`"


@pytest.mark.parametrize("name", sorted(modules()))
def test_private_names_of_torch_stay_in_their_place(name):
    names = private_names(modules()[name].read_text("utf-8"))
    if name not in PRIVATE:
        assert not names, f"{name} uses private names of torch; move them to quickstudy/nets/fast/private.py"
    elif PRIVATE[name] is not None:
        assert {known for known in PRIVATE[name] if any(n.startswith(known) for n in names)} == PRIVATE[name]
        assert all(any(n.startswith(known) for known in PRIVATE[name]) for n in names)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch._C._f()",
        "import torch as t\nt.ops.aten.add(1)",
        "from torch import _weight_norm",
        "from torch.utils._pytree import tree_map",
        "import torch.utils._pytree as tree",
        "from torch import nn\nnn.modules.batchnorm._BatchNorm",
        "import torch\ntorch.batch_norm_update_stats(x, None, None, 0.0)",
        "x._version",
    ],
)
def test_a_private_name_is_seen_however_it_is_written(source):
    assert private_names(source)


def test_public_names_are_no_private_ones():
    assert not private_names("import torch\nfrom torch import nn\ntorch.nn.Linear.__init__\nnn.Linear\nself._own.x")
