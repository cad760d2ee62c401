"""Learners by name: those of this package, and those that other packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from quickstudy.learners.base import Learner

_HOME = "quickstudy.learners."

LEARNERS: Registry[type[Learner]] = Registry(
    "learner",
    {
        "maml": _HOME + "maml:MAML",
        "reptile": _HOME + "reptile:Reptile",
        "anil": _HOME + "anil:ANIL",
        "meta-sgd": _HOME + "meta_sgd:MetaSGD",
        "maml++": _HOME + "maml_pp:MAMLPlusPlus",
        "imaml": _HOME + "imaml:IMAML",
        "meta-curvature": _HOME + "meta_curvature:MetaCurvature",
        "kfo": _HOME + "meta_curvature:KFO",
        "proto-maml": _HOME + "proto_maml:ProtoMAML",
        "siamese": _HOME + "siamese:Siamese",
        "matching": _HOME + "matching:Matching",
        "prototypical": _HOME + "prototypical:Prototypical",
        "feat": _HOME + "feat:FEAT",
        "finetune": _HOME + "finetune:Finetune",
        "relation": _HOME + "relation:Relation",
        "r2d2": _HOME + "r2d2:R2D2",
        "lrd2": _HOME + "r2d2:LRD2",
        "metaoptnet": _HOME + "metaoptnet:MetaOptNet",
        "in-context": _HOME + "in_context:InContext",
        "tim": _HOME + "tim:TIM",
        "laplacian-shot": _HOME + "laplacian_shot:LaplacianShot",
        "pt-map": _HOME + "pt_map:PTMAP",
        "bd-cspn": _HOME + "bd_cspn:BDCSPN",
        "trans-finetune": _HOME + "transductive_finetune:TransductiveFinetune",
        "baseline": _HOME + "baseline:Baseline",
        "cosine-baseline": _HOME + "cosine_baseline:CosineBaseline",
        "simple-shot": _HOME + "simple_shot:SimpleShot",
        "nearest-pixels": _HOME + "nearest_pixels:NearestPixels",
    },
    base=_HOME + "base:Learner",
    group="quickstudy.learners",
)
"""Names that settings and model folders may use. ``LEARNERS.register("mine", Mine)`` adds one, as does an entry point
of the group "quickstudy.learners"."""
