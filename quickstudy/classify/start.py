"""Starting point of a classifier, before it has learned its examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quickstudy.classify.confidence import Confidence
from quickstudy.inputs.base import Inputs, Item
from quickstudy.learners import Learner
from quickstudy.nets import Identity
from quickstudy.nets.copies import copied


class Start(NamedTuple):
    """Starting point of a classifier: a learner, the inputs that encode examples for it, and its calibration."""

    learner: Learner
    inputs: Inputs
    confidence: Confidence | None = None

    def is_fitted(self, items: Sequence[Item]) -> bool | None:
        """Return whether the inputs were fitted to these examples; None if examples do not matter to them."""
        # A net with weights was trained on other inputs, and they are those of the training.
        return self.inputs.fits(items) if isinstance(getattr(self.learner, "net", None), Identity) else None

    def refitted(self, items: Sequence[Item], new: Sequence[Item]) -> Start:
        """Return the starting point for other examples: inputs that were fitted to the old ones are fitted to the new.

        Args:
            items: Examples so far.
            new: Examples from now on.
        """
        inputs = self.inputs.refitted(new) if self.is_fitted(items) else self.inputs
        if inputs is self.inputs:
            return self
        learner = copied(self.learner)
        learner.net = Identity(inputs.shape[0])  # new categories are new columns
        return Start(learner, inputs, self.confidence)
