"""What the server refuses: other hosts and sites, wrong tokens, bodies that are too large."""

import re

import pytest
from starlette.testclient import TestClient

from quickstudy.errors import SettingError
from quickstudy.serving.app import STATIC
from quickstudy.serving.limits import Limits
from quickstudy.serving.server import create_app
from tests.serving.conftest import ROWS

LIST = "/v1/classifiers"
SOURCES = (".html", ".css", ".js", ".mjs")
HOME = "http://127.0.0.1:8321"


def app(folder, **settings):
    return TestClient(create_app(folder, **settings), base_url=HOME, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return app(tmp_path_factory.mktemp("plain"))


def refusal(response, status):
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    return response.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8321", "localhost:1", "[::1]:8321", "127.0.0.2", "LOCALHOST"])
def test_names_of_this_machine_are_known(plain, host):
    assert plain.get(LIST, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8321", "10.0.0.1", "", "127.0.0.1@evil.example",
     "evil.example#127.0.0.1", "127.0.0.1:port", "[::1", "a\x80b", "127.0.0.1/x"],
)  # fmt: skip
def test_other_names_are_refused(plain, host):
    """A page whose name leads to 127.0.0.1 (DNS rebinding) sends its own name."""
    for path in (LIST, "/", "/metrics", "/docs", "/healthz"):
        refusal(plain.get(path, headers={"host": host.encode("latin-1")}), 421)


def test_an_open_server_is_reached_by_address_and_by_names_that_are_given(tmp_path):
    server = app(tmp_path, host="0.0.0.0", hosts=["my.lan"])
    for host, status in (("192.168.1.5:8321", 200), ("my.lan", 200), ("evil.example", 421)):
        assert server.get(LIST, headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8321", ""]
)
def test_pages_of_other_sites_are_refused(plain, origin):
    refusal(plain.post(LIST, json={"examples": ROWS}, headers={"origin": origin}), 403)
    assert plain.post(LIST, json={"examples": ROWS}, headers={"origin": HOME}).status_code == 201
    refusal(plain.get(LIST, headers=[("origin", HOME), ("origin", "http://evil.example")]), 403)


def test_the_token_is_needed_for_data_alone(tmp_path):
    server = app(tmp_path, token="secret")
    for wrong in ({}, {"authorization": "Bearer secre"}, {"authorization": "secret"}, {"authorization": "Bearer é"}):
        headers = {name: value.encode("latin-1") for name, value in wrong.items()}
        for path in (LIST, "/v1/classifiers/a", "/metrics"):
            refusal(server.get(path, headers=headers), 401)
    for path in (LIST, "/metrics"):
        assert server.get(path, headers={"authorization": "Bearer secret"}).status_code == 200
    for path in ("/", "/healthz", "/docs", "/openapi.json"):
        assert server.get(path).status_code == 200
    for token in ("", " a", "ä", "a\n"):
        with pytest.raises(SettingError, match="token"):
            create_app(tmp_path, token=token)


def test_large_bodies_are_refused(tmp_path):
    server = app(tmp_path, limits=Limits(body=2000))
    assert "2000" in refusal(server.post(LIST, content=b"x" * 2001), 413)
    chunks = (b"x" * 100 for _ in range(30))
    kind = {"content-type": "application/json"}
    assert "2000" in refusal(server.post(LIST, content=chunks, headers=kind), 413)
    form = {"content-type": "multipart/form-data; boundary=b"}
    assert "2000" in refusal(server.post(LIST, content=(b"x" * 100 for _ in range(30)), headers=form), 413)
    for length in ("-1", "1e3", "9" * 400):
        refusal(server.post(LIST, content=b"{}", headers={**kind, "content-length": length}), 413)
    full = app(tmp_path, limits=Limits(in_flight=50))
    assert "later" in refusal(full.post(LIST, content=b"x" * 100, headers=kind), 429)
    assert app(tmp_path, limits=Limits(body=2000)).get(LIST).status_code == 200


def test_many_inputs_are_refused(tmp_path):
    limits = Limits(files=4, inputs=2, classes=2, examples=5, characters=30, versions=2)
    server = app(tmp_path, limits=limits)
    made = server.post(LIST, json={"name": "a", "examples": ROWS})
    assert made.status_code == 201
    row = {"row": ROWS[0]["row"]}
    assert "4" in refusal(server.post(LIST, json={"examples": [*ROWS, ROWS[0]]}), 413)
    assert "2" in refusal(server.post(f"{LIST}/a/predict", json={"inputs": [row] * 3}), 413)
    assert "classes" in refusal(server.post(f"{LIST}/a/examples", json={"examples": [{**row, "label": "c"}]}), 413)
    assert "examples" in refusal(server.post(f"{LIST}/a/examples", json={"examples": ROWS[:2]}), 413)
    texts = {"examples": [{"label": label, "text": "x" * 20} for label in "ab"]}
    assert "characters" in refusal(server.post(LIST, json=texts), 413)
    files = [("files", ("a/1.png", b"x"))] * 5
    assert "4" in refusal(server.post(LIST, files=files), 413)
    assert server.get(f"{LIST}/a").json()["labels"] == {"large": 2, "small": 2}


def test_many_pixels_are_refused(tmp_path):
    import base64
    import io

    from PIL import Image

    content = io.BytesIO()
    Image.new("L", (1000, 1000)).save(content, "PNG")
    image = base64.b64encode(content.getvalue()).decode()
    server = app(tmp_path, limits=Limits(pixels=1_500_000))
    body = {"examples": [{"label": label, "image": image} for label in "ab"]}
    assert "pixels" in refusal(server.post(LIST, json=body), 413)


def test_answers_may_not_be_framed_or_guessed(plain):
    for path in ("/", "/docs", LIST, "/nothing"):
        headers = plain.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_is_loaded_from_elsewhere(plain):
    """The policy forbids other addresses to the browser; the files of the page name none."""
    assert "default-src 'self'" in plain.get("/").headers["content-security-policy"]
    texts = [
        plain.get("/docs").text,
        *(path.read_text("utf-8") for path in STATIC.rglob("*.*") if path.suffix in SOURCES),
    ]
    assert len(texts) > 1
    for text in texts:
        assert not re.search(r"""(src|href|action|from|import|url)\s*[=(]?\s*["'(]?\s*(https?:)?//""", text)
    assert "/v1/classifiers/{name}/predict" in texts[0]


def test_metrics_count_requests(tmp_path):
    server = app(tmp_path)
    server.post(LIST, json={"name": "a", "examples": ROWS})
    server.post(f"{LIST}/a/predict", json={"inputs": [{"row": ROWS[0]["row"]}]})
    server.get("/v1/nothing/" + "x" * 100)
    lines = server.get("/metrics").text.splitlines()
    route = 'method="POST",route="/v1/classifiers/{name}/predict",status="200"'
    assert f"quickstudy_requests_total{{{route}}} 1.0" in lines
    assert "quickstudy_answers_total 1.0" in lines
    assert "quickstudy_examples_total 4.0" in lines
    assert not any("xxx" in line for line in lines)
