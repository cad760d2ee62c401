"""Every name is a protocol that can be run, and a figure of its paper."""

import pytest

from quickstudy.errors import SettingError
from quickstudy.runs.papers import find, names, protocols
from quickstudy.runs.settings import complete


def test_a_name_is_found_again():
    assert len(set(names())) == len(names())
    for name in names():
        key, _, cell = find(name)
        assert name == f"{key}-{cell.n_way}way-{cell.n_shot}shot"


@pytest.mark.parametrize("name", names())
def test_a_protocol_is_complete_settings(name):
    _, protocol, cell = find(name)
    settings = complete(protocol.training(cell))
    assert (settings.n_way, settings.n_shot) == (cell.n_way, cell.n_shot)
    assert 1 / cell.n_way < cell.mean / 100 < 1
    assert "arXiv:" in protocol.source


def settings(name):
    _, protocol, cell = find(name)
    return complete(protocol.training(cell))


def test_published_details_that_are_often_missed():
    maml = settings("maml-omniglot-20way-5shot")
    assert (maml.inner_lr, maml.inner_steps, maml.tasks_per_step, maml.train_query) == (0.1, 5, 16, 5)
    assert (maml.rotations, maml.split, maml.schedule, maml.transductive) == ("tasks", "random", "constant", True)
    prototypical = settings("prototypical-omniglot-5way-5shot")
    assert (prototypical.train_way, prototypical.train_shot, prototypical.train_query) == (60, 5, 5)
    assert (prototypical.split, prototypical.schedule) == ("vinyals", "halving")
    reptile = settings("reptile-omniglot-5way-1shot")
    assert (reptile.train_shot, reptile.schedule, reptile.outer_lr, reptile.optimizer) == (10, "linear", 1.0, "sgd")
    implicit = settings("imaml-omniglot-20way-1shot")  # the authors' 0.1 and 2, of a loss averaged over twenty classes
    assert (implicit.inner_lr, implicit.penalty, implicit.cg_steps) == (0.1 / 20, 2 * 20, 5)
    assert settings("maml++-omniglot-5way-1shot").inner_lr == 0.1 / 5
    relation = settings("relation-omniglot-20way-5shot")
    assert (relation.net, relation.train_way, relation.train_query) == ("conv4-maps", 20, 5)
    assert (relation.schedule, relation.halve_every, relation.transductive) == ("halving", 100_000, True)


def test_our_own_recipe_is_never_the_papers():
    own = [protocol for protocol in protocols().values() if protocol.settings.get("warp")]
    assert own
    assert all("our own" in protocol.title for protocol in own)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'maml-omniglot-5way-1shot'"):
        find("maml-omniglot-5way-1shots")
