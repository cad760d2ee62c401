"""Training in one call refuses what it cannot train."""

import pytest
import torch

import quickstudy as qs
from quickstudy.errors import SettingError
from quickstudy.learners import LEARNERS
from quickstudy.runs.outer_rate import optimizer_of
from quickstudy.runs.settings import complete
from quickstudy.training.train import train

WEIGHTLESS = ["prototypical", "finetune", "tim", "laplacian-shot", "pt-map", "bd-cspn", "trans-finetune"]


@pytest.mark.parametrize("name", WEIGHTLESS)
def test_a_learner_without_weights_is_evaluated_and_not_trained(name):
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    tasks = qs.Episodes(qs.ClassDataset.from_labels(x, list("abcd") * 10), n_way=3, n_shot=2, n_query=2)
    learner = LEARNERS[name](qs.Identity(4))
    assert 0 <= qs.evaluate(learner, tasks, n_tasks=2).mean <= 1
    for begin in (lambda: train(learner, tasks, steps=1), lambda: optimizer_of(complete({}), learner)):
        with pytest.raises(SettingError, match=f"{type(learner).__name__} has no weights.* nothing to train; evaluate"):
            begin()
