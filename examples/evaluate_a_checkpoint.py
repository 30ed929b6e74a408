"""Evaluate a checkpoint: how much of a training set does a model reproduce, by cause and arm?

Uses the built-in model nano and a small dataset; takes seconds. Give the folder or Hub id of your own model instead:

    python examples/evaluate_a_checkpoint.py [MODEL]
"""

import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc

import ilp_bench

model = sys.argv[1] if len(sys.argv) > 1 else "nano"
data = ilp_bench.build("mini", seed=0, pairs=6)

with tempfile.TemporaryDirectory() as folder:
    run = ilp_bench.evaluate(model, data, Path(folder) / "run")
    assert run is not None  # only with several processes, in all but the first one
    print(f"{run.record.model.name}: {run.samples.num_rows} probes, {run.record.requests} requests")
    for cause in sorted(set(run.samples["cause"].drop_null().to_pylist())):
        for arm in ("treated", "control"):
            mask = pc.and_(pc.equal(run.samples["cause"], cause), pc.equal(run.samples["arm"], arm))
            p = pc.mean(run.samples.filter(mask)["p"]).as_py()
            print(f"  {cause:22} {arm:8} p = {p:.4f}")
