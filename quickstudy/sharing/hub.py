"""Models that people share: a folder with a card, and the Hugging Face Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quickstudy.classify.classifier import Classifier, confidence, image_format
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.cache import data_folder
from quickstudy.io.files import replace
from quickstudy.learners import Learner
from quickstudy.models.build import load, locate, read_config
from quickstudy.models.seal import FILES, broken

_PRIVATE = ("data_root", "init")
"""Settings that are paths of the machine where a model was trained."""
_KEPT = (*FILES, "seal.json", "run.json", "README.md")


def save_pretrained(model: Path | str, folder: Path | str) -> None:
    """Copy what others need of a run or classifier to a folder, with a model card filled in from the run.

    Args:
        model: A run, a classifier, or a name such as "glyphs-proto".
        folder: Where to write; what else is there stays.

    Raises:
        ModelError: There is no model, or it is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as there:
    ...     save_pretrained("glyphs-proto", there)
    ...     print(Path(there, "README.md").read_text().partition("# ")[2].splitlines()[0])
    glyphs-proto
    """
    source, folder = locate(model), Path(folder)
    for reason in broken(source):
        raise ModelError(f"{reason}; nothing was written")
    run = _run(source)
    for name in _KEPT[:-2]:
        if (source / name).exists():
            replace(folder / name, (source / name).read_bytes())
    if run:
        replace(folder / "run.json", json.dumps(run, indent=2).encode())
    replace(folder / "README.md", card(model).encode())


def from_pretrained(name: Path | str) -> Learner | Classifier:
    """A learner, or a classifier, of a folder, of a name that comes with quickstudy, or of the Hub (``user/model``).

    Only tensors and JSON are fetched, and read with the same care as all files of strangers.

    Raises:
        ModelError: There is no such model, or its files are refused.
        SettingError: It is on the Hub, and huggingface_hub is not installed.

    >>> type(from_pretrained("glyphs-proto")).__name__
    'Prototypical'
    """
    folder = locate(name)
    if not folder.exists() and len(Path(name).parts) == 2:
        folder = _fetch(str(name))
    return Classifier.load(folder) if "labels" in read_config(folder) else load(folder)


def push_to_hub(model: Path | str, repository: str, *, private: bool = False) -> str:
    """Put a run or classifier on the Hugging Face Hub, with its card; its address there.

    Args:
        model: A run, a classifier, or a name.
        repository: ``user/model``; made if it is not there.
        private: Whether others may see it, where it is made.

    Raises:
        ModelError: The model is damaged, or the Hub refuses.
        SettingError: huggingface_hub is not installed.
    """
    from tempfile import TemporaryDirectory

    hub = _hub()
    with TemporaryDirectory() as folder:
        save_pretrained(model, folder)
        try:
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message="quickstudy model")
        except Exception as error:  # of many kinds: no network, no token, no such user
            raise ModelError(f"the Hub did not take {repository!r}: {_line(error)}") from error
    return f"https://huggingface.co/{repository}"


def card(model: Path | str) -> str:
    """A model card, Markdown: what it is, how it was trained, how well it does, how to use it."""
    folder = locate(model)
    config, run = read_config(folder), _run(folder)
    settings = run.get("settings", {})
    labels, told, images = config.get("labels"), confidence(folder), image_format(folder)
    takes = (
        f"images, {images.channels} x {images.size} x {images.size}{', drawings: ink is 1' if images.ink else ''}"
        if images
        else f"sentences, by {config['encoder']}"
        if config.get("encoder")
        else f"rows with the columns {', '.join([*config['table']['numbers'], *config['table']['categories']])}"
        if config.get("table")
        else "arrays"
    )
    facts = {
        "learner": f"{config['learner']['name']}",
        "net": config["learner"].get("net", {}).get("name", "none"),
        "takes": takes,
        "knows": ", ".join(labels) if labels else "no class yet: it learns from a few examples",
        "trained on": settings.get("data", "not recorded"),
        "trained for": f"{settings['steps']} steps of {settings['tasks_per_step']} tasks"
        if settings
        else "not recorded",
        "validation": _validation(folder, settings),
        "calibrated": f"on {told.n_way}-way {told.n_shot}-shot validation tasks" if told else "no",
        "quickstudy": run.get("versions", {}).get("quickstudy", "not recorded"),
        "made": run.get("time", "not recorded"),
    }
    use = "classifier = qs.from_pretrained(NAME)\nclassifier.predict(x)"
    if not labels:
        use = "few = qs.FewShotClassifier(qs.from_pretrained(NAME)).fit(X, y)\nfew.predict_proba(X_new)"
    table = "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
    return f"""---
library_name: quickstudy
tags: [meta-learning, few-shot-learning, {config["learner"]["name"]}]
---
# {Path(folder).absolute().name}

| | |
|---|---|
{table}

Probabilities hold for inputs like those it was {"calibrated" if told else "trained"} on. All settings: `run.json`.

```python
import quickstudy as qs

{use}
```
"""


def _run(folder: Path) -> dict[str, Any]:
    """``run.json`` without what is nobody else's business; empty where there is none."""
    try:
        run = json.loads((folder / "run.json").read_bytes())
        settings = {name: value for name, value in run["settings"].items() if name not in _PRIVATE}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {"settings": settings, **{name: run[name] for name in ("versions", "python", "time") if name in run}}


def _validation(folder: Path, settings: dict[str, Any]) -> str:
    try:
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
        found = [line["validation"] for line in lines if "validation" in line]
        best = max(found, key=lambda one: one["mean"] if one["metric"] == "accuracy" else -one["mean"])
    except (OSError, ValueError, KeyError, TypeError):
        return "not recorded"
    scale, unit = (100, " %") if best["metric"] == "accuracy" else (1, "")
    kind = "transductive" if best["transductive"] else "inductive"
    task = f"{settings.get('n_way')}-way {settings.get('n_shot')}-shot"
    return (
        f"{best['metric']} {scale * best['mean']:.2f} ± {scale * best['ci95']:.2f}{unit} over {best['n_tasks']} {task} "
        f"tasks, {kind}; it chose the weights"
    )


def _fetch(name: str) -> Path:
    folder = data_folder() / "hub" / name.replace("/", "--")
    try:
        # Into a folder of files: the Hub's own cache is of links, which are not followed here.
        _hub().snapshot_download(name, local_dir=folder, allow_patterns=list(_KEPT))
    except SettingError:
        raise
    except Exception as error:
        raise ModelError(f"no model {name!r}, neither here nor on the Hub: {_line(error)}") from error
    return folder


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise SettingError("huggingface_hub is not installed; pip install 'quickstudy[hub]'") from None
    return huggingface_hub


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
