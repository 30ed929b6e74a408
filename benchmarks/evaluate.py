"""What measuring costs: python benchmarks/evaluate.py [MODEL=nano] [ITEMS=400] [SAMPLED=60]

Prints JSON. On one machine, in one run, without loading the model, by the clock and in processor time (which other work
on the machine does not lengthen):
ours        ``ilp_bench.evaluation.measure`` on ITEMS recall and paraphrase probes: tokenising, scoring, saving
bound       the same distinct sequences in length-sorted padded batches, straight through transformers, the vocabulary
            head at answer positions alone
options     ours with four options for each recall probe, against the bound for those sequences
sampled     lm-eval's ``generate_until``, five answers a probe, on SAMPLED of the probes, scaled to ITEMS; as many
            tokens as the longest answer with its end mark has, so that each could be given
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilp_bench.core.logs import quiet
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.evaluation.measure import score_blocks, wrap
from ilp_bench.evaluation.request_plan import plan
from ilp_bench.evaluation.result_cache import Journal
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate

BATCH, REPEATS = 32, 3


def some(items: list[Any], count: int) -> list[Any]:
    """``count`` of the items, evenly over all causes."""
    return items[:: max(1, len(items) // count)][:count]


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def since(start: np.ndarray) -> np.ndarray:
    passed: np.ndarray = now() - start
    return passed


def ours(lm: Any, tokenizer: Any, data: Dataset, items: list[Any], choices: int) -> tuple[np.ndarray, list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        wanted = plan(tokenizer, data, items, chat=False, probed=False, choices=choices)
        journal = Journal(Path(folder) / "run", {})
        score_blocks(lm, wanted, wanted.blocks(), journal, {"protocol": "exact"}, None)
        seconds = since(start)
        journal.close()
    return seconds, wanted.unique


@torch.no_grad()
def bound(model: Any, requests: list[Any]) -> np.ndarray:
    start = now()
    rows = sorted(requests, key=lambda pair: -len(pair[0]) - len(pair[1]))
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        width = max(len(context) + len(answer) for context, answer in part) - 1
        ids = torch.tensor([[*c, *a][:-1] + [0] * (width + 1 - len(c) - len(a)) for c, a in part])
        keep = width + 1 - min(len(context) for context, _ in part)
        model(ids, use_cache=False, logits_to_keep=keep).logits.float().log_softmax(-1)
    return since(start)


def sampled(lm: Any, items: list[Any], longest: int) -> np.ndarray:
    from lm_eval.api.instance import Instance

    settings = {"until": ["\n"], "do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} | {
        "max_gen_toks": longest
    }
    asked = [
        Instance(request_type="generate_until", doc={}, arguments=(row["prompt"], settings), idx=n)
        for n, row in enumerate(items)
        for _ in range(5)
    ]
    start = now()
    lm.generate_until(asked, disable_tqdm=True)
    return since(start)


def main() -> None:
    name, count, few = (sys.argv[1:] + ["nano", "400", "60"][len(sys.argv) - 1 :])[:3]
    data = make("mini", 0)
    items = some([row for row in data.item_rows() if row["cause"]], int(count))
    model, tokenizer = load_model(locate(name))
    lm = wrap(model, tokenizer, BATCH)
    times: dict[str, list[np.ndarray]] = {"ours": [], "bound": [], "options": [], "options_bound": []}
    ours(lm, tokenizer, data, items[:32], 0)
    for _ in range(REPEATS):
        for key, choices in (("ours", 0), ("options", 4)):
            seconds, requests = ours(lm, tokenizer, data, items, choices)
            times[key].append(seconds)
            times["bound" if key == "ours" else "options_bound"].append(bound(model, requests))
    longest = max(len(answer) for _, answer in requests)
    with quiet():
        times["sampled"] = [sampled(lm, some(items, int(few)), longest) * len(items) / int(few)]
    report = {"model": Path(name).name, "items": len(items), "threads": torch.get_num_threads(), "batch": BATCH}
    for place, kind in enumerate(("clock", "processor")):
        best = {key: statistics.median(value[place] for value in values) for key, values in times.items()}
        report[kind] = {key: round(value, 3) for key, value in best.items()} | {
            "ours_over_bound": round(best["ours"] / best["bound"], 2),
            "options_over_bound": round(best["options"] / best["options_bound"], 2),
            "sampled_over_ours": round(best["sampled"] / best["ours"], 1),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
