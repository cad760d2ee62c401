"""Each private name of torch means what the package relies on; a version of torch that changes one fails here."""

import pytest
import torch
from torch import nn
from torch.func import grad, vjp, vmap
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from quickstudy.errors import SettingError
from quickstudy.nets.fast import private


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_transform_is_seen_from_inside_alone():
    seen = []

    def function(x):
        seen.append(private.inside_transform())
        return (x**2).sum()

    x = torch.ones(3)
    assert not private.inside_transform()
    function(x)
    vmap(function)(x)
    grad(function)(x)
    vjp(function, x)
    vmap(grad(function))(x)
    assert seen == [False, True, True, True, True]
    assert not private.inside_transform()


def test_a_tensor_is_seen_to_be_mapped_by_the_innermost_vmap_alone():
    seen = []

    def function(x, y):
        seen.append((private.mapped_now([x, 1]), private.mapped_now([y])))
        return (x * y).sum()

    x, y = torch.ones(2, 3), torch.ones(3)
    function(x[0], y)
    vmap(function, (0, None))(x, y)
    vmap(lambda y: vmap(lambda x: function(x, y))(x))(x)
    vmap(grad(function), (0, None))(x, y)
    grad(lambda y: vmap(function, (0, None))(x, y).sum())(y)
    assert seen == [(False, False), (True, False), (True, False), (False, False), (True, False)]


@pytest.mark.parametrize("of", [0, 1])
def test_the_gradient_of_a_convolution_is_that_of_autograd(of, float64):
    inputs = [torch.rand(2, 3, 5, 4, requires_grad=True), torch.rand(6, 3, 3, 3, requires_grad=True)]
    g = torch.rand(2, 6, 5, 4)
    (expected,) = torch.autograd.grad(F.conv2d(*inputs, padding=1), inputs[of], g)
    given = [t.detach() for t in inputs]
    given[of] = g.new_empty(1).expand(inputs[of].shape)  # nothing but its shape is read
    assert torch.allclose(private.conv3x3_gradient(g, *given, of), expected)


def test_pooling_writes_into_tensors_of_another_memory_format():
    x = torch.rand(2, 3, 6, 5)
    pooled, where = F.max_pool2d(x, 2, return_indices=True)
    out = torch.empty(2, 3, 2, 3).permute(0, 3, 1, 2)
    indices = torch.empty(2, 3, 2, 3, dtype=torch.int64).permute(0, 3, 1, 2)
    places = out.data_ptr(), indices.data_ptr(), out.stride()
    private.max_pool_into(x, out, indices)
    assert torch.equal(out, pooled)
    assert torch.equal(indices, where)
    assert (out.data_ptr(), indices.data_ptr(), out.stride()) == places


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_moments_are_mean_and_variance_without_correction(memory, float64):
    x = torch.rand(4, 3, 5, 6).to(memory_format=memory)
    var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    found = private.channel_moments(x)
    assert torch.allclose(found[0], mean)
    assert torch.allclose(found[1], var)


def old_weight_norm(layer):
    with pytest.warns(FutureWarning):
        return nn.utils.weight_norm(layer)


@pytest.mark.parametrize("normalised", [old_weight_norm, nn.utils.parametrizations.weight_norm])
def test_weight_norm_is_seen_as_a_module_and_as_a_call(normalised, float64):
    calls = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if private.is_weight_norm(func):
                calls.append(torch.allclose(private.plain_weight_norm(*args), out))
            return out

    layer = normalised(nn.Linear(3, 4))
    assert any(map(private.has_weight_norm, layer.modules()))
    with Watch():
        layer(torch.rand(2, 3))
    assert calls == [True]
    assert not private.has_weight_norm(nn.Linear(3, 4))


def test_the_bases_of_norms_hold_all_their_layers():
    batch = [nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2), nn.LazyBatchNorm2d()]
    instance = [nn.InstanceNorm1d(2), nn.InstanceNorm2d(2), nn.InstanceNorm3d(2)]
    assert all(isinstance(norm, private.BATCH_NORMS) and hasattr(norm, "running_mean") for norm in batch)
    assert all(isinstance(norm, private.INSTANCE_NORMS) and hasattr(norm, "running_mean") for norm in instance)
    assert not isinstance(nn.LayerNorm(2), private.BATCH_NORMS | private.INSTANCE_NORMS)


def test_hooks_before_and_after_a_call_are_seen():
    layer = nn.Linear(2, 2)
    assert not private.has_hooks(layer)
    for register in (layer.register_forward_pre_hook, layer.register_forward_hook):
        hook = register(lambda *_: None)
        assert private.has_hooks(layer)
        hook.remove()
    assert not private.has_hooks(layer)


def test_hooks_on_saved_tensors_are_refused_inside_of_the_block_alone():
    x, seen = torch.ones(3, requires_grad=True), []

    def hooks():
        return torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t)

    with hooks():
        with private.without_saved_tensor_hooks("no hooks"):
            y = (x * x).sum()
            with pytest.raises(RuntimeError, match="no hooks"), hooks():
                pass
        assert not seen
        x.square()
        assert seen
    assert torch.autograd.grad(y, x)[0].tolist() == [2, 2, 2]
    with pytest.raises(SettingError, match="no hooks"), private.without_saved_tensor_hooks("no hooks"), hooks():
        pass
    with pytest.raises(RuntimeError, match="another"), private.without_saved_tensor_hooks("no hooks"):
        raise RuntimeError("another")
    with hooks():
        pass


def test_parts_of_a_module_are_its_own_and_repeated_as_it_repeats_them():
    layer = nn.BatchNorm1d(2)
    layer.again = layer.weight
    layer.register_parameter("nothing", None)
    net = nn.Sequential(layer, layer)
    assert list(private.own_parameters(layer)) == ["weight", "bias", "again", "nothing"]
    assert private.own_parameters(layer)["again"] is layer.weight
    assert private.own_parameters(layer)["nothing"] is None
    assert list(private.own_buffers(layer)) == ["running_mean", "running_var", "num_batches_tracked"]
    assert private.own_parameters(net) == private.own_buffers(net) == {}
    assert private.children(net) == {"0": layer, "1": layer}


def test_each_change_in_place_counts():
    x = torch.zeros(2)
    before = private.version(x)
    x + 1
    assert private.version(x) == before
    x += 1
    x[:1].mul_(2)
    assert private.version(x) == before + 2
