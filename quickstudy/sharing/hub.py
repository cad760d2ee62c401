"""Shared models: a folder with a model card, and the Hugging Face Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.confidence import Confidence
from quickstudy.classify.load import load
from quickstudy.errors import ModelError, SettingError, one_line
from quickstudy.inputs.cache import data_folder
from quickstudy.io.files import replace
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder
from quickstudy.models.seal import FILES, read_seal, write_seal
from quickstudy.runs.run import Run

_PRIVATE = ("data_root", "init")
"""Settings that are paths on the machine of the training."""
_MADE = ("versions", "python", "time")
_EXAMPLES = "examples.safetensors"
_FETCHED = (*FILES, "seal.json", "run.json", "README.md")


def save_pretrained(model: Path | str, folder: Path | str, *, examples: bool = False) -> None:
    """Copy the files that others need of a run or classifier to a folder, with a model card of the run.

    Args:
        model: A run, a classifier, or a name such as "glyphs-proto".
        folder: Folder to write; other files in it are not changed.
        examples: Copy a classifier's examples too: file names, small pictures, sentences or rows. Without them, the
            classifier gives the same answers but cannot show its examples.

    Raises:
        ModelError: The model is missing or damaged.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as there:
    ...     save_pretrained("glyphs-proto", there)
    ...     print(Path(there, "README.md").read_text().partition("# ")[2].splitlines()[0])
    glyphs-proto
    """
    run, folder = Run(model), Path(folder)
    source = run.model
    for reason in source.faults():
        raise ModelError(f"{reason}; nothing was written")
    record = _record(run)
    sums = {name: sha for name, sha in read_seal(source.path).items() if examples or name != _EXAMPLES}
    for name in sums:
        replace(folder / name, (source.path / name).read_bytes())
    write_seal(folder, sums)
    if record:
        replace(folder / "run.json", json.dumps(record, indent=2).encode())
    replace(folder / "README.md", card(run).encode())


def from_pretrained(name: Path | str) -> Learner | Classifier:
    """Load a learner or classifier from a folder, by a name of quickstudy, or from the Hub (``user/model``).

    Only tensors, JSON and the model card are downloaded. They are checked like all untrusted files.

    Args:
        name: Folder, name of a model that comes with quickstudy, or ``user/model`` on the Hub.

    Raises:
        ModelError: The model is missing, or its files are refused.
        SettingError: The model is on the Hub, and huggingface_hub is not installed.

    >>> type(from_pretrained("glyphs-proto")).__name__
    'Prototypical'
    """
    if not ModelFolder(name).path.exists() and len(Path(name).parts) == 2:
        return load(_fetch(str(name)))
    return load(name)


def push_to_hub(model: Path | str, repository: str, *, private: bool = False, examples: bool = False) -> str:
    """Upload a run or classifier to the Hugging Face Hub, with its model card, and return its address there.

    Args:
        model: A run, a classifier, or a name.
        repository: Repository ``user/model``; it is created if missing.
        private: Whether a new repository is private.
        examples: Copy a classifier's examples too (see ``save_pretrained``).

    Raises:
        ModelError: The model is damaged, or the Hub refuses it.
        SettingError: huggingface_hub is not installed.
    """
    from tempfile import TemporaryDirectory

    hub = _hub()
    with TemporaryDirectory() as folder:
        save_pretrained(model, folder, examples=examples)
        try:
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message="quickstudy model")
        except Exception as error:  # of many kinds: no network, no token, an unknown user
            raise ModelError(f"the Hub did not accept {repository!r}: {one_line(error)}") from error
    return f"https://huggingface.co/{repository}"


def card(run: Run) -> str:
    """Return a model card in Markdown: the model, its training, its accuracy and its use."""
    source, record = run.model, _record(run)
    config, settings = source.config, record.get("settings", {})
    labels, confidence, inputs = source.labels, source.entry("confidence", Confidence), source.inputs
    facts = {
        "learner": f"{config['learner']['name']}",
        "net": config["learner"].get("net", {}).get("name", "none"),
        "takes": f"{inputs.noun}s. {inputs.recipe}" if inputs else "arrays",
        "knows": ", ".join(labels) if labels else "no class yet: it learns from a few examples",
        "trained on": settings.get("data", "not recorded"),
        "trained for": f"{settings['steps']} steps of {settings['tasks_per_step']} tasks"
        if settings
        else "not recorded",
        "validation": _validation(run, settings),
        "calibrated": f"on {confidence.n_way}-way {confidence.n_shot}-shot validation tasks" if confidence else "no",
        "quickstudy": record.get("versions", {}).get("quickstudy", "not recorded"),
        "made": record.get("time", "not recorded"),
    }
    use = "classifier = qs.from_pretrained(NAME)\nclassifier.predict(x)"
    if not labels:
        use = "few = qs.FewShotClassifier(qs.from_pretrained(NAME)).fit(X, y)\nfew.predict_proba(X_new)"
    table = "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
    return f"""---
library_name: quickstudy
tags: [meta-learning, few-shot-learning, {config["learner"]["name"]}]
---
# {run.folder.absolute().name}

| | |
|---|---|
{table}

Probabilities hold for inputs like those it was {"calibrated" if confidence else "trained"} on. `run.json` has all
settings.

```python
import quickstudy as qs

{use}
```
"""


def _record(run: Run) -> dict[str, Any]:
    """Return ``run.json`` without the paths of the machine of the training; empty if the file is missing."""
    if not run.exists():
        return {}
    settings = {name: value for name, value in run.record["settings"].items() if name not in _PRIVATE}
    return {"settings": settings, **{name: run.record[name] for name in _MADE if name in run.record}}


def _validation(run: Run, settings: dict[str, Any]) -> str:
    best = run.validation
    if best is None:
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
        # Into a folder of plain files: the Hub's own cache consists of links, which are not followed here.
        _hub().snapshot_download(name, local_dir=folder, allow_patterns=list(_FETCHED))
    except SettingError:
        raise
    except Exception as error:
        raise ModelError(f"no model {name!r} on this machine or on the Hub: {one_line(error)}") from error
    return folder


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise SettingError("huggingface_hub is not installed; pip install 'quickstudy[hub]'") from None
    return huggingface_hub
