"""What training costs: python benchmarks/train.py [MODEL=nano] [ROWS=320] [LORA=0]

Prints JSON. On one machine, in one run, without loading the model, by the clock and in processor time (which other work
on the machine does not lengthen), one epoch of ROWS training rows of mini in batches of 16, with LORA as rank of an
adapter (0: all weights):
ours      packed rows, the vocabulary head at supervised positions alone
bfloat16  the same with ``--dtype bfloat16``: autocast over weights of float32
trl       the rows of ours in padded batches, with SFTTrainer's own loss
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from types import MethodType

import numpy as np
from trl import SFTTrainer

from ilp_bench.core.logs import quiet
from ilp_bench.data.dataset import make
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.recipes.phase import Example, Phase, example
from ilp_bench.training import trainer
from ilp_bench.training.adapter import add_adapter
from ilp_bench.training.batches import TokenBatches
from ilp_bench.training.collators import encode, supports_packing


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def epoch(
    name: str, lora: int, examples: list[Example], dtype: str, scratch: str, *, own_loss: bool
) -> tuple[np.ndarray, float]:
    """Seconds and mean loss of one epoch over the examples, from the base model; ``own_loss``: with SFTTrainer's."""
    located = locate(name)
    model, tokenizer = load_model(located)
    phase = Phase("benchmark", "sft", examples)
    rows = encode(tokenizer, examples, 512)
    batches = TokenBatches(rows, 16, 0, most_steps=-(-len(rows) // 16))
    setting = trainer.Setting(1e-4, 16, "cpu", 0, dtype=dtype)
    with quiet():
        adapted = add_adapter(model, located, lora, 0)
        ready = trainer.sft_trainer(adapted, tokenizer, phase, rows, Path(scratch), setting, batches)
        ready.args.save_strategy = "no"
        if own_loss:
            vars(ready)["compute_loss"] = MethodType(SFTTrainer.compute_loss, ready)
        start = now()
        result = ready.train()
    return now() - start, result.training_loss


def main(name: str = "nano", count: int = 320, lora: int = 0) -> dict[str, object]:
    """Figures by name; see the top of this file."""
    data = make("mini", 0)
    rows = [row for row in data.train_rows() if row["stage"] == data.manifest.stages]
    examples = [example(row) for row in random.Random(0).sample(rows, min(count, len(rows)))]
    packing = supports_packing
    found, losses = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for way in ("ours", "bfloat16", "trl"):
            vars(trainer)["supports_packing"] = (lambda *_: False) if way == "trl" else packing
            dtype = "bfloat16" if way == "bfloat16" else "float32"
            found[way], losses[way] = epoch(name, lora, examples, dtype, f"{scratch}/{way}", own_loss=way == "trl")
    tokens = sum(len(row["input_ids"]) for row in encode(load_model(locate(name))[1], examples, 512))
    return {
        "model": name,
        "rows": len(examples),
        "tokens": tokens,
        "lora": lora,
        "seconds, clock": {way: round(float(took[0]), 3) for way, took in found.items()},
        "seconds, processor": {way: round(float(took[1]), 3) for way, took in found.items()},
        "tokens a second, processor": {way: round(tokens / float(took[1]), 1) for way, took in found.items()},
        "trl over ours": [round(float(x), 2) for x in found["trl"] / found["ours"]],
        "ours over bfloat16": [round(float(x), 2) for x in found["ours"] / found["bfloat16"]],
        "training loss": {way: round(loss, 4) for way, loss in losses.items()},
    }


if __name__ == "__main__":
    given = sys.argv[1:]
    print(json.dumps(main(given[0] if given else "nano", *map(int, given[1:])), indent=1))
