"""The API, over HTTP, for each kind of input."""

import asyncio
import base64
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from quickstudy.classify.classifier import Classifier
from quickstudy.serving.server import create_app
from tests.serving.conftest import LIST, ROW, ROWS, drawing, drawings, made

TALK = {"greeting": ["hello there", "good morning"], "parting": ["goodbye", "see you tomorrow"]}


def refused(response, status=422):
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert "\n" not in response.json()["error"]
    return response.json()["error"]


def predicted(client, name, *inputs):
    return made(client.post(f"{LIST}/{name}/predict", json={"inputs": inputs}))["answers"]


def rows(client, name=None):
    return made(client.post(LIST, json={"name": name, "examples": ROWS}))


def test_drawings(client, store, cli, tmp_path):
    state = made(client.post(LIST, files=drawings("ellipse", "cross", "rectangle"), data={"name": "shapes"}))
    assert (state["kind"], state["noun"]) == ("drawings", "image")
    assert state["labels"] == {"cross": 1, "ellipse": 1, "rectangle": 1}
    answered = made(client.post(f"{LIST}/shapes/predict", files=[("files", ("new.png", drawing("ellipse", 9)))]))
    assert answered["answers"][0]["label"] == "ellipse"
    url = "data:image/png;base64," + base64.b64encode(drawing("ellipse", 9)).decode()
    again = made(client.post(f"{LIST}/shapes/predict", json={"inputs": [{"image": url, "name": "new.png"}]}))
    assert again == answered
    path = tmp_path / "new.png"
    path.write_bytes(drawing("ellipse", 9))
    code, out, err = cli("predict", store / "shapes", path, "--json")
    assert (code, err) == (0, "")
    [answer] = json.loads(out)["answers"]
    assert answer.keys() == answered["answers"][0].keys()
    assert answer["probabilities"] == answered["answers"][0]["probabilities"]


def test_a_drawing_is_explained(client):
    made(client.post(LIST, files=drawings("ellipse", "cross"), data={"name": "why"}))
    why = made(client.post(f"{LIST}/why/explain", files=[("files", ("new.png", drawing("ellipse", 9)))]))
    assert (why["label"], len(why["parts"])) == ("ellipse", 49)
    assert why["label_of"][why["nearest"][0]] == "ellipse"
    heat = Image.open(io.BytesIO(base64.b64decode(why["heat"])))
    assert heat.size == Image.open(io.BytesIO(base64.b64decode(why["picture"]))).size
    assert len(np.unique(np.asarray(heat).reshape(-1, 3), axis=0)) > 10
    picture = client.get(f"{LIST}/why/examples/{why['ids'][why['nearest'][0]]}/picture")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (200, 200)


def test_sentences(client):
    examples = [{"label": label, "text": text} for label, texts in TALK.items() for text in texts]
    state = made(client.post(LIST, json={"examples": examples}))
    assert (state["kind"], state["labels"]) == ("sentences", {"greeting": 2, "parting": 2})
    name = state["name"]
    answers = made(client.post(f"{LIST}/{name}/predict", json={"inputs": [{"text": "hi"}, {"text": "bye bye"}]}))[
        "answers"
    ]
    assert [answer["label"] for answer in answers] == ["greeting", "parting"]
    why = made(client.post(f"{LIST}/{name}/explain", json={"input": {"text": "good evening"}}))
    assert [part for part, _ in why["parts"]] == ["good", "evening"]
    assert (why["picture"], why["heat"]) == (None, None)


def test_rows(client):
    state = rows(client)
    assert (state["kind"], state["labels"]) == ("rows", {"large": 2, "small": 2})
    name = state["name"]
    assert predicted(client, name, {"row": {"width": 7, "colour": "blue"}})[0]["label"] == "large"
    assert "label" in refused(client.post(f"{LIST}/{name}/predict", json={"inputs": [ROWS[0]]}))
    question = {"inputs": [{"row": {"width": 7}}, {"row": ROWS[0]["row"]}]}
    assert "colour" in refused(client.post(f"{LIST}/{name}/predict", json=question))
    partly = made(client.post(f"{LIST}/{name}/predict", json={**question, "skip_bad": True}))
    assert (len(partly["answers"]), len(partly["skipped"])) == (1, 1)


