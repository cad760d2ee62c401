"""A kind of input: recordings, one folder a class."""

import io
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

import quickstudy as qs
from quickstudy.errors import DataError


@dataclass(frozen=True)
class Sounds(qs.Inputs):
    """WAV files of 16-bit mono, as the logarithm of their spectrum in bands.

    Attributes:
        bands: Number of bands.
    """

    bands: int = 24

    noun: ClassVar[str] = "sound"
    part: ClassVar[str] = "quarter"
    part_plural: ClassVar[str] = "quarters"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.bands,)

    @property
    def recipe(self) -> str:
        return f"log(1 + |FFT|), averaged in {self.bands} equal bands."

    @classmethod
    def recognises(cls, source: Path) -> bool:
        return source.is_dir() and next(source.rglob("*.wav"), None) is not None

    def open(self, source: str | Path | bytes) -> Iterator[qs.Item]:
        yield qs.Item("upload" if isinstance(source, bytes) else str(source), source)

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[qs.Item, str]]:
        return [(qs.Item(str(path), path), path.parent.name) for path in sorted(source.rglob("*.wav"))]

    def encode(self, items: Sequence[qs.Item]) -> torch.Tensor:
        spectra = (np.log1p(np.abs(np.fft.rfft(_samples(item)[:4096], 4096))) for item in items)
        bands = [[part.mean() for part in np.array_split(spectrum, self.bands)] for spectrum in spectra]
        return torch.tensor(bands, dtype=torch.float32).reshape(-1, self.bands)

    def keep(self, item: qs.Item) -> bytes:
        return _wav(_samples(item)[:4096])

    def parts(self, item: qs.Item) -> Iterator[tuple[str, qs.Item]]:
        samples = _samples(item)[:4096]
        for i, quarter in enumerate(np.array_split(np.arange(len(samples)), 4), 1):
            silent = samples.copy()
            silent[quarter] = 0
            yield f"quarter {i}", qs.Item(item.name, _wav(silent))


def _samples(item: qs.Item) -> np.ndarray:
    try:
        source = io.BytesIO(item.value) if isinstance(item.value, bytes) else str(item.value)
        with wave.open(source) as file:
            return np.frombuffer(file.readframes(10**6), np.int16) / 32768
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{item.name!r} is not a WAV file: {error}; convert it") from error


def _wav(samples: np.ndarray) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32768).round().clip(-32768, 32767).astype(np.int16).tobytes())
    return content.getvalue()


def tone(pitch: float, seed: int) -> bytes:
    """Return a WAV file of a tone with some noise."""
    time = np.arange(4096) / 8000
    noise = np.random.default_rng(seed).normal(0, 0.01, 4096)
    return _wav(0.5 * np.sin(2 * np.pi * pitch * time) + noise)
