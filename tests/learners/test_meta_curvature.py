import copy
import importlib.util
from pathlib import Path

import pytest
import torch

from quickstudy.learners import KFO, MAML, MetaCurvature
from quickstudy.learners.meta_curvature import Curved
from quickstudy.nets import MLP, Conv4
from quickstudy.testing import check_learner, noise_tasks

BOTH = pytest.mark.parametrize("cls", [MetaCurvature, KFO])


@BOTH
def test_with_identities_it_is_maml(cls):
    torch.manual_seed(0)
    curved = cls(Conv4(size=16, width=4), 3, inner_steps=2, learned_head=True).double()
    maml = MAML(copy.deepcopy(curved.net), 3, inner_steps=2, learned_head=True).double()
    maml.model.load_state_dict(curved.model.state_dict())
    support, query = noise_tasks(maml).at(0)
    torch.testing.assert_close(curved.adapt(support)(query.x), maml.adapt(support)(query.x))


@BOTH
def test_every_matrix_is_learned(cls):
    torch.manual_seed(0)
    learner = cls(Conv4(size=16, width=4, pool=False), 3, inner_steps=2, learned_head=True).double()
    learner.meta_loss(noise_tasks(learner).at(0)).backward()
    assert all(bool((m.grad != 0).any()) for m in learner.matrices)


def test_a_convolutions_gradient_is_multiplied_along_three_axes():
    g, m = torch.randn(4, 3, 2, 2), [torch.randn(n, n) for n in (4, 3, 4)]
    rule = Curved(1.0, {f"w/{axis}": each for axis, each in enumerate(m)})
    stepped = rule.step({"w": torch.zeros_like(g)}, {"w": g}, rule.init({}), 0)[0]["w"]
    by_hand = -torch.einsum("oic,po,qi,rc->pqr", g.flatten(2), *m).view_as(g)
    torch.testing.assert_close(stepped, by_hand)


@BOTH
def test_learn2learns_transform_is_the_same(cls):
    """Its modules are read from their files: the package itself needs gym."""
    spec = importlib.util.find_spec("learn2learn")
    if spec is None:
        pytest.skip("learn2learn is not installed")
    place = Path(spec.submodule_search_locations[0])

    def of(file: str) -> object:
        found = importlib.util.spec_from_file_location(Path(file).stem, place / file)
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    torch.manual_seed(0)
    learner = cls(Conv4(size=16, width=4), 3).double()
    for m in learner.matrices:
        m.data += 0.1 * torch.randn_like(m)
    factors = {axis: learner._factor(m).detach() for axis, m in zip(learner._axes, learner.matrices, strict=True)}
    compared = 0
    for name, p in learner.net.named_parameters(prefix="0"):
        g = torch.randn_like(p)
        own = [m for axis, m in zip(learner._axes, learner.matrices, strict=True) if axis.rpartition("/")[0] == name]
        ours = -Curved(1.0, factors).step({name: torch.zeros_like(g)}, {name: g}, factors, 0)[0][name]
        if cls is KFO:
            n, m = (len(each) for each in own) if len(own) == 2 else (len(g), 1)
            theirs = of("nn/kroneckers.py").KroneckerLinear(n, m, bias=False, psd=True).double()
            theirs.left.data = own[0].detach()
            if len(own) == 2:
                theirs.right.data = own[1].detach()
            result = theirs(g.reshape(-1, n, m)).view_as(g)
        else:
            theirs = of("optim/transforms/metacurvature_transform.py").MetaCurvatureTransform(g).double()
            for matrix, each in zip(theirs.parameters(), own, strict=True):
                matrix.data = each.detach()
            if g.ndim == 2 or g.ndim == 4:  # it multiplies by the matrix of the second axis from the right
                theirs.mc_out.data = own[1].detach().T
            result = theirs(g)
        torch.testing.assert_close(ours, result.detach(), rtol=1e-8, atol=1e-10)
        compared += 1
    assert compared > 8


@BOTH
def test_it_keeps_the_laws(cls):
    check_learner(cls(MLP(4, (6, 6), "tanh"), 3, learned_head=True, inner_steps=2))
    assert cls(MLP(4), 3).adapt(noise_tasks(cls(MLP(4), 7)).at(0).support)(torch.zeros(2, 4)).shape == (2, 7)
