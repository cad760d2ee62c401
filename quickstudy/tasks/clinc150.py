"""CLINC150: sentences of 150 intents in ten domains (Larson et al. 2019), embedded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.sentences import Sentences
from quickstudy.io.download import fetch
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_URL = "https://raw.githubusercontent.com/clinc/oos-eval/master/data"
_CHECKSUM = {
    "data_full.json": "sha256:36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
    "domains.json": "sha256:b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
}
_VALIDATION, _TEST = {"travel", "utility"}, {"work", "small_talk", "meta"}
_MAX_BYTES = 32 * 2**20


def clinc150(root: Path | None = None, *, download: bool = False, inputs: Sentences | None = None) -> Splits:
    """Return CLINC150 as three splits of disjoint domains: 150 intents of 150 sentences each, embedded.

    Training uses banking, credit cards, kitchen and dining, home, auto and commute (75 intents). Validation uses
    travel and utility (30), and testing uses work, small talk and meta (45). Classes are named ``domain/intent``.

    Args:
        root: Folder of ``data_full.json`` and ``domains.json``; ``data_folder() / "clinc150"`` if None.
        download: Download missing files.
        inputs: Encoder of the sentences; the default one if None.

    Raises:
        DataError: The files are missing or damaged.

    Source: Larson et al. 2019, arXiv:1909.02027.

    >>> clinc150(Path("nowhere"))
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no data_full.json in 'nowhere': `quickstudy tasks clinc150 --download` fetches it
    """
    sentences, domains = (_read_clinc(root, name, download) for name in _CHECKSUM)
    try:
        domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
        rows = [row for part in ("train", "val", "test") for row in sentences[part]]
        labelled = [(Item(text, text), f"{domain_of[intent]}/{intent}") for text, intent in rows]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the files of CLINC150 are not as published: {error}; download them again") from error
    data = embedded(inputs or Sentences.encoded_by(), labelled)
    side = [name.split("/")[0] for name in data.names]
    parts = [[i for i, d in enumerate(side) if d not in _VALIDATION | _TEST]]
    parts += [[i for i, d in enumerate(side) if d in some] for some in (_VALIDATION, _TEST)]
    return Splits(*(data.select(part) for part in parts))


def out_of_scope(root: Path | None = None) -> Tensor:
    """Return CLINC150's 1,000 out-of-scope test sentences, which have no intent, embedded, (n, d)."""
    rows = _read_clinc(root, "data_full.json", False)["oos_test"]
    return embedded(Sentences.encoded_by(), [(Item(text, text), "oos") for text, _ in rows]).x


def _read_clinc(root: Path | None, name: str, download: bool) -> Any:
    folder = data_folder() / "clinc150" if root is None else Path(root)
    path = folder / name
    if download:
        fetch(f"{_URL}/{name}", path, checksum=_CHECKSUM[name], max_bytes=_MAX_BYTES)
    if not path.is_file():
        raise DataError(f"no {name} in {str(folder)!r}: `quickstudy tasks clinc150 --download` fetches it")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}; download it again") from error


@dataclass(frozen=True)
class Clinc150(ClassSource):
    """Source of CLINC150 (see ``clinc150``)."""

    about: ClassVar[str] = "sentences of 150 intents in 10 domains, embedded; download it"
    kind: ClassVar[type[Inputs]] = Sentences

    data_root: Path | None = None
    download: bool = False
    inputs: Inputs | None = None

    def load(self) -> Loaded:
        """Load and embed the sentences, or load their embeddings from the cache."""
        inputs = self.inputs if isinstance(self.inputs, Sentences) else Sentences.encoded_by()
        return Loaded(clinc150(self.data_root, download=self.download, inputs=inputs), inputs)
