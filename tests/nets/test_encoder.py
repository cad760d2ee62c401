"""Anybody's module, frozen or adapted, under the laws of every learner; embedded once where it is frozen."""

import pytest
import torch
from torch import nn

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.features import features
from quickstudy.learners import MAML, Prototypical
from quickstudy.nets import Encoder, Identity
from quickstudy.tasks.digits import digits
from quickstudy.tasks.episodes import Episodes
from quickstudy.testing import check_learner
from quickstudy.training import train
from quickstudy.training.evaluation import evaluate


def foreign(**norm):
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8, **norm), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(2)
    return nn.Sequential(*layers, nn.Flatten())


@pytest.mark.parametrize("frozen", [True, False])
def test_training_around_it_changes_no_statistic_and_only_weights_that_are_free(frozen):
    encoder = Encoder(foreign(), (1, 28, 28), frozen=frozen)
    before = {name: w.clone() for name, w in encoder.state_dict().items()}
    learner = MAML(encoder, 3, learned_head=True)
    train(learner, Episodes(digits(), 3, 1, 2), steps=2, tasks_per_step=2)
    changed = {name for name, w in encoder.state_dict().items() if not torch.equal(w, before[name])}
    assert not any("running" in name for name in changed)
    assert bool(changed) is not frozen


def test_a_learner_with_it_keeps_the_laws():
    check_learner(Prototypical(Encoder(foreign(), (1, 28, 28), frozen=False)))


def test_what_makes_no_vector_is_refused():
    with pytest.raises(SettingError, match="pool or flatten it"):
        Encoder(nn.Conv2d(1, 8, 3), (1, 28, 28))
    with pytest.raises(DataError, match="pool or flatten it"):
        features(nn.Conv2d(1, 8, 3), digits().select([0, 1]))


def test_features_are_those_of_the_module_and_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))
    module, data, calls = foreign(), digits().select([3, 4, 5]), []
    module.register_forward_hook(lambda *_: calls.append(1))
    found = features(module, data)
    assert len(calls) == -(-len(data.x) // 64)
    assert module.training, "left as it was"
    with torch.no_grad():
        assert torch.allclose(found.x[:5], module.eval()(data.x[:5] / 255), atol=1e-6)
    n = len(calls)
    assert torch.equal(features(module, data).x, found.x)
    assert len(calls) == n + 1, "read from the cache, and checked by one batch of a few inputs"
    with torch.no_grad():
        module[0].weight.mul_(2)
    assert not torch.equal(features(module, data).x, found.x)
    assert len(calls) > n, "other weights, other features"


def test_on_features_a_head_does_as_on_the_module():
    module, data = foreign(), digits()
    tasks = Episodes(features(module, data), 5, 5, 5, split="test")
    there = evaluate(Prototypical(Identity(32)), tasks, n_tasks=10)
    here = evaluate(Prototypical(Encoder(module, (1, 28, 28))), Episodes(data, 5, 5, 5, split="test"), n_tasks=10)
    assert there.values == pytest.approx(here.values, abs=1e-6)