def test_bad_inputs_are_skipped_where_that_is_asked(client):
    name = made(client.post(LIST, json={"examples": [{"label": k, "text": t} for k in TALK for t in TALK[k]]}))["name"]
    texts = {"inputs": [{"text": ""}, {"text": "hi"}, {"text": " "}]}
    partly = made(client.post(f"{LIST}/{name}/predict", json={**texts, "skip_bad": True}))
    assert ([each["label"] for each in partly["answers"]], len(partly["skipped"])) == (["greeting"], 2)
    assert "text 1 is empty" in refused(client.post(f"{LIST}/{name}/predict", json=texts))
    none = made(client.post(f"{LIST}/{name}/predict", json={"inputs": [{"text": ""}], "skip_bad": True}))
    assert (none["answers"], len(none["skipped"])) == ([], 1)
    pool = made(client.post(f"{LIST}/{name}/next", json=texts))
    assert (pool["label_next"], len(pool["unreadable"])) == ([1], 2)
    assert "empty" in refused(client.post(f"{LIST}/{name}/explain", json={"input": {"text": ""}}))


def test_bad_pictures_are_skipped_where_that_is_asked(client):
    made(client.post(LIST, files=drawings("ellipse", "cross"), data={"name": "partly"}))
    good = base64.b64encode(drawing("ellipse", 9)).decode()
    question = {"inputs": [{"image": "?"}, {"image": good}, {"image": ""}], "skip_bad": True}
    files = [("files", (f"{i}.png", content)) for i, content in enumerate((b"", drawing("ellipse", 9), b"no picture"))]
    for asked in {"json": question}, {"files": files, "data": {"skip_bad": "true"}}:
        partly = made(client.post(f"{LIST}/partly/predict", **asked))
        assert ([each["label"] for each in partly["answers"]], len(partly["skipped"])) == (["ellipse"], 2)
    pool = made(client.post(f"{LIST}/partly/next", json={"inputs": question["inputs"]}))
    assert (pool["label_next"], len(pool["unreadable"])) == ([1], 2)


def test_an_application_starts_again(tmp_path):
    app = create_app(tmp_path)
    for number in range(2):
        with TestClient(app, base_url="http://127.0.0.1") as client:
            made(client.post(LIST, json={"name": f"stones{number}", "examples": ROWS}))
            assert predicted(client, f"stones{number}", ROW)[0]["label"] == "small"


def test_clients_at_once_get_each_their_own_answer(client):
    """Questions that wait at the same time are answered in one batch; a bad one among them fails alone."""
    name = made(client.post(LIST, json={"examples": [{"label": k, "text": t} for k in TALK for t in TALK[k]]}))["name"]
    texts = ["good evening", "farewell", "see you next week, my friend", "hello", ""] * 3

    def ask(text):
        return client.post(f"{LIST}/{name}/predict", json={"inputs": [{"text": text}]})

    alone = {text: ask(text) for text in dict.fromkeys(texts)}
    with ThreadPoolExecutor(len(texts)) as pool:
        for text, response in zip(texts, pool.map(ask, texts), strict=True):
            if text == "":
                assert refused(response) == refused(alone[text])
                continue
            [answer], [expected] = made(response)["answers"], made(alone[text])["answers"]
            assert answer.pop("probabilities") == pytest.approx(expected.pop("probabilities"), abs=1e-4)
            assert (answer["input"], answer["label"]) == (text, expected["label"])


