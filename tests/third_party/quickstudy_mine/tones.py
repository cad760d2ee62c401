"""A source: tones of many pitches."""

from dataclasses import dataclass
from typing import ClassVar

import quickstudy as qs
from quickstudy.inputs.dataset import encoded
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import cut
from quickstudy_mine.sounds import Sounds, tone


@dataclass(frozen=True)
class Tones(ClassSource):
    """Twenty pitches, six recordings of each."""

    about: ClassVar[str] = "tones of twenty pitches"
    kind: ClassVar[type[qs.Inputs]] = Sounds

    seed: int = 0

    def load(self) -> Loaded:
        labelled = [
            (qs.Item(f"{pitch} Hz, take {take}", tone(pitch, take)), f"{pitch} Hz")
            for pitch in range(200, 4000, 190)
            for take in range(6)
        ]
        return Loaded(cut(encoded(Sounds(), labelled), seed=self.seed), Sounds())
