"""How sure is each reason? python benchmarks/diagnosis_confidence.py BASE DATA TUNED [DATA TUNED ...] [--write]

Takes the training rows of controlled datasets as if they were a user's, diagnoses the vanilla checkpoint of each, and
counts, for each sign, of how many unlearned rows that have it the injected cause is the one it speaks for. The last
pair is left out of the sums, and shows whether the shares hold for a run that they were not made from. Rows of decoys
and calibration items have no injected cause and do not count. Prints JSON; ``--write`` also writes the sums to
``ilp_bench/diagnosis/why/confidences.json``, which every report reads.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ilp_bench.data.dataset import load
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.diagnosis.asking.whole_rows import context_lengths
from ilp_bench.diagnosis.rows import row_results
from ilp_bench.diagnosis.why import reasons
from ilp_bench.evaluation.run import evaluate

SAMPLE = 300
Counts = Counter[tuple[str, bool]]


def counts(base: str, folder: Path, tuned: Path, work: Path) -> Counts:
    """(Sign, whether the injected cause is its cause) -> unlearned rows; sign ``none`` for rows without any."""
    truth = {
        (row["prompt"], row["completion"].strip()): row["cause"] if row["arm"] == "treated" else None
        for row in load(folder).train.to_pylist()
        if row["arm"] in ("treated", "control")
    }
    data = import_rows(folder / "train.parquet", sample=SAMPLE)
    runs = [
        evaluate(model, data, work / name, probe_base=name == "base")
        for name, model in (("tuned", str(tuned)), ("base", base))
    ]
    if runs[0] is None or runs[1] is None:
        raise SystemExit("run this in one process")
    results = row_results(data, runs[0], context_lengths(str(tuned), None, data))
    reasons.explain(results, runs[0], runs[1], data, contradicting_groups(data.train_rows()))
    prompts = {item["item_id"]: (item["prompt"], item["answer"]) for item in data.items.to_pylist()}
    counted: Counts = Counter()
    for each in results:
        if each.learned or prompts[each.item_id] not in truth:
            continue
        true = truth[prompts[each.item_id]]
        counted.update((reason.sign, reason.cause == true) for reason in each.reasons)
        if not each.reasons:
            counted["none", true is None] += 1
    return counted


def shares(counted: Counts) -> dict[str, dict[str, float]]:
    """Sign -> share that is right, with one right and one wrong row added, and how many rows there are."""
    signs = sorted({sign for sign, _ in counted})
    number = {sign: counted[sign, True] + counted[sign, False] for sign in signs}
    return {
        sign: {"right": round((counted[sign, True] + 1) / (number[sign] + 2), 3), "rows": number[sign]}
        for sign in signs
    }


def main(base: str, pairs: list[str], *, write: bool) -> None:
    folders = list(zip(pairs[::2], pairs[1::2], strict=True))
    by_run = []
    for data, tuned in folders:
        with tempfile.TemporaryDirectory() as work:
            by_run.append(counts(base, Path(data), Path(tuned), Path(work)))
        print(json.dumps({"tuned": Path(tuned).name, "signs": shares(by_run[-1])}), flush=True)
    fitted = shares(sum(by_run[:-1], Counter()))
    print(json.dumps({"fitted on the others": fitted}))
    if write:
        content = {"runs": [f"{base}, {Path(tuned).name}" for _, tuned in folders[:-1]], "signs": fitted}
        reasons.CONFIDENCES.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    main(arguments[0], arguments[1:], write="--write" in sys.argv)
