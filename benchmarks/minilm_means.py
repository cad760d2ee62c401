"""The model for sentences that comes with quickstudy: nearest class means of MiniLM's embeddings, calibrated.

Calibrated on the validation domains of CLINC150, measured on its test domains; nothing is trained.

python benchmarks/minilm_means.py [--data-root DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from quickstudy import Episodes, Identity, Prototypical, clinc150, evaluate
from quickstudy.classify.confidence import answers, calibrate, calibration_error
from quickstudy.inputs.sentences import Sentences
from quickstudy.io.files import replace
from quickstudy.models.folder import SHIPPED, ModelFolder
from quickstudy.runs.provenance import provenance

WAY, SHOT, QUERIES, TASKS = 5, 5, 10, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--json", type=Path, default=Path("results/text/minilm-means.json"))
    given = parser.parse_args()
    splits, inputs = clinc150(given.data_root), Sentences.fitted(())
    learner = Prototypical(Identity(*inputs.shape)).eval()
    validation = Episodes(splits.validation, WAY, SHOT, QUERIES, split="validation")
    calibration = calibrate(learner, validation, WAY, SHOT, n_tasks=TASKS)
    confidence = calibration.confidence
    ModelFolder(SHIPPED / "minilm-means").write(learner, inputs, confidence=vars(confidence))
    rows = []
    for n_way, n_shot in ((5, 1), (5, 5), (15, 1), (15, 5)):
        tasks = Episodes(splits.test, n_way, n_shot, QUERIES, split="test")
        logits, right = answers(learner, tasks, range(TASKS // 2))
        p = (logits / confidence.scale(n_shot)).softmax(-1)
        inside = confidence.members(p, 0.9).gather(1, right[:, None]).double().mean()
        rows.append(
            {
                "n_way": n_way,
                "n_shot": n_shot,
                "n_query": QUERIES,
                "split": "test domains of clinc150",
                **evaluate(learner, tasks, n_tasks=TASKS // 2).summary(),
                "calibration_error": calibration_error(p, right),
                "coverage_at_0.9": float(inside),
            }
        )
        print(rows[-1])
    record = {"model": "minilm-means", "temperature": confidence.temperature, "rows": rows, **provenance()}
    replace(given.json, (json.dumps(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
