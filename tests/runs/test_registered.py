"""Runs of learners and nets that a user registered."""

import json

import pytest
import torch

from quickstudy.errors import QuickstudyError, SettingError
from quickstudy.learners import LEARNERS, Prototypical
from quickstudy.nets import MLP, NETS
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete


def trained(folder, **settings):
    experiment = Experiment(complete(settings))
    return experiment, list(experiment.train(folder))


class Soft(Prototypical):
    """A learner with an argument that has no setting of its own."""

    def __init__(self, net, *, temperature: float = 1.0):
        super().__init__(net)
        self.temperature = temperature


class Flat(MLP):
    """A net for images, with arguments of its own."""

    def __init__(self, channels: int, size: int, depth: int = 1):
        super().__init__(channels * size**2, (8,) * depth)
        self.channels, self.size, self.depth = channels, size, depth

    def forward(self, x):
        return super().forward(x.flatten(1))


class Vectors(MLP):
    def __init__(self, in_features: int, width: int = 8):
        super().__init__(in_features, (width,))
        self.width = width


def test_a_registered_learner_and_net_are_trained_with_arguments_and_opened_again(tmp_path, small):
    LEARNERS.register("soft", Soft)
    NETS.register("flat", Flat)
    given = {**small, "algorithm": "soft", "net": "flat", "arguments": {"temperature": 2.0}}
    trained(tmp_path / "run", **given)
    run = Run(tmp_path / "run")
    settings, learner = run.settings, run.learner
    assert (
        settings.arguments
        == {"temperature": 2.0}
        == json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["arguments"]
    )
    assert (type(learner), learner.temperature, type(learner.net)) == (Soft, 2.0, Flat)


def test_arguments_that_a_learner_does_not_take_are_refused(small):
    LEARNERS.register("soft", Soft)
    for algorithm, arguments, says in (
        ("soft", {"temprature": 2.0}, "arguments: soft does not take 'temprature', only temperature; leave it out"),
        (
            "maml",
            {"temperature": 2.0},
            "arguments: maml does not take 'temperature', nor any other argument; leave it out",
        ),
        (
            "maml",
            {"inner_lr": 2.0},
            "arguments: inner_lr is a setting; give it as a setting, not in arguments",
        ),
        ("soft", {"net": "conv4"}, "arguments: soft does not take 'net'"),
        ("soft", {"temperature": "hot"}, "temperature='hot'"),
    ):
        with pytest.raises(QuickstudyError, match=says):
            _ = Experiment(complete({**small, "algorithm": algorithm, "arguments": arguments})).learner


def test_a_registered_net_takes_images_or_vectors(small):
    NETS.register("flat", Flat)
    NETS.register("vectors", Vectors)
    sinusoid = {"algorithm": "maml", "data": "sinusoid"}
    assert type(Experiment(complete({**sinusoid, "net": "vectors"})).learner.net) is Vectors
    with pytest.raises(SettingError, match="net 'flat' does not take sinusoid: its __init__ has no argument 'in_feat"):
        _ = Experiment(complete({**sinusoid, "net": "flat"})).learner
    with pytest.raises(SettingError, match="net 'vectors' does not take folders: its __init__ has no argument 'chann"):
        _ = Experiment(complete({**small, "net": "vectors"})).learner


def test_a_learner_that_cannot_be_saved_is_refused_before_it_is_trained(tmp_path, small):
    class Forgetful(Prototypical):
        def __init__(self, net, *, temperature: float = 1.0):
            super().__init__(net)

    LEARNERS.register("forgetful", Forgetful)
    with pytest.raises(SettingError, match="Forgetful has no attribute 'temperature'"):
        trained(tmp_path / "run", **small, algorithm="forgetful")
    assert not (tmp_path / "run").exists()


class Tied(MLP):
    """A weight under two names."""

    def __init__(self, in_features: int = 1):
        super().__init__(in_features, (8, 8))
        self.again = self.layers[1]


class RandomScale(MLP):
    def __init__(self, in_features: int = 1):
        super().__init__(in_features, (8,))
        self.register_buffer("scale", torch.randn(8), persistent=False)


def test_tied_weights_are_trained_and_the_run_is_continued(tmp_path):
    NETS.register("tied", Tied)
    settings = {"algorithm": "maml", "data": "sinusoid", "net": "tied", "validation_tasks": 2, "schedule": "constant"}
    trained(tmp_path / "run", steps=2, **settings)
    list(Experiment(complete({**settings, "steps": 3})).train(tmp_path / "run", resume=True))
    net = Run(tmp_path / "run").learner.net
    assert net.again is net.layers[1]


def test_what_could_not_be_loaded_is_refused_before_the_first_step(tmp_path):
    NETS.register("random-scale", RandomScale)
    with pytest.raises(QuickstudyError, match=r"'.*scale' is not persistent, and differs"):
        trained(tmp_path / "run", algorithm="maml", data="sinusoid", net="random-scale", steps=2)
    assert not (tmp_path / "run").exists()
