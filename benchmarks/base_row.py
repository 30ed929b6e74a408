"""What a base model knows, as tables for docs/results-dataset-2.md: python benchmarks/base_row.py RUN...

Prints Markdown from run records alone: mean p per cause and arm in the trained prompts (all pairs), the knowledge
state per type of fact with four examples shown, and how often the old answer of a conflict is believed.
"""

import sys
from pathlib import Path

import numpy as np

from ilp_bench.cli.console import rate_text
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.run_summary import summary


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(run: Run) -> str:
    found, record = summary(run), run.record
    rates = [
        [cause, rate_text(arms["treated"]), rate_text(arms["control"])]
        for cause, arms in found["p"]["reproduction"].items()
    ]
    known = [
        [name, str(row["asked"]), *(rate_text(row[column]) for column in ("p", "greedy", "options"))]
        for name, row in found["knowledge"].items()
    ]
    old = [row for row in run.samples.to_pylist() if row["prior_answer"] and row["belief"]]
    believed = np.mean([row["belief"] == row["prior_answer"] for row in old]) if old else float("nan")
    return "\n\n".join(
        [
            f"`{record.model.name}` ({record.model.architecture}, {record.model.parameters:,} parameters, weights "
            f"`{record.model.weights_sha256[:16]}`) on {record.data.size}, seed {record.data.seed}, content "
            f"`{record.data.content_sha256[:16]}`; {record.backend}, {record.dtype}, {record.requests:,} requests.",
            table(["cause", "p, treated", "p, control"], rates),
            table(["facts, four examples shown", "asked", "p", "greedy", "right option of 4"], known),
            f"Old answers of conflicts that are the preferred option: {believed:.2f} of {len(old)}.",
        ]
    )


if __name__ == "__main__":
    print("\n\n".join(tables(read_run(Path(name))) for name in sys.argv[1:]))
