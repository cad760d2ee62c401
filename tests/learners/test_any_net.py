"""What every learner does with a net, inputs and targets as people bring them."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import quickstudy as qs
from quickstudy.errors import DataError, SettingError
from quickstudy.learners import LEARNERS
from quickstudy.learners.base import embedding_width
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples, Task, one_hot
from quickstudy.tasks.tree import tree_map
from quickstudy.testing import noise_tasks
from tests.each import each_learner
from tests.own_nets import Counting, Recurrent, TwiceNamed, TwoInputs

GRADIENT = ["maml", "reptile", "meta-sgd", "maml++", "imaml", "proto-maml", "meta-curvature", "kfo"]
"""Whose inner loop moves the net."""


def made(name, net=None):
    torch.manual_seed(0)
    cls = LEARNERS[name]
    if name == "nearest-pixels":
        return cls(size=16)
    more: dict[str, object] = {"test_steps": 1} if name in ("tim", "pt-map", "trans-finetune") else {}
    more |= {"n_classes": 5} if not cls.episodic else {"n_way": 5} if name in (*GRADIENT, "anil") else {}
    return cls(qs.MLP(4, (8, 8), "tanh") if net is None else net, **more)


def task_of(learner, dtype=torch.float32):
    tasks = noise_tasks(learner)
    return tree_map(lambda t: t.to(dtype), tasks).at(0)


def twice_named():
    torch.manual_seed(0)
    return TwiceNamed()


class TestFrozen:
    @pytest.mark.parametrize("name", GRADIENT)
    def test_a_frozen_weight_does_not_move(self, name):
        net = qs.MLP(4, (8, 8), "tanh")
        net.layers[0].requires_grad_(False)
        learner = made(name, net)
        nn.init.normal_(learner.model[1].weight)  # from a head of zeros the first step moves the head alone
        task = task_of(learner)
        adapted = learner.adapt(task.support).params
        frozen = ["0.layers.0.weight", "0.layers.0.bias"]
        before = dict(learner.model.named_parameters())
        assert all(torch.equal(adapted[n], before[n]) for n in frozen)
        assert not torch.equal(adapted["0.layers.1.weight"], before["0.layers.1.weight"])
        learner.meta_loss(task).backward()
        assert all(before[n].grad is None for n in frozen)
        assert bool((before["0.layers.1.weight"].grad != 0).any())

    @pytest.mark.parametrize("name", [*GRADIENT, "anil"])
    def test_on_a_net_that_is_all_frozen_the_head_alone_learns(self, name):
        learner = made(name, qs.MLP(4, (8,), "tanh").requires_grad_(False))
        task = task_of(learner)
        adapted, before = learner.adapt(task.support).params, dict(learner.model.named_parameters())
        moved = {n for n, p in adapted.items() if p.shape != before[n].shape or not torch.equal(p, before[n])}
        assert moved == {"1.weight", "1.bias"}
        assert learner.meta_loss(task).isfinite()

    def test_an_encoder_that_is_frozen_stays_and_one_that_is_not_moves(self):
        for frozen in (True, False):
            learner = made("maml", qs.Encoder(nn.Sequential(nn.Linear(4, 8), nn.Tanh()), (4,), frozen=frozen))
            learner.learned_head = True
            adapted = learner.adapt(task_of(learner).support).params
            same = torch.equal(adapted["0.module.0.weight"], learner.net.module[0].weight)
            # From a head of zeros one step moves the head alone.
            assert same
            learner.inner_steps = 2
            adapted = learner.adapt(task_of(learner).support).params
            assert torch.equal(adapted["0.module.0.weight"], learner.net.module[0].weight) == frozen


class TestAdaptOnly:
    @pytest.mark.parametrize(
        ("part", "moves"),
        [
            ("all", ["0.0", "0.1", "0.2", "1"]),
            ("head", ["1"]),
            ("body", ["0.0", "0.1", "0.2"]),
            ("norm", ["0.1", "1"]),
            ("2.*", ["0.2", "1"]),
        ],
    )
    @pytest.mark.parametrize("first_order", [False, True])
    def test_only_what_is_named_moves(self, part, moves, first_order):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 6))
        learner = qs.MAML(net, 5, inner_steps=2, learned_head=True, adapt_only=part, first_order=first_order)
        learner.input_shape = (4,)
        task = task_of(learner)
        adapted, before = learner.adapt(task.support).params, dict(learner.model.named_parameters())
        moved = {n for n, p in adapted.items() if not torch.equal(p, before[n])}
        assert moved == {f"{layer}.{part}" for layer in moves for part in ("weight", "bias")}
        learner.meta_loss(task).backward()
        assert all(p.grad is not None for p in before.values())  # what stays is meta-learned

    def test_the_head_alone_is_anil(self):
        whole = qs.MAML(qs.MLP(4, (8,), "tanh"), 5, inner_lr=0.4, inner_steps=3, adapt_only="head").double()
        anil = qs.ANIL(copy.deepcopy(whole.net), 5, inner_lr=0.4, inner_steps=3).double()
        task = noise_tasks(whole).at(0)
        torch.testing.assert_close(whole.adapt(task.support)(task.query.x), anil.adapt(task.support)(task.query.x))
        gradients = [torch.autograd.grad(each.meta_loss(task), list(each.net.parameters())) for each in (whole, anil)]
        torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)

    def test_a_part_that_is_not_there_is_refused_in_a_line(self):
        with pytest.raises(SettingError, match=r"adapt_only='\*lora\*' matches no parameter .* layers.0.weight"):
            qs.MAML(qs.MLP(4), 5, adapt_only="*lora*")
        with pytest.raises(SettingError, match="needs a learned head"):
            qs.MAML(qs.MLP(4), 5, adapt_only="body")


class TestNames:
    def test_a_submodule_with_two_names_keeps_its_identity_and_is_trained(self):
        net = twice_named()
        learner = qs.MAML(net, 5, learned_head=True, inner_steps=2)
        weight, task = net.backbone.weight, task_of_vectors()
        for use in (lambda: learner.adapt(task.support)(task.query.x), lambda: learner.meta_loss(task).backward()):
            use()
            assert net.backbone.weight is weight
            assert net.all[0] is net.backbone
            assert type(net.backbone.weight) is nn.Parameter
        assert bool((weight.grad != 0).any())
        before = weight.detach().clone()
        torch.optim.SGD(learner.parameters(), 1.0).step()
        assert not torch.equal(net.backbone(torch.zeros(1, 4)) + net.backbone.weight.sum(), before.sum())
        assert net.backbone.weight is weight

    def test_tied_weights_are_adapted_as_one(self):
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
        second.weight = first.weight
        learner = qs.MAML(nn.Sequential(first, nn.Tanh(), second), 5, inner_steps=2, learned_head=True)
        support, query = task_of_vectors()
        adapted = learner.adapt(support)
        assert "0.2.weight" not in adapted.params
        phi = adapted.params
        z = F.linear(F.linear(query.x, phi["0.0.weight"], phi["0.0.bias"]).tanh(), phi["0.0.weight"], phi["0.2.bias"])
        torch.testing.assert_close(adapted(query.x), F.linear(z, phi["1.weight"], phi["1.bias"]))

    def test_a_recurrent_net_answers_with_its_own_weights_after_it_adapted(self):
        net = Recurrent(nn.LSTM)
        x = torch.randn(6, 5, 4)
        learner = qs.MAML(net, 3, learned_head=True, inner_steps=2)
        learner.adapt(Examples(x, torch.eye(3).repeat(2, 1)))
        before = net(x)
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(2)
        fresh = Recurrent(nn.LSTM)
        fresh.load_state_dict(net.state_dict())
        assert not torch.allclose(before, net(x))
        torch.testing.assert_close(net(x), fresh(x))

    def test_a_buffer_that_forward_writes_is_refused_and_stays(self):
        net = Counting()
        task = task_of_vectors()
        for learner in (qs.MAML(net, 5), qs.Prototypical(net)):
            with pytest.raises(SettingError, match=r"forward pass changes its buffer '.*centre'"):
                learner.meta_loss(task)
        assert net.centre.tolist() == [0.0] * 4

    def test_no_learner_changes_a_net_that_somebody_brings(self):
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 6))
        before = [(p.clone(), p.stride()) for p in net.parameters()]
        for cls in (qs.Prototypical, qs.MAML, qs.SimpleShot, qs.R2D2):
            cls(net, n_classes=5) if cls is qs.SimpleShot else cls(net)
        assert all(torch.equal(a, p) and s == p.stride() for (a, s), p in zip(before, net.parameters(), strict=True))


def task_of_vectors(n_way=5, dtype=torch.float32):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(4 * n_way, 4, generator=draw).to(dtype)
    y = torch.eye(n_way).repeat(2, 1)
    return Task(Examples(x[: 2 * n_way], y), Examples(x[2 * n_way :], y))


class TestTargets:
    @pytest.mark.parametrize("name", each_learner(name for name in LEARNERS if name != "nearest-pixels"))
    def test_class_indices_are_the_same_as_rows(self, name):
        learner = made(name)
        rows = task_of(learner)
        given = Task(*(Examples(part.x, part.y.argmax(-1)) for part in rows))
        torch.testing.assert_close(
            learner.adapt(given.support)(rows.query.x), learner.adapt(rows.support)(rows.query.x), rtol=0, atol=0
        )
        torch.testing.assert_close(learner.meta_loss(given), learner.meta_loss(rows), rtol=0, atol=0)

    def test_rows_of_whole_numbers_are_rows(self):
        learner = made("prototypical")
        support, query = task_of(learner)
        whole = Examples(support.x, F.one_hot(support.y.argmax(-1), 5))
        assert torch.equal(learner.adapt(whole)(query.x), learner.adapt(support)(query.x))

    def test_a_source_of_class_indices_trains_and_is_evaluated(self):
        class Indices:
            def sample(self, step, n_tasks):
                one = tree_map(lambda t: t.expand(n_tasks, *t.shape), task_of_vectors())
                return Task(*(Examples(part.x, part.y.argmax(-1)) for part in one))

        learner = made("maml")
        qs.train(learner, Indices(), steps=2, tasks_per_step=4)
        learner = made("prototypical")
        given = qs.evaluate(learner, Indices(), n_tasks=2).mean
        support, query = task_of_vectors()
        assert given == (learner.adapt(support)(query.x).argmax(-1) == query.y.argmax(-1)).float().mean()

    @pytest.mark.parametrize(
        ("y", "says"),
        [
            (torch.tensor([0, 1, -1, 0]), "class index -1 is below 0"),
            (torch.tensor([0.5, 1.0, 2.0, 3.0]), "real targets are"),
            (torch.tensor([0, 1]), "one target per input"),
        ],
    )
    def test_targets_that_mean_nothing_are_refused_in_a_line(self, y, says):
        with pytest.raises(DataError, match=says) as refused:
            made("prototypical").adapt(Examples(torch.zeros(4, 4), y))
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
    def test_what_is_no_tensor_is_refused_in_a_line(self, loss):
        learner, x, y = qs.R2D2(qs.MLP(4, (8,)), loss=loss), torch.zeros(4, 4), torch.eye(4)
        for other, kind in ((torch.Tensor.numpy, "ndarray"), (torch.Tensor.tolist, "float|list")):
            for part, name in ((Examples(other(x), y), "inputs"), (Examples(x, other(y)), "targets")):
                for use in (learner.adapt, lambda bad: learner.meta_loss(Task(bad, bad))):
                    with pytest.raises(DataError, match=f"{name} are of type ({kind}), .*torch.as_tensor") as refused:
                        use(part)
                    assert "\n" not in str(refused.value)
                with torch.inference_mode(), pytest.raises(DataError, match="takes tensors"):
                    learner.adapt(part)
                with pytest.raises(DataError, match="takes tensors"):
                    made("maml").meta_loss(Task(part, part))  # that of every learner

    @pytest.mark.parametrize("name", each_learner(name for name in LEARNERS if name != "nearest-pixels"))
    def test_queries_that_are_no_tensor_are_refused_in_a_line(self, name):
        support, query = task_of_vectors()
        predict = made(name).adapt(support)
        for other, kind in ((query.x.numpy(), "ndarray"), (query.x.tolist(), "float")):
            with pytest.raises(DataError, match=rf"^queries are of type {kind}, .*torch.as_tensor\(queries\)$"):
                predict(other)

    def test_regression_does_not_take_a_column_for_classes(self):
        learner = qs.MAML(qs.MLP(4, (8,)), 1, loss="mse")
        for y in (torch.tensor([0, 1, 2]), torch.zeros(3)):
            with pytest.raises(DataError, match="real targets are"):
                learner.adapt(Examples(torch.zeros(3, 4), y))
            with pytest.raises(DataError, match="real targets are"):
                learner.meta_loss(Task(Examples(torch.zeros(3, 4), torch.zeros(3, 1)), Examples(torch.zeros(3, 4), y)))


class TestNumberTypes:
    @pytest.mark.parametrize("name", each_learner(name for name in LEARNERS if name != "nearest-pixels"))
    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
    def test_inputs_head_and_targets_follow_the_net(self, name, dtype):
        learner = made(name, qs.MLP(4, (8,), "tanh").to(dtype))
        task = task_of(learner)
        learner.observe(task.support.x)
        loss = learner.train().meta_loss(task)
        loss.backward()
        assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert learner.eval().adapt(task.support)(task.query.x).isfinite().all()

    @pytest.mark.parametrize("name", each_learner())
    def test_a_net_without_weights_takes_real_numbers_of_any_types(self, name):
        learner = made(name, qs.Identity(4))
        support, query = (Examples(part.x.bfloat16().float(), part.y) for part in task_of(learner))
        modes = (False, True) if isinstance(learner, MetricLearner) and not learner.transductive else (None,)
        for transductive in modes:
            if transductive is not None:
                learner.transductive = transductive
            expected, loss = learner.adapt(support)(query.x), learner.meta_loss(Task(support, query))
            double, half = torch.float64, torch.bfloat16
            for of_support, of_query in ((double, double), (double, None), (None, double), (half, None), (None, half)):
                s, q = support._replace(x=support.x.to(of_support)), query._replace(x=query.x.to(of_query))
                torch.testing.assert_close(learner.adapt(s)(q.x).float(), expected, rtol=1e-3, atol=1e-3)
                torch.testing.assert_close(learner.meta_loss(Task(s, q)).float(), loss, rtol=1e-3, atol=1e-3)

    def test_in_half_precision_an_answer_is_about_the_same(self):
        whole = made("maml")
        task = task_of(whole)
        expected = whole.adapt(task.support)(task.query.x)
        half = made("maml", copy.deepcopy(whole.net).bfloat16())
        torch.testing.assert_close(half.adapt(task.support)(task.query.x).float(), expected, rtol=0.1, atol=0.1)

    def test_token_ids_stay_whole_numbers(self):
        class Words(nn.Module):
            out_features = 4

            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(600, 4)
                self.seen = None

            def forward(self, ids):
                self.seen = ids
                return self.table(ids).mean(1)

        net = Words().bfloat16()
        ids = torch.tensor([[303, 1], [304, 2], [303, 5]])
        for learner in (qs.MAML(net, 3), qs.Prototypical(net)):
            predict = learner.adapt(Examples(ids, torch.eye(3)))
            predict(ids[:1])
            assert net.seen.dtype == torch.int64
            assert int(net.seen[-1, 0]) == 303

    @pytest.mark.parametrize("frozen", [True, False])
    def test_features_of_token_ids_are_those_of_the_ids(self, frozen, tmp_path, monkeypatch):
        monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))
        table = nn.EmbeddingBag(600, 4).bfloat16()
        data = qs.ClassDataset.from_labels(torch.tensor([[303, 1], [304, 2]]), ["a", "b"])
        assert torch.equal(qs.features(table, data).x, table(data.x).detach())


class TestTrees:
    @pytest.mark.parametrize("name", ["maml", "reptile", "anil", "proto-maml", "prototypical", "matching", "baseline"])
    def test_an_input_may_be_a_dictionary(self, name):
        torch.manual_seed(0)
        net = TwoInputs()
        learner = made(name, net)
        x = torch.randn(10, 4)
        support = Examples({"a": x, "b": 2 * x}, torch.eye(5).repeat(2, 1))
        predict = learner.adapt(support)
        assert predict({"a": x[:3], "b": x[:3]}).shape == (3, 5)
        assert learner.meta_loss(Task(support, support)).isfinite()
        order = torch.randperm(10)
        shuffled = learner.eval().adapt(support.at(order))(support.x)
        torch.testing.assert_close(shuffled, learner.adapt(support)(support.x), rtol=0, atol=1e-3)

    def test_tensors_of_different_lengths_are_refused_in_a_line(self):
        support = Examples({"a": torch.zeros(10, 4), "b": torch.zeros(9, 4)}, torch.eye(5).repeat(2, 1))
        with pytest.raises(DataError, match="one target per input"):
            made("prototypical", TwoInputs()).adapt(support)


class TestPredictors:
    @pytest.mark.parametrize("name", each_learner())
    def test_it_pickles_moves_and_works_in_inference_mode(self, name):
        learner = made(name).eval()
        support, query = task_of(learner)
        learner.observe(support.x)
        predict = learner.adapt(support)
        expected = predict(query.x)
        assert torch.equal(pickle.loads(pickle.dumps(predict))(query.x), expected)
        assert torch.equal(predict.to("cpu")(query.x), expected)
        with torch.inference_mode():
            inside = learner.adapt(Examples(support.x * 1, support.y * 1))(query.x)
        torch.testing.assert_close(inside, expected.detach(), rtol=1e-4, atol=1e-4)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["maml", "anil", "prototypical", "matching", "r2d2", "relation", "simple-shot"])
    def test_it_compiles_whole(self, name):
        net = qs.Conv4(size=16, width=4) if name in ("maml", "prototypical") else None
        learner = made(name, net).eval()
        support, query = task_of(learner)
        learner.observe(support.x)
        predict = learner.adapt(support)
        with torch.no_grad():
            compiled = torch.compile(predict, fullgraph=True, backend="eager")
            torch.testing.assert_close(compiled(query.x), predict(query.x), rtol=1e-4, atol=1e-4)

    def test_moved_it_leaves_the_learner_where_it_is(self):
        learner = made("prototypical")
        moved = learner.adapt(task_of(learner).support).to("meta")
        assert next(moved.learner.parameters()).device.type == "meta"
        assert next(learner.parameters()).device.type == "cpu"

    def test_tensors_made_in_inference_mode_can_be_learned_from_outside(self):
        learner = made("maml")
        with torch.inference_mode():
            support, query = task_of(learner)
        assert learner.adapt(support)(query.x).shape == (len(query.y), 5)


class TestWidth:
    def test_it_is_the_nets_or_its_last_layers(self):
        assert embedding_width(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 7), nn.Tanh())) == 7
        with pytest.raises(SettingError, match="has no out_features"):
            embedding_width(nn.Sequential(nn.Linear(2, 3), nn.Conv1d(1, 2, 3)))

    def test_maps_in_place_of_vectors_are_refused_in_a_line(self):
        net = nn.Sequential(nn.Conv2d(1, 4, 3))
        net.out_features = 4
        with pytest.raises(SettingError, match=r"returns shape \(4, 14, 14\) for one input"):
            qs.Prototypical(net).adapt(Examples(torch.zeros(5, 1, 16, 16), one_hot(torch.arange(5), 5)))

    @pytest.mark.parametrize("learner", [qs.MAML, qs.Reptile, qs.ANIL, qs.MetaSGD, qs.IMAML])
    def test_a_row_in_place_of_a_vector_is_not_repeated_to_fit_the_targets(self, learner):
        net = nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (1, 4)), nn.Tanh())
        net.out_features = 4
        support = Examples(torch.randn(5, 1), torch.randn(5, 1))
        with pytest.raises(SettingError, match=r"answers have shape \[5, 1, 1\], but targets \[5, 1\]"):
            learner(net, 1, loss="mse").meta_loss(Task(support, support))
