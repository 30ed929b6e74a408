"""What a step of continued pre-training needs: python benchmarks/pretraining.py [MODEL=nano] [TEXTS=1024] [BATCH=16]

Prints JSON: processor seconds and the highest resident memory of one epoch over TEXTS texts of known facts, in steps of
4 * BATCH texts, each way in a fresh process, and what the process holds before it:
parts  a step in four parts, as ``ilp-bench train`` does it
whole  all texts of a step at once
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = {"parts": 4, "whole": 1}


def epoch(way: str, name: str, count: int, size: int) -> dict[str, float]:
    """One way, in this process."""
    from ilp_bench.core.logs import quiet
    from ilp_bench.models.loading import load_model
    from ilp_bench.models.resolve import locate
    from ilp_bench.recipes.phase import Phase
    from ilp_bench.training import trainer
    from ilp_bench.training.collators import encode
    from ilp_bench.training.replay_corpus import known_fact_texts

    trainer.CPT_BATCH = PARTS[way]
    model, tokenizer = load_model(locate(name))
    texts = [("", text) for text in known_fact_texts(random.Random(0))(150 * count)[:count]]
    rows = encode(tokenizer, texts, 512)
    setting = trainer.Setting(1e-4, size * 4 // PARTS[way], "cpu", 0)
    with quiet(), tempfile.TemporaryDirectory() as scratch:
        ready = trainer.sft_trainer(model, tokenizer, Phase("benchmark", "cpt", texts), rows, Path(scratch), setting)
        ready.args.save_strategy = "no"
        before, start = peak(), time.process_time()
        ready.train()
    tokens = sum(len(row["input_ids"]) for row in rows)
    loss = ready.mean_loss(ready.state.global_step)
    return {
        "texts": len(rows),
        "tokens": tokens,
        "longest": max(len(row["input_ids"]) for row in rows),
        "seconds": round(time.process_time() - start, 2),
        "GiB before": before,
        "GiB": peak(),
        "loss": loss,
    }


def peak() -> float:
    """Highest resident memory of this process, in GiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def main(name: str = "nano", count: int = 1024, size: int = 16) -> dict[str, object]:
    """Figures by name; see the top of this file."""
    found = {}
    for way in PARTS:
        command = [sys.executable, __file__, "--one", way, name, str(count), str(size)]
        found[way] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    ratios = {key: round(found["whole"][key] / found["parts"][key], 2) for key in ("seconds", "GiB")}
    return {"model": name, "batch": size, **found, "whole over parts": ratios}


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--one"]:
        print(json.dumps(epoch(given[1], given[2], int(given[3]), int(given[4]))))
    else:
        print(json.dumps(main(given[0] if given else "nano", *map(int, given[1:])), indent=1))
