"""What left-side forgetting forgets: python benchmarks/stage_ends.py [BASE=nano] [SEED...=0] [SIZE=mini]

Trains vanilla with the committed budget and measures the items of the cause, asked as trained, at the end of their own
stage and at the end of the training. Prints JSON, mean p of recall probes in points, a line a stage of each seed:
passes  over the rows of the stage, and over those of the last one
own     mean p of the treated items of that stage at its end
end     the same at the end of the training
control mean p of their controls there
The gap is control - end: of it, control - own was never learned, and own - end was learned and lost.
"""

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.data.schema import ItemRow
from ilp_bench.data.templates import complete
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import encode
from ilp_bench.training import run
from ilp_bench.training.training_state import TrainingState

CAUSE = "left_side_forgetting"


def mean_p(model: Any, tokenizer: Any, items: list[ItemRow]) -> float:
    pairs = encode(tokenizer, [item["prompt"] for item in items], [complete(item["answer"]) for item in items])
    return round(100 * float(np.mean(np.exp(score(wrap(model.eval(), tokenizer), pairs).logprob))), 1)


def one_seed(base: str, data: Dataset, folder: Path) -> list[dict[str, Any]]:
    """A line for each early stage."""
    _, tokenizer = load_model(locate(base))
    stage_of = {row["item_id"]: row["stage"] for row in data.train_rows()}
    by_stage: dict[int, list[ItemRow]] = defaultdict(list)
    controls: dict[int, list[ItemRow]] = defaultdict(list)
    pairs = {item["pair_id"]: stage_of[item["item_id"]] for item in data.item_rows() if item["arm"] == "treated"}
    for item in data.item_rows():
        if item["cause"] == CAUSE and item["probe"] == "recall" and item["arm"] in ("treated", "control"):
            (by_stage if item["arm"] == "treated" else controls)[pairs[item["pair_id"]]].append(item)
    lines: dict[int, dict[str, Any]] = {}
    finish, last = TrainingState.finish, data.manifest.stages

    def measured(state: TrainingState, model: Any, record: Any) -> None:
        stage = int(record.name.split()[-1])
        lines[stage] = {"stage": stage, "passes": round(record.steps * 16 / record.examples, 2)}
        if stage < last:
            lines[stage]["own"] = mean_p(model, tokenizer, by_stage[stage])
        else:
            passes = lines.pop(last)["passes"]
            for early, line in lines.items():
                end, control = (mean_p(model, tokenizer, items[early]) for items in (by_stage, controls))
                line |= {"passes of the last": passes, "end": end, "control": control}
        finish(state, model, record)

    with patch.object(TrainingState, "finish", measured):
        run.train(base, "vanilla", data, folder / "checkpoint", budget=1)
    return [*lines.values()]


def main(base: str = "nano", *given: str) -> dict[str, Any]:
    size = next((word for word in given if not word.isdigit()), "mini")
    found = {}
    for seed in [int(word) for word in given if word.isdigit()] or [0]:
        with tempfile.TemporaryDirectory() as name:
            data = load(write(make(size, seed), Path(name) / "data"))
            found[f"seed {seed}"] = one_seed(base, data, Path(name))
    return {"base": base, "size": size, **found}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), indent=1))
