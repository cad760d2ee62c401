"""How it learns: one file an algorithm."""

from quickstudy.learners.base import Learner, Predictor
from quickstudy.learners.baseline import Baseline
from quickstudy.learners.maml import MAML
from quickstudy.learners.matching import Matching
from quickstudy.learners.prototypical import Prototypical
from quickstudy.learners.reptile import Reptile
from quickstudy.learners.siamese import Siamese

LEARNERS: dict[str, type[Learner]] = {
    "maml": MAML,
    "reptile": Reptile,
    "siamese": Siamese,
    "matching": Matching,
    "prototypical": Prototypical,
    "baseline": Baseline,
}
"""By name: what a settings file and a model folder may call for. Add your own class to have it saved and trained."""

__all__ = [
    "LEARNERS",
    "MAML",
    "Baseline",
    "Learner",
    "Matching",
    "Predictor",
    "Prototypical",
    "Reptile",
    "Siamese",
]
