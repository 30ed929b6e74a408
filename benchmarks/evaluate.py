"""What measuring costs: python benchmarks/evaluate.py [MODEL=nano] [ITEMS=400] [SAMPLED=60]

Prints JSON. On one machine, in one run, without loading the model:
ours        ``ilp_bench.evaluate`` on ITEMS recall and paraphrase probes: tokenising, scoring, saving
bound       the same distinct sequences in length-sorted padded batches, straight through transformers, the vocabulary
            head at answer positions alone
options     ours with four options for each recall probe, against the bound for those sequences
sampled     lm-eval's ``generate_until``, five answers a probe, on SAMPLED of the probes, scaled to ITEMS
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from ilp_bench.dataset import make
from ilp_bench.evaluate import _work, wrap
from ilp_bench.evaluate.hf import load_model, quiet
from ilp_bench.evaluate.journal import Journal
from ilp_bench.evaluate.requests import plan
from ilp_bench.models import locate

BATCH, REPEATS = 32, 3


def ours(lm, tokenizer, data, items, choices: int) -> tuple[float, list]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        wanted = plan(tokenizer, data, items, chat=False, probed=False, choices=choices)
        journal = Journal(Path(folder) / "run", {})
        _work(lm, wanted, wanted.blocks(), journal, {"protocol": "exact"}, None)
        seconds = time.perf_counter() - start
        journal.close()
    return seconds, wanted.unique


@torch.no_grad()
def bound(model, requests) -> float:
    start = time.perf_counter()
    rows = sorted(requests, key=lambda pair: -len(pair[0]) - len(pair[1]))
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        width = max(len(context) + len(answer) for context, answer in part) - 1
        ids = torch.tensor([[*c, *a][:-1] + [0] * (width + 1 - len(c) - len(a)) for c, a in part])
        keep = width + 1 - min(len(context) for context, _ in part)
        model(ids, use_cache=False, logits_to_keep=keep).logits.float().log_softmax(-1)
    return time.perf_counter() - start


def sampled(lm, items) -> float:
    from lm_eval.api.instance import Instance

    settings = {"until": ["\n"], "do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_gen_toks": 8}
    asked = [
        Instance(request_type="generate_until", doc={}, arguments=(row["prompt"], settings), idx=n)
        for n, row in enumerate(items)
        for _ in range(5)
    ]
    start = time.perf_counter()
    lm.generate_until(asked, disable_tqdm=True)
    return time.perf_counter() - start


def main() -> None:
    name, count, few = (sys.argv[1:] + ["nano", "400", "60"][len(sys.argv) - 1 :])[:3]
    data = make("mini", 0)
    items = [row for row in data.items.to_pylist() if row["cause"]][: int(count)]
    model, tokenizer = load_model(locate(name))
    lm = wrap(model, tokenizer, BATCH)
    times: dict[str, list[float]] = {"ours": [], "bound": [], "options": [], "options_bound": []}
    ours(lm, tokenizer, data, items[:32], 0)
    for _ in range(REPEATS):
        for key, choices in (("ours", 0), ("options", 4)):
            seconds, requests = ours(lm, tokenizer, data, items, choices)
            times[key].append(seconds)
            times["bound" if key == "ours" else "options_bound"].append(bound(model, requests))
    with quiet():
        drawn = sampled(lm, items[: int(few)]) * len(items) / int(few)
    best = {key: statistics.median(values) for key, values in times.items()}
    report = {"model": name, "items": len(items), "threads": torch.get_num_threads(), "batch": BATCH}
    report["seconds"] = {key: round(value, 3) for key, value in best.items()} | {"sampled": round(drawn, 2)}
    report["ours_over_bound"] = round(best["ours"] / best["bound"], 2)
    report["options_over_bound"] = round(best["options"] / best["options_bound"], 2)
    report["sampled_over_ours"] = round(drawn / best["ours"], 1)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
