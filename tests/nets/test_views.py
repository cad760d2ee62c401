import pytest
import torch

from quickstudy.inputs.augment import augmented
from quickstudy.inputs.warp import warped
from quickstudy.learners import CosineBaseline, Prototypical
from quickstudy.nets import Conv4, Views
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.testing import check_learner


def net():
    torch.manual_seed(0)
    return Conv4(width=4)


@pytest.mark.slow
@pytest.mark.parametrize("learner", [Prototypical(net()), CosineBaseline(net(), n_classes=6, head_steps=2)])
def test_a_learner_with_views_keeps_the_laws(learner):
    learner.net = Views(learner.net, 3)
    check_learner(learner)


def test_it_is_the_mean_over_the_image_and_its_warps():
    x = draw_glyphs(range(3), 2).x / 255
    inner = net()
    views = Views(inner, 4)
    each = [inner(warped(x, by.expand(len(x), 7))) for by in views.by]
    assert torch.allclose(views(x), torch.stack(each).mean(0), atol=1e-5)
    assert torch.allclose(each[0], inner(x), atol=1e-4)


def test_views_of_a_photograph_are_crops_and_every_second_is_mirrored():
    x = torch.rand(5, 3, 32, 32)
    views = Views(torch.nn.Identity(), 4)
    each = [augmented(x, by.expand(len(x), 6)) for by in views.crops]
    assert torch.allclose(views(x), torch.stack(each).mean(0))
    assert torch.equal(each[0], x)
    for view, mirrored in zip(each, (False, True, False, True), strict=True):
        whole = torch.nn.functional.pad(x.flip(-1) if mirrored else x, (4, 4, 4, 4))
        moved = [
            torch.equal(view, whole[..., top : top + 32, left : left + 32]) for top in range(9) for left in range(9)
        ]
        assert sum(moved) == 1


def test_a_photograph_and_its_mirror_image_come_nearer():
    torch.manual_seed(0)
    x, inner = torch.rand(20, 3, 32, 32), Conv4(3, 32, width=4)
    near = [(n(x) - n(x.flip(-1))).norm(dim=1).mean() for n in (inner, Views(inner, 8))]
    assert near[1] < 0.8 * near[0]


def test_the_embedding_of_a_turned_image_comes_nearer():
    x = draw_glyphs(range(20), 2).x / 255
    turned = warped(x, torch.tensor([[0.5, 0, 0, 0, 0, 0, 0]]).expand(len(x), 7))
    moved = [(n(x) - n(turned)).norm(dim=1).mean() for n in (net(), Views(net()))]
    assert moved[1] < 0.8 * moved[0]
