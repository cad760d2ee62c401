"""``quickstudy push``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.sharing.hub import push_to_hub


def push(model: Path, repository: str, private: bool, as_json: bool) -> None:
    """Put a model on the Hugging Face Hub."""
    address = push_to_hub(model, repository, private=private)
    print(json.dumps({"model": address}) if as_json else address)