def test_several_questions_are_one_forward_pass(tmp_path, monkeypatch):
    batches = []
    plain = Classifier.answer

    def answer(self, things, **options):
        batches.append(len(things))
        return plain(self, things, **options)

    monkeypatch.setattr(Classifier, "answer", answer)
    question = {"inputs": [{"row": ROWS[0]["row"]}]}

    async def ask():
        transport = httpx.ASGITransport(create_app(tmp_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            made(await client.post(LIST, json={"name": "stones", "examples": ROWS}))
            waiting = (client.post(f"{LIST}/stones/predict", json=question) for _ in range(6))
            return [made(response)["answers"] for response in await asyncio.gather(*waiting)]

    answers = asyncio.run(ask())
    assert all(each == answers[0] for each in answers)
    assert sum(batches) == 6
    assert max(batches) > 1


def test_photographs(client):
    noise = np.random.default_rng(0)

    def photograph(colour):
        picture = Image.fromarray((noise.normal(0, 25, (90, 120, 3)) + colour).clip(0, 255).astype(np.uint8))
        content = io.BytesIO()
        picture.resize((240, 180), Image.Resampling.BICUBIC).save(content, "JPEG")
        return content.getvalue()

    sand, sea = (200, 180, 120), (30, 80, 160)
    files = [("files", (f"{i}.jpg", photograph(c))) for i, c in enumerate((sand, sand, sea, sea))]
    labels = ["sand", "sand", "sea", "sea"]
    state = made(client.post(LIST, files=files, data={"labels": labels, "kind": "photos"}))
    assert (state["kind"], state["labels"]) == ("photos", {"sand": 2, "sea": 2})
    answered = made(client.post(f"{LIST}/{state['name']}/predict", files=[("files", ("new.jpg", photograph(sea)))]))
    assert answered["answers"][0]["label"] == "sea"


def test_a_wrong_answer_is_corrected_and_taken_back(client):
    name = rows(client)["name"]
    odd = {"row": {"width": 7, "colour": "red"}}
    before = predicted(client, name, odd)
    assert before[0]["label"] == "large"
    state = made(client.post(f"{LIST}/{name}/examples", json={"examples": [{**odd, "label": "middle"}]}))
    assert (state["labels"], state["can_undo"]) == ({"large": 2, "middle": 1, "small": 2}, 1)
    assert made(client.post(f"{LIST}/{name}/predict", json={"inputs": [odd]}))["answers"][0]["label"] == "middle"
    state = made(client.post(f"{LIST}/{name}/undo"))
    assert (state["labels"], state["can_undo"]) == ({"large": 2, "small": 2}, 0)
    assert predicted(client, name, odd) == before
    assert "no earlier version" in refused(client.post(f"{LIST}/{name}/undo"), 409)


def test_an_example_is_relabelled_and_forgotten(client):
    name = rows(client)["name"]
    listed = made(client.get(f"{LIST}/{name}/examples"))["examples"]
    assert [each["label"] for each in listed] == ["large", "large", "small", "small"]
    [first, *rest] = listed
    state = made(client.patch(f"{LIST}/{name}/examples/{first['id']}", json={"label": "huge"}))
    assert state["labels"] == {"huge": 1, "large": 1, "small": 2}
    assert first["id"] not in [each["id"] for each in made(client.get(f"{LIST}/{name}/examples"))["examples"]]
    assert made(client.delete(f"{LIST}/{name}/examples/{rest[0]['id']}"))["labels"] == {"huge": 1, "small": 2}
    assert {each["id"] for each in rest[1:]} < {
        e["id"] for e in made(client.get(f"{LIST}/{name}/examples"))["examples"]
    }
    assert "no example" in refused(client.delete(f"{LIST}/{name}/examples/{rest[0]['id']}"), 404)
    assert "two" in refused(client.post(LIST, json={"examples": ROWS[:2]}))
    assert "class" in refused(client.delete(f"{LIST}/{name}/labels/huge"))
    assert "unknown class" in refused(client.delete(f"{LIST}/{name}/labels/none"))
    for left in ({"huge": 1, "large": 1, "small": 2}, {"large": 2, "small": 2}):
        assert made(client.post(f"{LIST}/{name}/undo"))["labels"] == left
    assert made(client.get(f"{LIST}/{name}/examples"))["examples"] == listed


def test_a_class_is_renamed_and_joined_in_one_change(client):
    name = rows(client)["name"]
    before = made(client.get(f"{LIST}/{name}/examples"))["examples"]
    state = made(client.patch(f"{LIST}/{name}/labels/small", json={"label": "odd/one"}))
    assert state["labels"] == {"large": 2, "odd/one": 2}
    made(client.post(f"{LIST}/{name}/examples", json={"examples": [{"label": "new", "row": ROWS[0]["row"]}]}))
    state = made(client.patch(f"{LIST}/{name}/labels/odd%2Fone", json={"label": "new"}))
    assert state["labels"] == {"large": 2, "new": 3}
    assert "unknown class" in refused(client.patch(f"{LIST}/{name}/labels/small", json={"label": "x"}))
    assert "class" in refused(client.patch(f"{LIST}/{name}/labels/large", json={"label": "new"}))
    for _ in range(3):
        made(client.post(f"{LIST}/{name}/undo"))
    assert made(client.get(f"{LIST}/{name}/examples"))["examples"] == before


def test_a_class_is_forgotten(client):
    name = rows(client)["name"]
    made(client.post(f"{LIST}/{name}/examples", json={"examples": [{"label": "odd/one", "row": ROWS[0]["row"]}]}))
    state = made(client.delete(f"{LIST}/{name}/labels/odd%2Fone"))
    assert state["labels"] == {"large": 2, "small": 2}


def test_the_check_names_what_is_wrong(client):
    many = [{"label": "small" if i < 5 else "large", "row": {"width": i + 9 * (i > 4), "deep": i}} for i in range(10)]
    wrong = [*many, {"label": "large", "row": {"width": 1.2, "deep": 1}, "name": "odd"}, many[0]]
    name = made(client.post(LIST, json={"examples": wrong}))["name"]
    check = made(client.get(f"{LIST}/{name}"))["check"]
    ids = {each["id"]: each for each in made(client.get(f"{LIST}/{name}/examples"))["examples"]}
    assert "odd" in [ids[suspect["id"]]["input"] for suspect in check["suspects"]]
    exact = [pair for pair in check["duplicates"] if pair["exact"]]
    assert [{ids[pair["first_id"]]["label"], ids[pair["second_id"]]["label"]} for pair in exact] == [{"small"}]
    assert "check" not in made(client.get(f"{LIST}/{name}", params={"check": False}))


def test_what_to_label_next(client):
    name = rows(client)["name"]
    pool = [{"row": {"width": width, "colour": "blue"}} for width in (1.1, 8.1, 30, 31)]
    chosen = made(client.post(f"{LIST}/{name}/next", json={"inputs": pool, "n": 1}))
    assert chosen["label_next"][0] in (2, 3)


def test_coverage_needs_examples(client):
    name = rows(client)["name"]
    question = {"inputs": [{"row": ROWS[0]["row"]}], "coverage": 0.6}
    assert made(client.post(f"{LIST}/{name}/predict", json=question))["answers"][0]["set"] == ["small"]
    assert "at least" in refused(client.post(f"{LIST}/{name}/predict", json={**question, "false_alarms": 0.05}))


def test_a_zip_is_a_classifier_for_the_command_line_and_opens_again(client, tmp_path, cli):
    name = rows(client)["name"]
    content = client.get(f"{LIST}/{name}.zip").content
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    (tmp_path / "new.csv").write_text("width,colour\n7,blue\n")
    code, out, _ = cli("predict", tmp_path / name, tmp_path / "new.csv", "--json")
    assert (code, json.loads(out)["answers"][0]["label"]) == (0, "large")
    state = made(client.put(f"{LIST}/{name}-again.zip", content=content))
    assert state["labels"] == {"large": 2, "small": 2}
    made(client.post(f"{LIST}/{name}/examples", json={"examples": [{"label": "odd", "row": ROWS[0]["row"]}]}))
    assert made(client.put(f"{LIST}/{name}.zip", content=content))["labels"] == {"large": 2, "small": 2}
    assert "odd" in made(client.post(f"{LIST}/{name}/undo"))["labels"]


@pytest.mark.slow
def test_onnx(client, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    name = rows(client)["name"]
    session = onnxruntime.InferenceSession(client.get(f"{LIST}/{name}.onnx").content)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == ["large", "small"]


def test_a_deleted_classifier_comes_back(client, store):
    name = rows(client)["name"]
    made(client.delete(f"{LIST}/{name}"))
    assert "no classifier" in refused(client.get(f"{LIST}/{name}"), 404)
    assert not (store / name).exists()
    assert made(client.post(f"{LIST}/{name}/undo"))["labels"] == {"large": 2, "small": 2}
    assert name in [each["name"] for each in made(client.get(LIST))["classifiers"]]


def test_names_are_taken_once_and_random_ones_differ(client):
    rows(client, "mine")
    assert "mine" in refused(client.post(LIST, json={"name": "mine", "examples": ROWS}), 409)
    assert rows(client)["name"] != rows(client)["name"]


@pytest.mark.parametrize("name", ["..", ".serve", "a/b", "a.b", "-a", "a" * 65, "ä", "a\n", "%2e%2e", ""])
def test_names_lead_nowhere_else(client, store, name):
    before = sorted(path.name for path in store.parent.iterdir())
    if name:
        refused(client.post(LIST, json={"name": name, "examples": ROWS}))
    quoted = name.replace("/", "%2F").replace("..", "%2E%2E").replace("\n", "%0A")
    assert client.get(f"{LIST}/{quoted}").status_code in (200 if not name else 404, 404, 422, 307)
    assert client.put(f"{LIST}/{quoted}.zip", content=b"").status_code in (404, 405, 422)
    assert sorted(path.name for path in store.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON"),
        (b"[]", "body"),
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        ({}, "examples"),
        ({"examples": []}, "examples"),
        ({"examples": [{"label": "a"}]}, "exactly one"),
        ({"examples": [{"label": "a", "text": "x", "row": {}}]}, "exactly one"),
        ({"examples": [{"label": "a", "text": "x", "colour": "red"}]}, "colour"),
        ({"examples": [{"label": "", "text": "x"}, {"label": "b", "text": "y"}]}, "label"),
        ({"examples": [{"label": "a\n", "text": "x"}, {"label": "b", "text": "y"}]}, "label"),
        ({"examples": [{"label": "a", "text": " "}, {"label": "b", "text": "y"}]}, "text 1"),
        ({"examples": [{"label": "a", "image": "?"}, {"label": "b", "image": "x"}]}, "base64"),
        ({"examples": [{"label": "a", "image": "aGFsbG8="}, {"label": "b", "image": "aGFsbG8="}]}, "image"),
        ({"examples": [{"label": "a", "text": "x"}, {"label": "b", "row": {"c": 1}}]}, "row"),
        ({"examples": [{"label": "a", "row": {}}, {"label": "b", "row": {}}]}, "empty"),
        ({"examples": [{"label": "a", "row": {"c": 10**400}}, {"label": "b", "row": {"c": 1}}]}, "row"),
        ({"examples": ROWS, "kind": "photos"}, "image"),
        ({"examples": ROWS, "kind": "tables"}, "kind"),
        (b'{"examples": [{"label": "\\ud800", "text": "x"}]}', "JSON"),
    ],
)
def test_bad_bodies_are_refused_in_one_line(client, body, words):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(LIST, content=content, headers={"content-type": "application/json"})
    assert words in refused(answer)


def test_forms_are_checked(client):
    files = drawings("ellipse", "cross")
    assert "labels" in refused(client.post(LIST, files=files, data={"labels": ["a"]}))
    assert "label" in refused(client.post(LIST, files=[("files", ("a.png", drawing("cross")))] * 2))
    assert "colour" in refused(client.post(LIST, files=files, data={"colour": "red"}))
    assert "form" in refused(client.post(LIST, data={"name": "x"}), 415)
    broken = client.post(LIST, content=b"--x\r\nnothing", headers={"content-type": "multipart/form-data; boundary=x"})
    refused(broken)
    assert "json" in refused(client.post(LIST, content=json.dumps({"examples": ROWS})), 415)


def test_ids_are_those_of_the_saved_folder(client, store):
    made(client.post(LIST, files=drawings("ellipse", "cross"), data={"name": "same"}))
    from quickstudy.serving.store import Held

    listed = [each["id"] for each in made(client.get(f"{LIST}/same/examples"))["examples"]]
    assert Held(Classifier.load(Path(store) / "same"), "").ids == listed
