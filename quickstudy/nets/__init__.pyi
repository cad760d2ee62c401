"""Nets, and batch normalisation that says whose statistics it uses."""

from .call import apply as apply
from .call import has_foreign as has_foreign
from .call import is_ours as is_ours
from .call import places as places
from .call import usable as usable
from .call import weight_type as weight_type
from .conv4 import Conv4 as Conv4
from .conv4_maps import Conv4Maps as Conv4Maps
from .encoder import Encoder as Encoder
from .identity import Identity as Identity
from .low_rank import LowRank as LowRank
from .mlp import MLP as MLP
from .norm import BatchNorm as BatchNorm
from .norm import convert_norms as convert_norms
from .norm import record_population as record_population
from .registry import NETS as NETS
from .residual import Residual as Residual
from .resnet6 import ResNet6 as ResNet6
from .resnet12 import ResNet12 as ResNet12
from .shape import input_shape as input_shape
from .statistics import normalised_by as normalised_by
from .views import Views as Views
