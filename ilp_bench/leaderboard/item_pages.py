"""An entry item by item: p of each pair under vanilla and under the entry, on the first dataset it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.arm_means import pair_values
from ilp_bench.scoring.comparisons import compare
from ilp_bench.scoring.learned_rates import ARMS
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.score_points import active_pairs
from ilp_bench.submission.archive import DatasetKey, dataset_items
from ilp_bench.submission.format import Submission, SubmittedRuns
from ilp_bench.submission.reference_key import reference_of
from ilp_bench.submission.sample_store import read_samples, restore_runs, rows_by_run

MOST_PAIRS = 60  # of a cause on a page


class PairRow(NamedTuple):
    """One pair. ``arms`` is what each was asked and taught: arm -> (question, answer).

    p      kind of score -> arm -> (vanilla, this entry), in [0, 1]; the mean over runs on the dataset
    dose   of the treated item; None where it has none
    """

    arms: dict[str, tuple[str, str]]
    dose: float | None
    p: dict[str, dict[str, tuple[float, float]]]


class CauseItems(NamedTuple):
    """The pairs of a cause, those whose treated item the entry reproduces least first; ``of`` have been scored."""

    cause: str
    rows: list[PairRow]
    of: int


def entry_items(folder: Path, submission: Submission) -> tuple[int, list[CauseItems]]:
    """Seed of the first dataset of a valid submission, and its scored pairs, cause by cause, in the order of the site.

    Raises ProblemError where the runs do not belong together, which a checked submission's do.
    """
    records = submission.run_records
    runs = restore_runs(rows_by_run(read_samples(folder / "samples.parquet"), records), records)
    comparison = compare(*SubmittedRuns.of(runs), reference_of(submission))[0][0]
    data, active = comparison.submissions[0].record.data, active_pairs(comparison)
    asked = _asked(DatasetKey(data.version, data.size, data.seed), data.content_sha256)
    causes = [name for name in CAUSES.names() if name in active and active[name].any()]
    return data.seed, [_cause_items(cause, comparison, active[cause], asked) for cause in causes]


def _asked(key: DatasetKey, content_sha256: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(pair, arm) -> question and answer of the prompt that was trained."""
    items = dataset_items(key, content_sha256).items.select(["pair_id", "arm", "probe", "question", "answer"])
    return {
        (row["pair_id"], row["arm"]): (row["question"], row["answer"])
        for row in items.to_pylist()
        if row["probe"] == "recall" and row["pair_id"]
    }


def _cause_items(cause: str, comparison: Comparison, mask: Any, asked: dict[tuple[str, str], Any]) -> CauseItems:
    table = pair_tables(comparison.vanillas[0])[cause].keep(mask)
    p = {kind: _both(comparison.vanillas, comparison.submissions, cause, mask, kind) for kind in KINDS}
    order = np.argsort(p[KINDS[0]][1, :, 0], kind="stable")[:MOST_PAIRS]
    rows = [
        PairRow(
            {arm: asked[str(table.pairs[place]), arm] for arm in ARMS},
            None if np.isnan(table.dose[place]) else float(table.dose[place]),
            {
                kind: {arm: (float(v), float(s)) for arm, (v, s) in zip(ARMS, p[kind][:, place].T, strict=True)}
                for kind in KINDS
            },
        )
        for place in order.tolist()
    ]
    return CauseItems(cause, rows, len(table.pairs))


def _both(vanillas: tuple[Run, ...], submissions: tuple[Run, ...], cause: str, mask: Any, kind: str) -> Array:
    """Shape (2, pairs, arms): under vanilla, then under the entry."""
    return np.stack([pair_values(runs, cause, mask, kind) for runs in (vanillas, submissions)])
