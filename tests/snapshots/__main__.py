import json
from tempfile import TemporaryDirectory
from pathlib import Path

from tests.snapshots import KEPT, taken

with TemporaryDirectory() as folder:
    KEPT.write_text(json.dumps(taken(Path(folder)), indent=1) + "\n")
