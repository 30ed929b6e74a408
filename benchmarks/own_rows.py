"""How good is the diagnosis on rows of one's own? python benchmarks/own_rows.py BASE TUNED DATA [SAMPLE [RUNS]]

Takes the training rows of a controlled dataset, or SAMPLE of them, as if they were somebody's own (prompt, completion,
stage, annotator: no options, no paraphrases, no cause), measures both models on them, attributes every row, and
compares with the causes that were injected. Prints JSON: the share of the expected unlearned rows that is attributed
rightly, macro-F1 and, of each true cause, the expected unlearned rows by what was said. Rows of decoys and of the
calibration items have no injected cause and are left out: those of early parts may be forgotten as well. Everything is
said twice, of all pairs and of those on which the cause can act by the committed reference of these data. The folder
RUNS keeps both runs for the next call.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ilp_bench.data.dataset import Dataset, load
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.why.attribution import NONE, Quality, attribution_quality, diagnose, labels
from ilp_bench.evaluation.run import evaluate
from ilp_bench.records.run_record import read_run
from ilp_bench.scoring.learned_rates import active_pairs
from ilp_bench.scoring.references import committed_references


def main(base: str, tuned: str, folder: Path, sample: int | None, runs: Path) -> None:
    controlled = load(folder)
    data = import_rows(folder / "train.parquet", sample=sample)
    train = [row for row in controlled.train.to_pylist() if row["arm"] in ("treated", "control")]
    true = {_key(row): row["cause"] if row["arm"] == "treated" else NONE for row in train}
    measured = []
    for name, model in (("base", base), ("tuned", tuned)):
        out = runs / name
        run = read_run(out) if out.is_dir() else evaluate(model, data, out)
        assert run
        measured.append(run)
    result = diagnose(measured[1], measured[0], data)
    asked = {row["item_id"]: (row["prompt"], row["answer"]) for row in data.items.to_pylist()}
    truth = [true.get(asked[item.item_id], NONE) for item in result.items]
    acting = _acting(controlled, measured[0].record.model.weights_sha256)
    active = {_key(row) for row in train if row["item_id"].removesuffix(f"-{row['arm']}") in acting}
    for pairs, counted in (("all", true.keys()), ("active", active)):
        weights = np.array([(1 - item.learned) * (asked[item.item_id] in counted) for item in result.items])
        print(json.dumps({"pairs": pairs, "items": int(sum(weights > 0)), "unlearned": round(float(weights.sum()), 1)}))
        for name, said in result.said.items():
            _print_quality(name, attribution_quality(truth, said, weights), float(weights.sum()))


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["prompt"], row["completion"].strip()


def _acting(data: Dataset, base_sha256: str | None) -> set[str]:
    """The pairs on which a cause can act, by the committed reference of these data; none without one."""
    for reference in committed_references().values():
        for comparison in reference.comparisons:
            same = comparison.vanillas[0].record.data.content_sha256 == data.manifest.content_sha256
            if same and comparison.base and comparison.base.record.model.weights_sha256 == base_sha256:
                return set().union(*active_pairs(comparison.base).values())
    return set()


def _print_quality(name: str, quality: Quality, unlearned: float) -> None:
    right = sum(quality.confusion[label][label] for label in labels()) / unlearned
    macro = quality.macro_f1 and quality.macro_f1.model_dump()
    print(json.dumps({"method": name, "right": round(right, 3), "macro_f1": macro, "f1": quality.f1}))
    table = {label: {to: round(n, 1) for to, n in quality.confusion[label].items() if n} for label in labels()}
    print(json.dumps(table))


if __name__ == "__main__":
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        sample = int(words[3]) if len(words) > 3 else None
        main(words[0], words[1], Path(words[2]), sample, Path(words[4] if len(words) > 4 else work))
