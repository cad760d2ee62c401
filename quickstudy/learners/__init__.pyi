"""Learners: one file per algorithm."""

from .anil import ANIL as ANIL
from .base import Learner as Learner
from .base import Predictor as Predictor
from .baseline import Baseline as Baseline
from .cosine_baseline import CosineBaseline as CosineBaseline
from .finetune import Finetune as Finetune
from .imaml import IMAML as IMAML
from .in_context import InContext as InContext
from .maml import MAML as MAML
from .maml_pp import MAMLPlusPlus as MAMLPlusPlus
from .matching import Matching as Matching
from .meta_sgd import MetaSGD as MetaSGD
from .nearest_pixels import NearestPixels as NearestPixels
from .proto_maml import ProtoMAML as ProtoMAML
from .prototypical import Prototypical as Prototypical
from .r2d2 import LRD2 as LRD2
from .r2d2 import R2D2 as R2D2
from .registry import LEARNERS as LEARNERS
from .relation import Relation as Relation
from .reptile import Reptile as Reptile
from .siamese import Siamese as Siamese
from .simple_shot import SimpleShot as SimpleShot
from .turned import Turned as Turned
