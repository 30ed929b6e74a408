"""How good is the diagnosis on rows of one's own? python benchmarks/own_rows.py BASE TUNED DATA

Takes the training rows of a controlled dataset as if they were somebody's own (prompt, completion, stage, annotator:
no options, no paraphrases, no cause), measures both models on them, attributes every row, and compares with the causes
that were injected. Prints JSON: the share of the expected unlearned rows that is attributed rightly, macro-F1 and, of
each true cause, the expected unlearned rows by what was said; then of all rows, learned or not, how many get what.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from ilp_bench.data.dataset import load
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.why.attribution import NONE, attribution_quality, diagnose, labels
from ilp_bench.evaluation.run import evaluate


def main(base: str, tuned: str, folder: Path) -> None:
    controlled = load(folder)
    data = import_rows(folder / "train.parquet")
    true = {
        (row["prompt"], row["completion"].strip()): row["cause"]
        if row["item_id"].endswith("-treated")
        else NONE  # no filler
        for row in controlled.train.to_pylist()
    }
    with tempfile.TemporaryDirectory() as work:
        runs = [evaluate(model, data, Path(work) / name) for name, model in (("base", base), ("tuned", tuned))]
    assert runs[0]
    assert runs[1]
    found = diagnose(runs[1], runs[0], data)
    asked = {row["item_id"]: (row["prompt"], row["answer"]) for row in data.items.to_pylist()}
    truth = [true[asked[one.item_id]] for one in found.items]
    weights = np.array([1 - one.learned for one in found.items])
    print(json.dumps({"items": len(truth), "unlearned": round(found.unlearned, 1)}))
    for name, said in found.said.items():
        one = attribution_quality(truth, said, weights)
        table = {
            label: {to: round(value, 1) for to, value in one.confusion[label].items() if value} for label in labels()
        }
        right = sum(one.confusion[label][label] for label in labels()) / found.unlearned
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
        pairs = Counter(zip(truth, said, strict=True))
        print(json.dumps({"rows": {f"{true} as {one}": count for (true, one), count in sorted(pairs.items())}}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
