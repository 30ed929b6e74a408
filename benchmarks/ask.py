"""What it takes to ask a base model about training rows, whose exemplars are read once for a batch. Prints JSON.

usage: python benchmarks/ask.py [MODEL] [PROMPTS]

``once``: as recipes that pre-train ask, the beginning that all prompts of a batch share read once. ``whole``: the
same prompts, each read whole. Prompts are those of mini's training rows in alphabetical order, as recipes ask them:
batches of 32, evenly over all of them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from unittest.mock import patch

from ilp_bench.data.dataset import make
from ilp_bench.detectors.beliefs import one_row_per_prompt, with_exemplars
from ilp_bench.evaluation.generation import GeneratedAnswer, generate_answers
from ilp_bench.evaluation.shared_prefix import PrefixCache
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.training.saved_answers import LABEL_TOKENS

BATCH = 32


def timed(model: Any, tokenizer: Any, prompts: list[str]) -> tuple[dict[str, float], list[GeneratedAnswer]]:
    """Seconds by the clock and of the processor, and the answers."""
    clock, processor = time.perf_counter(), time.process_time()
    answers = generate_answers(model, tokenizer, prompts, max_tokens=LABEL_TOKENS)
    return {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}, answers


def main() -> None:
    """Ask both ways, in turn, and print what it took."""
    name, count = (sys.argv[1:] + ["nano", "512"][len(sys.argv[1:]) :])[:2]
    data = make("mini", 0)
    rows = one_row_per_prompt(data.train_rows())
    prompts = with_exemplars(data.shot_rows(), [row["prompt"] for row in rows])
    batches = [sorted(prompts)[start : start + BATCH] for start in range(0, len(prompts), BATCH)]
    prompts = [
        prompt for batch in batches[:: max(1, BATCH * len(batches) // max(BATCH, int(count)))] for prompt in batch
    ]
    model, tokenizer = load_model(locate(name), device="cpu")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    generate_answers(model, tokenizer, prompts[:2], max_tokens=LABEL_TOKENS)  # what is done once
    once, answers = timed(model, tokenizer, prompts)
    with patch.object(PrefixCache, "read", return_value=None):
        whole, expected = timed(model, tokenizer, prompts)
    same = sum(one.text == other.text for one, other in zip(answers, expected, strict=True))
    differ = max(abs(one.probability - other.probability) for one, other in zip(answers, expected, strict=True))
    ratio = {key: round(whole[key] / once[key], 2) for key in once}
    seconds = {
        key: {kind: round(value, 3) for kind, value in of.items()} for key, of in {"once": once, "whole": whole}.items()
    }
    print(
        json.dumps(
            {"model": name, "prompts": len(prompts), "seconds": seconds, "whole over once": ratio}
            | {"same answers": same, "largest difference of p": float(f"{differ:.1e}")},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
