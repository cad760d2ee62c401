"""The loops as the page gets them: server-sent events."""

import json

import pytest

from quickstudy.serving.limits import Refused
from quickstudy.serving.loops import Loop, Runs


def events(client, path, n):
    """The first events of a run."""
    result = []
    with client.stream("GET", path) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data: "):
                result.append(json.loads(line.removeprefix("data: ")))
            if len(result) == n:
                return result
    return result


def test_a_run_is_sent_while_it_goes_on(client):
    first, second = events(client, "/v1/loops/reptile?tab=a&seed=3", 2)
    assert first["step"] == 0
    assert first["loss"] is None
    assert second["step"] > 0
    assert len(second["curves"]) == 11
    assert len(second["truth"]) == len(second["grid"]) == len(second["curves"][0])


def test_a_seed_decides_all():
    """Weights and tasks are those of the seed; the wave drawn goes through the points that are given."""
    one, two, other = (Loop("maml", seed).advance(0) for seed in (1, 1, 2))
    assert one == two
    assert one["curves"] != other["curves"]
    pairs = dict(zip(one["grid"], one["truth"], strict=True))
    for x, y in zip(one["x"], one["y"], strict=True):
        nearest = min(pairs, key=lambda at: abs(at - x))
        assert abs(pairs[nearest] - y) < 0.5


@pytest.mark.slow
def test_maml_learns_to_learn():
    loop = Loop("maml", 0)
    first = loop.advance(0)["error"]
    while loop.step < 150:
        last = loop.advance(0.2)
    assert last["error"] < first / 2
    assert last["error"] < last["error_before"] / 2


def test_a_run_ends_in_time():
    loop = Loop("reptile", 0)
    loop.begun -= 3600
    assert loop.advance(1) is None


def test_a_tab_has_one_run():
    runs = Runs()
    first = runs.begin("a")
    second = runs.begin("a")
    assert not runs.is_current("a", first)
    runs.end("a", first)
    assert runs.is_current("a", second)
    for tab in "bcd":
        runs.begin(tab)
    with pytest.raises(Refused, match="4 runs are in progress"):
        runs.begin("e")
    runs.end("a", second)
    assert runs.begin("e")


def test_bad_requests_are_refused_in_one_line(client):
    for path in ("other?tab=a", "maml", "maml?tab=A%20b", "maml?tab=a&seed=-1"):
        response = client.get(f"/v1/loops/{path}")
        assert response.status_code == 422
        assert list(response.json()) == ["error"]
