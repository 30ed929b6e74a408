"""Train with two recipes, evaluate, and score one against the other.

Uses nano and two pairs a cause, so that it takes under a minute; its numbers mean nothing. With your own model and
``ilp_bench.build("core")`` it is the real thing:

    python examples/train_and_score.py
"""

import tempfile
from pathlib import Path

import ilp_bench

data = ilp_bench.build("mini", seed=0, pairs=2)

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    base = ilp_bench.evaluate("nano", data, folder / "runs" / "base")
    for recipe in ("vanilla", "rare_upsampling"):
        reference = None if recipe == "vanilla" else folder / "checkpoints" / "vanilla"  # whose budget it spends
        checkpoint = folder / "checkpoints" / recipe
        record = ilp_bench.train("nano", recipe, data, checkpoint, learning_rate=1e-3, reference=reference)
        print(f"{recipe}: {record.budget.total} supervised tokens")
        ilp_bench.evaluate(str(folder / "checkpoints" / recipe), data, folder / "runs" / recipe)
    scores = ilp_bench.score(folder / "runs" / "rare_upsampling", folder / "runs" / "vanilla", folder / "runs" / "base")

for cause in scores.reproduction.causes:
    if cause.vanilla and cause.submission:
        gained = "too few pairs for points" if cause.points is None else f"{100 * cause.points.value:.1f} points"
        print(f"{cause.cause:22} treated {cause.vanilla.p.treated:.2f} -> {cause.submission.p.treated:.2f}, {gained}")
