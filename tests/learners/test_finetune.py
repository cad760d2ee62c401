import copy
import json

import pytest
import torch
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import Finetune, Prototypical
from quickstudy.models.build import build, describe
from quickstudy.nets import MLP, Conv4, Encoder, LowRank, record_population
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks


def conv(channels=1):
    torch.manual_seed(0)
    net = Conv4(channels, 16, 4).double()
    record_population(net, torch.rand(30, channels, 16, 16).double())
    return net


def task_of(learner, n_shot=3):
    return noise_tasks(learner, 1, n_shot).at(0)


def hidden(n_shot, *, signal=1.0, noise=4.0, seed=2):
    """Two classes that differ in the first number by twice the signal; the second number is noise."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(2).repeat(n_shot)
    x = torch.stack([signal * (2.0 * y - 1), noise * torch.randn(2 * n_shot, generator=draw)], 1)
    return Examples(x, torch.eye(2)[y])


def unit():
    """The identity of two numbers, as a net with weights."""
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        layer.bias.zero_()
    return Encoder(layer, (2,), frozen=False)


@pytest.mark.parametrize("n_shot", [1, 3])
def test_rate_zero_is_prototypical_networks_to_the_bit(n_shot):
    net = conv()
    support, query = task_of(Prototypical(net), n_shot)
    expected = Prototypical(copy.deepcopy(net)).adapt(support)(query.x)
    for learner in (Finetune(net, rates=(0.0,)), Finetune(net, rates=(0.0, 0.5), test_steps=0)):
        predict = learner.adapt(support)
        assert predict.rate == 0
        assert torch.equal(predict(query.x), expected)


def test_with_one_example_per_class_the_rate_is_the_one_that_is_set():
    support = task_of(Prototypical(conv()), 1).support
    assert Finetune(conv()).adapt(support).rate == 0
    assert Finetune(conv(), one_shot_rate=0.01).adapt(support).rate == 0.01


def test_the_same_support_in_any_order_gives_the_same_answers():
    learner = Finetune(conv(), test_steps=3, rates=(1e-2,))
    support, query = task_of(learner)
    first, again = (learner.adapt(support)(query.x) for _ in range(2))
    assert torch.equal(first, again)
    order = torch.randperm(len(support.y), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(learner.adapt(support.at(order))(query.x), first, rtol=1e-9, atol=1e-9)


def test_other_numbers_of_the_classes_permute_the_answers():
    learner = Finetune(conv(), test_steps=3, rates=(1e-2,))
    support, query = task_of(learner)
    order = torch.tensor([3, 0, 4, 1, 2])
    after = learner.adapt(Examples(support.x, support.y[:, order]))(query.x)
    torch.testing.assert_close(after, learner.adapt(support)(query.x)[:, order], rtol=1e-9, atol=1e-9)


def test_steps_lower_the_loss_of_new_examples():
    query = hidden(100, seed=1)
    losses = []
    for n in (0, 5, 20):
        predict = Finetune(unit(), rates=(1e-2,), test_steps=n).adapt(hidden(20))
        losses.append(F.cross_entropy(predict(query.x), query.y).item())
    assert losses[0] > losses[1] > losses[2]


def test_a_rate_above_zero_is_chosen_where_it_helps_held_out_examples():
    support, query = hidden(20), hidden(100, seed=1)
    learner = Finetune(unit(), test_steps=20)
    predict = learner.adapt(support)
    frozen = Prototypical(unit()).adapt(support)

    def accuracy(predict):
        return float((predict(query.x).argmax(1) == query.y.argmax(1)).float().mean())

    assert predict.rate > 0
    assert accuracy(predict) > accuracy(frozen) + 0.1


def test_the_chosen_rate_has_the_most_right_answers_when_halves_answer_each_other():
    learner = Finetune(unit(), test_steps=20, rates=(0.0, 1e-3, 1e-2))
    support = hidden(20)
    ordered = learner._ordered(support)
    halves = [ordered.at(slice(i, None, 2)) for i in (0, 1)]
    right = {
        rate: sum(
            int((Finetune(unit(), test_steps=20, rates=(rate,)).adapt(a)(b.x).argmax(1) == b.y.argmax(1)).sum())
            for a, b in (halves, halves[::-1])
        )
        for rate in learner.rates
    }
    assert learner.adapt(support).rate == pytest.approx(max(right, key=right.get))


def test_zero_is_chosen_where_all_held_out_examples_are_right_already():
    assert Finetune(unit(), test_steps=3).adapt(hidden(4, signal=30.0)).rate == 0


def test_many_tasks_at_once_choose_the_rates_that_they_choose_alone():
    learner = Finetune(unit(), test_steps=20, rates=(0.0, 1e-2))
    supports = [hidden(20), hidden(20, signal=30.0)]
    x, y = (torch.stack(parts) for parts in zip(*supports, strict=True))
    rates = torch.vmap(lambda x, y: learner.adapt(Examples(x, y)).rate)(x, y)
    assert rates.tolist() == [float(learner.adapt(support).rate) for support in supports]
    assert rates[0] > 0
    assert rates[1] == 0


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("norm", {f"norms.{i}.{p}" for i in range(4) for p in ("weight", "bias")}),
        ("convs.3.*", {"convs.3.weight"}),
    ],
)
def test_the_chosen_parameters_alone_change(part, names):
    learner = Finetune(conv(), adapt_only=part, test_steps=2, rates=(1e-2,))
    predict = learner.adapt(task_of(learner).support)
    before = dict(learner.net.named_parameters())
    assert set(predict.params) == names
    assert all(not torch.equal(p, before[name]) for name, p in predict.params.items())


def test_weights_that_are_frozen_stay():
    net = conv()
    net.convs.requires_grad_(False)
    learner = Finetune(net, test_steps=2, rates=(1e-2,))
    assert {name.partition(".")[0] for name in learner.adapt(task_of(learner).support).params} == {"norms"}


def test_low_rank_factors_alone_change_and_a_task_starts_from_the_frozen_net():
    net = conv()
    learner = Finetune(LowRank(copy.deepcopy(net), 2).double(), adapt_only="low_rank.*", test_steps=2, rates=(1e-2,))
    support, query = task_of(learner)
    frozen = Prototypical(net).adapt(support)(query.x)
    predict = learner.adapt(support)
    assert set(predict.params) == {f"low_rank.{i}" for i in range(8)}
    assert not torch.allclose(predict(query.x), frozen)
    learner.test_steps = 0
    # The sum of two weights may lie in memory in another order, in which a convolution rounds differently.
    torch.testing.assert_close(learner.adapt(support)(query.x), frozen, rtol=1e-12, atol=1e-12)


def test_training_is_that_of_prototypical_networks():
    net = conv()
    task = task_of(Prototypical(net))
    assert Finetune(net).meta_loss(task) == Prototypical(net).meta_loss(task)


def test_token_ids_are_not_changed():
    class Words(torch.nn.Module):
        out_features = 4

        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(9, 4)

        def forward(self, ids):
            return self.table(ids).mean(1)

    torch.manual_seed(0)
    support = Examples(torch.randint(9, (6, 5)), torch.eye(2).repeat(3, 1))
    assert Finetune(Words(), rates=(1e-2,)).adapt(support)(support.x).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"adapt_only": "*lora*"}, r"adapt_only='\*lora\*' matches no parameter .* such as layers.0.weight"),
        ({"adapt_only": "norm"}, "adapt_only='norm' matches no parameter"),
        ({"rates": ()}, "give at least one rate"),
        ({"rates": (-0.1, 0.1)}, "none below 0"),
        ({"one_shot_rate": -1.0}, "none below 0"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments, says):
    with pytest.raises(SettingError, match=says) as refused:
        Finetune(MLP(2, (4,)), **arguments)
    assert "\n" not in str(refused.value)


def test_it_is_built_again_from_its_description():
    learner = Finetune(LowRank(MLP(2, (4,)), 1), adapt_only="low_rank.*", rates=(0.1, 0.0))
    config = json.loads(json.dumps(describe(learner)))
    again = build(config)
    assert describe(again) == describe(learner)
    assert again.rates == (0.0, 0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_keeps_the_laws(channels):
    check_learner(Finetune(Conv4(channels, 16, 4), test_steps=2, rates=(0.0, 1e-2), one_shot_rate=1e-2))


def test_it_keeps_the_laws_with_low_rank_factors_of_vectors():
    check_learner(Finetune(LowRank(MLP(3, (8,))), adapt_only="low_rank.*", test_steps=2, rates=(0.0, 1e-2)))
