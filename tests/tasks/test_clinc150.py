"""CLINC150: domains that never meet, and files that are not as published are refused."""

import pytest
import torch

from quickstudy.errors import DataError
from quickstudy.inputs import sentences
from quickstudy.tasks.clinc150 import clinc150
from tests.conftest import SHARED as OMNIGLOT

SHARED = OMNIGLOT.parent / "clinc150"


def stub(texts):
    """Embed sentences by their lengths: what they are embedded by is not the point."""
    return torch.tensor([[float(len(t)), float(sum(map(ord, t)) % 97)] for t in texts])


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
def test_shared_domains_never_meet(monkeypatch):
    monkeypatch.setattr(sentences, "sentence_encoder", lambda name: stub)
    splits = clinc150(SHARED, inputs=sentences.Sentences())
    assert [part.n_classes for part in splits] == [75, 30, 45]
    assert all((part.counts == 150).all() for part in splits)
    domains = [{name.split("/")[0] for name in part.names} for part in splits]
    assert not domains[0] & domains[1]
    assert not domains[0] & domains[2]
    assert not domains[1] & domains[2]


def test_damaged_files_of_clinc_are_told(tmp_path):
    (tmp_path / "data_full.json").write_text('{"train": 3}')
    with pytest.raises(DataError, match=r"no domains\.json in"):
        clinc150(tmp_path)
    (tmp_path / "domains.json").write_text('{"banking": ["a"]}')
    with pytest.raises(DataError, match="not as published"):
        clinc150(tmp_path)
    (tmp_path / "domains.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        clinc150(tmp_path)
