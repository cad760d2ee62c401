import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.learners import TIM, Aligned, Matching, Prototypical, Relation
from quickstudy.nets import Conv4, Views, record_population
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.task import Examples
from quickstudy.testing import check_learner, noise_tasks


def net():
    torch.manual_seed(0)
    net = Conv4(size=16, width=4)
    record_population(net, torch.rand(9, 1, 16, 16))
    return net


@pytest.mark.slow
@pytest.mark.parametrize("learner", [Prototypical(net()), Matching(net()), Relation(net())])
def test_an_aligned_learner_keeps_the_laws(learner):
    check_learner(Aligned(learner, 2), noise_tasks(learner))


def test_the_logit_of_a_class_is_the_best_of_all_pairs_of_views():
    learner = Prototypical(net()).double()
    (x, y), query = noise_tasks(learner).at(0)
    aligned = Aligned(learner, 3)
    pairs = [
        learner.adapt(Examples(of_support, y))(of_query)
        for of_support in aligned.views.of(x)
        for of_query in aligned.views.of(query.x)
    ]
    assert len(pairs) == 9
    torch.testing.assert_close(aligned.adapt(Examples(x, y))(query.x), torch.stack(pairs).amax(0))


def test_a_character_drawn_at_a_slant_is_as_near_as_the_same_drawing():
    x = draw_glyphs(range(5), 1, size=16).x / 255
    aligned = Aligned(Prototypical(net()), 4)
    slanted = list(aligned.views.of(x))[2]
    logits = aligned.adapt(Examples(x, torch.eye(5)))(slanted)
    torch.testing.assert_close(logits.diagonal(), torch.zeros(5), atol=1e-5, rtol=0)
    assert (Prototypical(Views(net(), 4)).adapt(Examples(x, torch.eye(5)))(slanted).diagonal() < -1e-3).all()


def test_embeddings_that_depend_on_the_whole_task_are_refused():
    for learner in (TIM(net()), Prototypical(net(), transductive=True)):
        with pytest.raises(SettingError, match="transductive"):
            Aligned(learner)


def test_an_own_adapt_would_be_left_out_and_is_refused():
    class Adapting(Prototypical):
        def adapt(self, support):
            return super().adapt(support)

    with pytest.raises(SettingError, match="Adapting has its own adapt"):
        Aligned(Adapting(net()))
