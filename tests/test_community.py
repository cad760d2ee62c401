"""Files that a visitor or a service reads: they parse, and agree with the package."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FILES = [
    ROOT / "CITATION.cff",
    ROOT / ".pre-commit-config.yaml",
    *sorted((ROOT / ".github").rglob("*.yml")),
]


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def content(request):
    yaml = pytest.importorskip("yaml")
    return request.param, yaml.safe_load(request.param.read_text("utf-8"))


def test_each_file_parses(content):
    path, data = content
    assert isinstance(data, dict)
    if path.parent.name == "workflows":
        assert {"name", "permissions", "jobs"} <= data.keys()
        assert all("runs-on" in job for job in data["jobs"].values())
    if path.parent.name == "ISSUE_TEMPLATE" and path.stem != "config":
        assert {"name", "description", "body"} <= data.keys()


def test_each_action_has_a_version():
    for path in FILES:
        for used in re.findall(r"uses: (\S+)", path.read_text("utf-8")):
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d[\w.]*", used), (path.name, used)


def test_workflows_run_the_oldest_and_the_newest_python_of_the_tests():
    tests = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert PROJECT["requires-python"].startswith(">=3.11")
    assert re.search(r'python: \["3.11", "3.12", "3.13"\]', tests)
    assert "constraints-oldest.txt" in tests


def test_one_version_everywhere():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == PROJECT["version"]
    pins = dict(re.findall(r"^([\w-]+)==(.*)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    hook = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.search(r"rev: v(.*)$", hook, re.MULTILINE)[1] == pins["ruff"]


def test_the_guide_for_contributors_names_files_that_are_there():
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    edited = re.findall(r"^--- (\S+)$", guide, re.MULTILINE)
    assert len(edited) >= 6
    for name in [*edited, *re.findall(r"`(tests/\w+\.py|docs/[\w/]+\.md|\w+\.txt|CHANGELOG\.md)`", guide)]:
        assert (ROOT / name).is_file(), name
    for added in re.findall(r"^\+\+\+ (\S+)$", guide, re.MULTILINE):
        assert (ROOT / added).parent.is_dir(), added
        assert not (ROOT / added).exists(), added
