"""A few of each trial of ``tests/torture.py``, which makes many."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import torture
from tests.limits import HANGING

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in Linux's /proc")


def may_mount() -> bool:
    with TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0
        if mounted:
            subprocess.run(["umount", folder], check=True)
    return mounted


def held(*rows: torture.Row) -> None:
    for what, held, tried in rows:
        assert held == tried > 0, what


@pytest.mark.slow
def test_a_killed_run_goes_on_unaided(tmp_path):
    held(*torture.killed(2, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_ends_as_one_that_never_was(tmp_path, workers):
    held(torture.interrupted(1, tmp_path, workers, within=HANGING))


@pytest.mark.slow
def test_a_lost_worker_ends_the_run(tmp_path):
    held(torture.lost_worker(tmp_path, within=HANGING))


@pytest.mark.slow
def test_a_worker_that_stands_still_ends_the_run(tmp_path):
    held(torture.stalled_worker(tmp_path, within=HANGING))


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="no disk of its own to be had")
def test_a_full_disk_ends_the_run_in_a_line_and_it_goes_on_with_room_again(tmp_path):
    held(torture.full_disk(1, tmp_path))


@pytest.mark.slow
def test_damage_to_a_checkpoint_is_found(tmp_path):
    held(*torture.damaged(100, 20, tmp_path))
