"""What does a diagnosis cost? python benchmarks/diagnosis_cost.py [TUNED [ROWS [READ]]]

Prints JSON: of READ rows (default: 100,000), seconds and peak memory, beyond what the imports took, to read them, draw
a sample, and look for contradictions, also in other words, and rare patterns; MB of the files of a report on 10,000
rows; of ROWS rows (default: 1000), CPU seconds to ask TUNED (default: nano) about all of them as a diagnosis does, and
to run the bare model over the same tokens in the same batches, medians of five rounds. The rows are
``about_names`` of ``reworded_facts.py``.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from reworded_facts import about_names

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.diagnosis.asking.steps import SHOWN
from ilp_bench.diagnosis.cause_zero.check import mean_interval
from ilp_bench.diagnosis.report.page import piece, worst_rows
from ilp_bench.diagnosis.report.record import Report, cause_shares
from ilp_bench.diagnosis.report.write import write_report
from ilp_bench.diagnosis.rows import Reason, RowResult
from ilp_bench.diagnosis.why.paraphrases import Disputes, contradicting_paraphrases
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import encode_texts, row_text

BATCH, ROUNDS = 32, 5


def rows_file(folder: Path, count: int) -> Path:
    """A file of so many rows."""
    file = folder / f"{count}.jsonl"
    rows = ({"prompt": row["prompt"], "completion": row["completion"]} for row in about_names(count))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def asking(name: str, count: int, folder: Path) -> dict[str, Any]:
    """CPU seconds of the asking step, of the bare model, and of what the step does beside the model.

    Each is a median of ``ROUNDS`` in turn, because a busy machine is now slower and now faster; so is the ratio.
    """
    data = import_rows(rows_file(folder, count))
    rounds = [_once(name, data, folder / f"run-{number}") for number in range(ROUNDS)]
    ratios = sorted(each["asking"] / each["bare forward pass"] for each in rounds)
    seconds = {what: round(median(each[what] for each in rounds), 2) for what in rounds[0]}
    ratio = {"ratio": round(median(ratios), 2), "of all rounds": [round(ratios[0], 2), round(ratios[-1], 2)]}
    return {"model": name, "rows": count, "cpu seconds": seconds} | ratio


def _once(name: str, data: Dataset, out: Path) -> dict[str, float]:
    seconds = {}
    start = time.process_time()
    model, tokenizer = load_model(locate(name), dtype="float32", device="cpu")
    seconds["loading"] = time.process_time() - start
    start = time.process_time()
    evaluate(name, data, out, probe_base=False, device="cpu", batch_size=BATCH)
    seconds["asking"] = time.process_time() - start
    start = time.process_time()
    texts = [row_text(tokenizer, item["prompt"], item["completion"]) for item in data.items.to_pylist()]
    rows = sorted(([*each.context, *each.answer] for each in encode_texts(tokenizer, texts)), key=len)
    seconds["tokenizing"] = time.process_time() - start
    start = time.process_time()
    with torch.no_grad():
        for first in range(0, len(rows), BATCH):
            part = rows[first : first + BATCH]
            model(torch.tensor([ids + [0] * (len(part[-1]) - len(ids)) for ids in part]))
    seconds["bare forward pass"] = time.process_time() - start
    return seconds


def reading(count: int, folder: Path) -> dict[str, Any]:
    """Seconds and peak memory of all that reads every row."""
    file, start, before = rows_file(folder, count), time.process_time(), _peak()
    train: list[Any] = import_rows(file, segments=4, sample=300).train.to_pylist()
    contradicting_groups(train)
    contradicting_paraphrases(train)
    repetitions(list(dict.fromkeys(row["messages"][0]["content"] for row in train)))
    return {"rows read": count, "cpu seconds": round(time.process_time() - start, 1), "peak MB": _peak() - before}


def report_size(count: int, folder: Path) -> dict[str, Any]:
    """MB of the files of a report in which no row is learned, each has a reason, and all the tokens are shown."""
    data = import_rows(rows_file(folder, count))
    why = Reason(cause="knowledge_gap", sign="knowledge_gap", confidence=0.5, evidence="a sign in words " * 4)
    results = [
        RowResult(
            item_id=item["item_id"],
            rows=[n],
            segment=item["stage"],
            question=item["question"],
            answer=item["answer"],
            tokens=200,
            context=20,
            value=0.1,
            measure="tokens",
            learned=False,
            p=0.0,
            answer_p=0.0,
            answer_value=0.0,
            end=0,
            greedy_share=0.1,
            prefix=1,
            loss=3.0,
            reasons=[why],
        )
        for n, item in enumerate(data.items.to_pylist(), 1)
    ]
    shown = worst_rows(results)[:SHOWN]
    pieces = {each.item_id: [piece(" token", -2.0)] * each.tokens for each in shown}
    report = Report(
        ilp_bench="",
        model="TUNED",
        base="BASE",
        source="rows.jsonl",
        format="prompt-completion",
        chat=False,
        rows=count,
        items=count,
        asked=count,
        segments=1,
        learned=mean_interval([0.0] * count),
        reproduced=mean_interval([0.1] * count),
        base_reproduced=0.0,
        long=count,
        explained=False,
        checks=[],
        causes=cause_shares(results),
    )
    work = folder / "report"
    work.mkdir()
    rows = [(n, {"prompt": item["prompt"]}) for n, item in enumerate(data.items.to_pylist(), 1)]
    write_report(work, report, results, data, Disputes([], []), pieces, lambda: iter(rows), out=work, seed=0)
    sizes = {file.name: round(file.stat().st_size / 1e6, 2) for file in sorted(work.iterdir())}
    return {"report on rows": count, "MB": sizes}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        print(json.dumps(reading(int(words[2]) if len(words) > 2 else 100_000, work)), flush=True)
        print(json.dumps(report_size(10_000, work)), flush=True)
        print(json.dumps(asking(words[0] if words else "nano", int(words[1]) if len(words) > 1 else 1000, work)))
