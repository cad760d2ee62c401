"""How it learns: one file an algorithm."""

from quickstudy.learners.anil import ANIL
from quickstudy.learners.base import Learner, Predictor
from quickstudy.learners.baseline import Baseline
from quickstudy.learners.cosine_baseline import CosineBaseline
from quickstudy.learners.imaml import IMAML
from quickstudy.learners.in_context import InContext
from quickstudy.learners.maml import MAML
from quickstudy.learners.maml_pp import MAMLPlusPlus
from quickstudy.learners.matching import Matching
from quickstudy.learners.meta_sgd import MetaSGD
from quickstudy.learners.nearest_pixels import NearestPixels
from quickstudy.learners.proto_maml import ProtoMAML
from quickstudy.learners.prototypical import Prototypical
from quickstudy.learners.r2d2 import LRD2, R2D2
from quickstudy.learners.relation import Relation
from quickstudy.learners.reptile import Reptile
from quickstudy.learners.siamese import Siamese
from quickstudy.learners.simple_shot import SimpleShot
from quickstudy.learners.turned import Turned

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
    "relation": Relation,
    "r2d2": R2D2,
    "lrd2": LRD2,
    "in-context": InContext,
    "baseline": Baseline,
    "cosine-baseline": CosineBaseline,
    "simple-shot": SimpleShot,
    "nearest-pixels": NearestPixels,
}
"""By name: what a settings file and a model folder may call for. Add your own class to have it saved and trained."""

__all__ = [
    "ANIL",
    "IMAML",
    "LEARNERS",
    "LRD2",
    "MAML",
    "R2D2",
    "Baseline",
    "CosineBaseline",
    "InContext",
    "Learner",
    "MAMLPlusPlus",
    "Matching",
    "MetaSGD",
    "NearestPixels",
    "Predictor",
    "ProtoMAML",
    "Prototypical",
    "Relation",
    "Reptile",
    "Siamese",
    "SimpleShot",
    "Turned",
]
