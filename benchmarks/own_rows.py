"""How good is the diagnosis on rows of one's own? python benchmarks/own_rows.py BASE TUNED DATA [SAMPLE]

Takes the training rows of a controlled dataset, or SAMPLE of them, as if they were somebody's own (prompt, completion,
stage, annotator: no options, no paraphrases, no cause), measures both models on them, attributes every row, and
compares with the causes that were injected. Prints JSON: the share of the expected unlearned rows that is attributed
rightly, macro-F1 and, of each true cause, the expected unlearned rows by what was said. Rows of decoys and of the
calibration items have no injected cause and are left out: those of early parts may be forgotten as well.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from ilp_bench.data.dataset import load
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.why.attribution import NONE, attribution_quality, diagnose, labels
from ilp_bench.evaluation.run import evaluate


def main(base: str, tuned: str, folder: Path, sample: int | None = None) -> None:
    controlled = load(folder)
    data = import_rows(folder / "train.parquet", sample=sample)
    true = {
        (row["prompt"], row["completion"].strip()): row["cause"] if row["arm"] == "treated" else NONE
        for row in controlled.train.to_pylist()
        if row["arm"] in ("treated", "control")
    }
    with tempfile.TemporaryDirectory() as work:
        runs = [evaluate(model, data, Path(work) / name) for name, model in (("base", base), ("tuned", tuned))]
    assert runs[0]
    assert runs[1]
    found = diagnose(runs[1], runs[0], data)
    asked = {row["item_id"]: (row["prompt"], row["answer"]) for row in data.items.to_pylist()}
    truth = [true.get(asked[one.item_id], NONE) for one in found.items]
    weights = np.array([(1 - one.learned) * (asked[one.item_id] in true) for one in found.items])
    print(json.dumps({"items": int(sum(weights > 0)), "unlearned": round(float(weights.sum()), 1)}))
    for name, said in found.said.items():
        one = attribution_quality(truth, said, weights)
        table = {
            label: {to: round(value, 1) for to, value in one.confusion[label].items() if value} for label in labels()
        }
        right = sum(one.confusion[label][label] for label in labels()) / weights.sum()
        print(
            json.dumps(
                {
                    "method": name,
                    "right": round(right, 3),
                    "macro_f1": one.macro_f1 and one.macro_f1.model_dump(),
                    "f1": one.f1,
                }
            )
        )
        print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)
