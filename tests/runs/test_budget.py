"""A training is shortened to the minutes that there are."""

from types import SimpleNamespace

import pytest

from quickstudy.errors import SettingError
from quickstudy.runs import budget
from quickstudy.runs.budget import shorten
from quickstudy.runs.settings import complete
from quickstudy.training import outer
from quickstudy.training.evaluation import evaluate


@pytest.fixture
def clock(monkeypatch):
    """A clock of a second per step and 100 seconds per validation."""
    now = [0.0]

    def perf_counter():
        now[0] += 1.0
        return now[0]

    def slowly(*args, **how):
        now[0] += 100.0
        return evaluate(*args, **how)

    monkeypatch.setattr(outer, "time", SimpleNamespace(perf_counter=perf_counter))
    monkeypatch.setattr(outer, "evaluate", slowly)


def test_steps_and_validations_share_the_minutes(clock, small):
    settings = shorten(complete({**small, "steps": 10**5}), minutes=100)
    assert (settings.steps, settings.validate_every) == (5100, 567)  # nine validations of 100 s


def test_a_step_that_takes_more_than_the_trial_is_measured_once(clock, small):
    settings = shorten(complete({**small, "steps": 10**5}), minutes=0.05)
    assert settings.steps == 2  # 85 % of 3 s
    assert settings.validate_every == 2


def test_what_fits_is_not_changed(clock, small):
    settings = complete({**small, "steps": 30})
    assert shorten(settings, minutes=1000) == settings


def test_less_than_a_step_is_refused(clock, small):
    with pytest.raises(SettingError, match=r"0\.01 minutes are too few for one step of 1 s"):
        shorten(complete(small), minutes=0.01)


def test_the_trial_trains_by_what_its_settings_say_and_writes_nothing(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(budget, "_MEASURED", 0.001)
    assert shorten(complete({**small, "steps": 10**6}), minutes=1).steps > 6
    assert not list(tmp_path.iterdir())
