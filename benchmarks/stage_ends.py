"""What left-side forgetting forgets: python benchmarks/stage_ends.py BASE REFERENCE [SEED...]

BASE is a model, REFERENCE a committed reference of it, SEED the seeds of its datasets (all of them by default). Trains
vanilla through all stages but the last, with the reference's budget and the training seed of its first run, and
measures the items of the cause, asked as trained, at the end of their own stage. How they and their controls are asked
at the end of the training is the reference's. Prints JSON, a line a stage, mean p of recall probes in points:
passes   over the rows of the stage, and over those of the last one
own      of the treated items of that stage at its end
end      of the same items at the end of the training
control  of their controls there
The gap is control - end: of it, control - own was never learned in its own stage, and own - end was lost since; the
mean of both over stages and seeds comes last.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.data.templates import complete
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import encode
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.references import named_reference
from ilp_bench.training import run
from ilp_bench.training.training_state import TrainingState

CAUSE = "left_side_forgetting"


class EarlyStagesDoneError(Exception):
    """The last stage is not trained."""


def points(values: Any) -> float:
    return round(100 * float(np.mean(values)), 1)


def of_seed(base: str, data: Dataset, vanilla: Run, reference: Path, folder: Path) -> list[dict[str, Any]]:
    """A line for each early stage."""
    _, tokenizer = load_model(locate(base))
    training, last = vanilla.record.training, data.manifest.stages or 0
    assert training
    assert training.phases
    assert training.seed is not None
    p = {row["probe_id"]: row["p"] for row in vanilla.samples.select(["probe_id", "p"]).to_pylist()}
    probes = [row for row in data.item_rows() if row["cause"] == CAUSE and row["probe"] == "recall"]
    size = training.batch_size or 0
    passes = {phase.name: round(phase.steps * size / phase.examples, 2) for phase in training.phases}
    lines = []

    def measured(state: TrainingState, model: Any, record: Any) -> None:
        stage = int(record.name.split()[-1])
        treated = [row for row in probes if row["arm"] == "treated" and row["dose"] == last - stage]
        pairs = {row["pair_id"] for row in treated}
        controls = [row for row in probes if row["arm"] == "control" and row["pair_id"] in pairs]
        encoded = encode(tokenizer, [row["prompt"] for row in treated], [complete(row["answer"]) for row in treated])
        line = {"stage": stage, "passes": [passes[f"stage {stage}"], passes[f"stage {last}"]]}
        line["own"] = points(np.exp(score(wrap(model.eval(), tokenizer), encoded).logprob))
        for name, rows in (("end", treated), ("control", controls)):
            line[name] = points([p[row["probe_id"]] for row in rows])
        lines.append(line)
        finish(state, model, record)
        if stage == last - 1:
            raise EarlyStagesDoneError

    finish = TrainingState.finish
    with patch.object(TrainingState, "finish", measured):
        try:
            run.train(base, "vanilla", data, folder / "checkpoint", seed=training.seed, reference=reference)
        except EarlyStagesDoneError:
            return lines
    raise AssertionError("the last stage was trained")


def main(base: str, name: str, *seeds: str) -> dict[str, Any]:
    """Lines by data seed."""
    reference = named_reference(name)
    found = {}
    for comparison in reference.comparisons:
        vanilla = comparison.vanillas[0]
        about = vanilla.record.data
        if seeds and str(about.seed) not in seeds:
            continue
        with tempfile.TemporaryDirectory() as folder:
            data = load(write(make(about.size, about.seed), Path(folder) / "data"))
            found[f"seed {about.seed}"] = of_seed(base, data, vanilla, reference.folder, Path(folder))
    return {
        "base": base,
        "reference": name,
        **found,
        "mean": means([line for lines in found.values() for line in lines]),
    }


def means(lines: list[dict[str, Any]]) -> dict[str, float]:
    """What was never learned and what was lost, over all lines."""
    return {
        "never learned": round(float(np.mean([line["control"] - line["own"] for line in lines])), 1),
        "lost since": round(float(np.mean([line["own"] - line["end"] for line in lines])), 1),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:]), indent=1))
