import pytest
from PIL import Image

from quickstudy.rl.training import train
from quickstudy.rl.watch import watch

pytest.importorskip("matplotlib")


def test_the_film_shows_each_step_of_a_short_episode_and_the_last_step_of_a_long_one(tmp_path):
    for horizon, frames in ((5, 5), (100, 30)):
        arguments = {"horizon": horizon, "ends": False}
        settings = {"steps": 1, "tasks_per_step": 2, "environment_arguments": arguments,
                    "agent_arguments": {"hidden": [4], "n_episodes": 2}}  # fmt: skip
        run = train(settings, tmp_path / f"run{horizon}")
        picture, film = watch(run, tmp_path / f"{horizon}.png", n_tasks=1, updates=1, episodes=2)
        assert picture.is_file()
        with Image.open(film) as pages:
            assert pages.n_frames == frames
