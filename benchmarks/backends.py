"""Both backends beside each other: python benchmarks/backends.py MODEL... (needs vLLM; see scripts/vllm-cpu)

Evaluates the first ITEMS probes of mini with hf and with vllm and prints JSON for each model: the largest difference in
log-probability, how often greedy reproduction agrees, sampled reproduction against p, and seconds.
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ilp_bench.data.dataset import make
from ilp_bench.evaluation.run import evaluate

ITEMS, DRAWN, DRAWS = 300, 40, 200
ENGINE = {"enforce_eager": True, "max_model_len": 512}


def compare(model: str, folder: Path) -> dict[str, Any]:
    data = make("mini", 0)
    few = dataclasses.replace(data, items=data.items.slice(0, ITEMS))
    setting: dict[str, Any] = {"dtype": "float32", "probe_base": False}
    hf = evaluate(model, few, folder / "hf", **setting)
    vllm = evaluate(model, few, folder / "vllm", backend="vllm", engine=ENGINE, **setting)
    assert hf
    assert vllm
    left, right = (np.array(run.samples["logprob"].to_pylist()) for run in (hf, vllm))
    greedy = [np.array(run.samples["greedy"].to_pylist()) for run in (hf, vllm)]
    # Only probes that a model reproduces now and then say anything about sampling.
    p = np.exp(left)
    chosen = np.argsort(-np.minimum(p, 1 - p))[:DRAWN]
    some = dataclasses.replace(data, items=data.items.take(np.sort(chosen)))
    drawn = evaluate(
        model, some, folder / "drawn", backend="vllm", protocol="sampled", draws=DRAWS, engine=ENGINE, **setting
    )
    assert drawn
    hits, chance = np.array(drawn.samples["p"].to_pylist()) * DRAWS, p[np.sort(chosen)]
    spread = (hits - DRAWS * chance) ** 2 / np.maximum(DRAWS * chance * (1 - chance), 1e-9)
    used = DRAWS * chance * (1 - chance) > 1
    return {
        "items": ITEMS,
        "largest_logprob_difference": float(np.abs(left - right).max()),
        "largest_p_difference": float(np.abs(np.exp(left) - np.exp(right)).max()),
        "greedy_agrees": float((greedy[0] == greedy[1]).mean()),
        "sampled": {
            "probes": int(used.sum()),
            "draws": DRAWS,
            "mean_p": float(chance[used].mean()) if used.any() else None,
            "mean_observed": float(hits[used].mean() / DRAWS) if used.any() else None,
            "chi_square_p_value": float(stats.chi2.sf(spread[used].sum(), used.sum())) if used.any() else None,
        },
        "seconds": {"hf": hf.record.seconds, "vllm": vllm.record.seconds},
        "versions": vllm.record.versions,
        "hardware": vllm.record.hardware,
    }


if __name__ == "__main__":
    for name in sys.argv[1:] or ["nano"]:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps({"model": Path(name).name} | compare(name, Path(scratch)), indent=1), flush=True)
