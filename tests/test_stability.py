"""docs/stability.md: what is stable stays; new names, commands and optional arguments may come."""

import json

import pytest

from tests.snapshots.interface import PROMISED, interface

NOW, BEFORE = interface(), json.loads(PROMISED.read_text())


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, entries in BEFORE.items() for name in entries])
def test_what_a_user_wrote_still_works(kind, name):
    assert name in NOW[kind], f"{name} is gone"
    now, before = ({each.removesuffix(" (needed)"): each for each in side[kind][name]} for side in (NOW, BEFORE))
    assert not before.keys() - now.keys(), "arguments are gone"
    asked = {each for each, written in now.items() if written.endswith("(needed)")}
    assert all(before.get(each, "").endswith("(needed)") for each in asked), "arguments must be given that needed not"


def test_each_public_name_and_command_is_recorded():
    """`python -m tests.snapshots.interface` records what a release adds."""
    assert {kind: list(entries) for kind, entries in NOW.items()} == {k: list(v) for k, v in BEFORE.items()}
