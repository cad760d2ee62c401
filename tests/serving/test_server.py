"""The server as a process: two on one folder, tabs, the docs, ports and imports."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.serving.conftest import LIST, ROW, ROWS, drawing, made, server

DOCS = Path(__file__).parents[2] / "docs" / "serve.md"


@pytest.fixture(scope="module")
def other(running, store):
    """Another process on the same folder, with a token."""
    with server(store, QUICKSTUDY_TOKEN="secret") as started:
        yield started


def test_two_processes_serve_one_folder(running, other):
    other.client.headers["authorization"] = "Bearer secret"
    name = made(running.client.post(LIST, json={"examples": ROWS}))["name"]
    answered = made(other.client.post(f"{LIST}/{name}/predict", json={"inputs": [ROW]}))
    assert answered["answers"][0]["label"] == "small"

    def teach(client, prefix):
        for i in range(6):
            example = {"label": f"{prefix}{i}", "row": {"width": 20 + i, "colour": "red"}}
            made(client.post(f"{LIST}/{name}/examples", json={"examples": [example]}))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(teach, (running.client, other.client), "xy"))
    states = [made(each.client.get(f"{LIST}/{name}")) for each in (running, other)]
    assert states[0] == states[1]
    assert states[0]["labels"].keys() == {"large", "small", *(f"{p}{i}" for p in "xy" for i in range(6))}
    assert states[0]["can_undo"] == 12


def test_the_token_is_needed(other):
    assert httpx.get(other.address + LIST).status_code == 401
    assert httpx.get(other.address + LIST, headers={"authorization": "Bearer secret"}).status_code == 200


def test_two_tabs_never_mix_their_classes(running):
    def tab(number):
        mine = [{**each, "label": f"{each['label']} {number}"} for each in ROWS]
        name = made(running.client.post(LIST, json={"examples": mine}))["name"]
        for _ in range(10):
            answer = made(running.client.post(f"{LIST}/{name}/predict", json={"inputs": [ROW]}))["answers"][0]
            assert answer["label"] == f"small {number}"
            assert set(answer["probabilities"]) == {f"small {number}", f"large {number}"}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tab, range(8)))


def test_the_lines_of_the_docs_run(running, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = DOCS.read_text("utf-8").replace("http://127.0.0.1:8321", running.address)
    [python] = re.findall(r"^```py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(python, {})
    answer, labels = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"greeting 0\.\d+", answer)
    assert labels == "{'greeting': 2, 'parting': 2, 'thanks': 1}"
    assert Path("talk.zip").stat().st_size > 1000
    [shell] = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for name, shape in (("cat1.png", "ellipse"), ("dog1.png", "cross"), ("new.png", "cross")):
        Path(name).write_bytes(drawing(shape))
    ran = subprocess.run(["sh", "-ec", shell], capture_output=True, text=True, check=True)
    assert '"answers":[{"input":"new.png","label":"dog"' in ran.stdout


def test_every_route_is_in_the_docs(running):
    listed = set(re.findall(r"`([A-Z]+ \S+)`", DOCS.read_text("utf-8").replace("...", LIST)))
    routes = running.client.get("/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, methods in routes.items() for method in methods} <= listed


def test_a_port_that_is_taken_is_refused_in_one_line(running, tmp_path, cli):
    port = urlsplit(running.address).port
    code, out, err = cli("serve", tmp_path, "--port", port, "--no-browser")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"port {port}" in err


def test_only_this_machine_is_listened_to(running):
    port = urlsplit(running.address).port
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc")
    lines = [line.split() for line in listening.read_text().splitlines()[1:]]
    assert {line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port:04X}")} == {
        f"0100007F:{port:04X}"
    }


def test_the_package_without_the_extra_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['quickstudy', 'serve', 'x', '--no-browser']; "
        "from quickstudy.cli import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "quickstudy: fastapi is not installed; pip install 'quickstudy[serve]'\n"


def test_help_and_other_commands_do_not_import_the_server():
    code = (
        "import sys; sys.argv = ['quickstudy', 'serve', '--help']\n"
        "import quickstudy\n"
        "from quickstudy.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('fastapi', 'uvicorn', 'starlette', 'pydantic', 'torch') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
