"""The commands' JSON is what it was, to rounding: names, order and figures."""

import json

import pytest

from tests.snapshots import COMMANDS, KEPT, taken


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    pytest.importorskip("sentence_transformers")
    return taken(tmp_path_factory.mktemp("snapshots"))


def alike(a, b, where):
    assert type(a) is type(b) or {type(a), type(b)} <= {int, float}, where
    if isinstance(a, dict):
        assert list(a) == list(b), where
        for name in a:
            alike(a[name], b[name], f"{where}, {name}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            alike(one, other, f"{where}, {i}")
    else:
        assert a == (pytest.approx(b, rel=2e-3, abs=2e-3) if isinstance(a, float) else b), where


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_what_it_did(now, command):
    alike(json.loads(KEPT.read_text())[command], now[command], command)
