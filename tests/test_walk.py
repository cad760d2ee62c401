"""A new user's way: three drawings of each of five characters that the shipped weights never saw, and no training."""

import json
import subprocess
import sys
import zipfile

import pytest


@pytest.mark.slow
def test_from_a_folder_of_shared_omniglot_to_reasons(shared, tmp_path):
    with zipfile.ZipFile(shared / "images_evaluation.zip") as file:
        drawings = sorted(name for name in file.namelist() if "/Tibetan/" in name and name.endswith(".png"))
        characters = sorted({name.split("/")[-2] for name in drawings})[:5]
        asked = []
        for character in characters:
            mine = [name for name in drawings if f"/{character}/" in name]
            for i, name in enumerate(mine[:5]):
                path = tmp_path / ("new" if i > 2 else "mine") / character / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read(name))
                asked += [path] * (i > 2)

    def quickstudy(*arguments):
        command = [sys.executable, "-m", "quickstudy", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    quickstudy("adapt", "mine", "-o", "classifier")
    rows = json.loads(quickstudy("predict", "classifier", *asked, "--json"))["answers"]
    right = [row["label"] == path.parent.name for row, path in zip(rows, asked, strict=True)]
    assert sum(right) >= 9
    why = json.loads(quickstudy("explain", "classifier", asked[0], "-o", "why.html", "--json"))
    assert why["label"] == rows[0]["label"]
    page = (tmp_path / "why.html").read_text()
    assert f"<em>{why['label']}</em>" in page
    assert "http" not in page.replace("http://www.w3.org", ""), "nothing is fetched"
