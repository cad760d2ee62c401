import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.snapshots import KEPT, taken

with TemporaryDirectory() as folder:
    KEPT.write_text(json.dumps(taken(Path(folder)), indent=1) + "\n")
