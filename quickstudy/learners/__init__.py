"""How it learns: one file an algorithm."""

from quickstudy.learners.anil import ANIL
from quickstudy.learners.base import Learner, Predictor
from quickstudy.learners.baseline import Baseline
from quickstudy.learners.imaml import IMAML
from quickstudy.learners.maml import MAML
from quickstudy.learners.maml_pp import MAMLPlusPlus
from quickstudy.learners.matching import Matching
from quickstudy.learners.meta_sgd import MetaSGD
from quickstudy.learners.proto_maml import ProtoMAML
from quickstudy.learners.prototypical import Prototypical
from quickstudy.learners.reptile import Reptile
from quickstudy.learners.siamese import Siamese

LEARNERS: dict[str, type[Learner]] = {
    "maml": MAML,
    "reptile": Reptile,
    "anil": ANIL,
    "meta-sgd": MetaSGD,
    "maml++": MAMLPlusPlus,
    "imaml": IMAML,
    "proto-maml": ProtoMAML,
    "siamese": Siamese,
    "matching": Matching,
    "prototypical": Prototypical,
    "baseline": Baseline,
}
"""By name: what a settings file and a model folder may call for. Add your own class to have it saved and trained."""

__all__ = [
    "ANIL",
    "IMAML",
    "LEARNERS",
    "MAML",
    "Baseline",
    "Learner",
    "MAMLPlusPlus",
    "Matching",
    "MetaSGD",
    "Predictor",
    "ProtoMAML",
    "Prototypical",
    "Reptile",
    "Siamese",
]
