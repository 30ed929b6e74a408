"""The published table as a small file: one row an entry, every number recomputed with today's scorer.

``table.csv`` stands beside the entries, so that a change of any published number shows in a diff, and ``validate``
builds it again. Old claims are never mixed with new ones: a row is what the samples give now.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from ilp_bench.core.files import write_text
from ilp_bench.core.untrusted import csv_text
from ilp_bench.data.causes import CAUSES
from ilp_bench.scoring.recovery import SCORER_VERSION, Interval, Scores
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.rerun_record import read_verification
from ilp_bench.submission.validate import Checked
from ilp_bench.submission.version_2 import ArchivedSubmission

TABLE_FILE = "table.csv"
PLACES = 6
ROUNDING = 2 * 10.0**-PLACES
TableRow = dict[str, str]


def _cells(name: str, interval: Interval | None) -> TableRow:
    """The three columns of an interval; empty where there is none."""
    ends = (interval.value, interval.low, interval.high) if interval else (None,) * 3
    names = (name, f"{name}_low", f"{name}_high")
    return {key: "" if value is None else f"{value:.{PLACES}f}" for key, value in zip(names, ends, strict=True)}


def table_rows(root: Path, entries: Sequence[Checked]) -> list[TableRow]:
    """One row for every valid entry, in the order of their folders."""
    last = read_decisions(root).last
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.submission.folder if entry.submission else ""):
        submission, scores = entry.submission, entry.scores
        if not isinstance(submission, ArchivedSubmission) or not isinstance(scores, Scores):
            continue
        decision = last.get(submission.run_id)
        reruns = read_verification(entry.folder)
        record = submission.first.submission
        row = {
            "entry": submission.folder,
            "division": submission.meta.division,
            "base": csv_text(submission.base_name),
            "recipe": csv_text(record.training.recipe if record.training else ""),
            "size": csv_text(record.data.size),
            "data_seeds": " ".join(str(seed) for seed in sorted({part.data_seed for part in scores.replicates})),
            "replicates": str(len(scores.replicates)),
            "scorer_version": str(SCORER_VERSION),
            "decision": decision.decision if decision else "",
            "rerun_public": reruns[-1].public.status if reruns else "",
            "rerun_unseen": reruns[-1].unseen.status if reruns else "",
        }
        rows.append(row | _recoveries(scores))
    return rows


def _recoveries(scores: Scores) -> TableRow:
    by_name = {cause.cause: cause.recovery for cause in scores.causes}
    cells = _cells("overall", scores.overall)
    for name in CAUSES.names():
        cells |= _cells(name, by_name.get(name))
    return cells


def to_csv(rows: Sequence[TableRow]) -> str:
    """The rows as CSV with a header; without rows, nothing."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def write_table(root: Path, entries: Sequence[Checked]) -> Path:
    """Write ``table.csv`` beside the entries, whole or not at all."""
    write_text(root / TABLE_FILE, to_csv(table_rows(root, entries)))
    return root / TABLE_FILE


def table_problems(root: Path, entries: Sequence[Checked]) -> list[str]:
    """Where ``table.csv`` differs from what the entries give; nothing to compare where there is no table."""
    file = root / TABLE_FILE
    if not file.is_file():
        return []
    remedy = f"write it with 'ilp-bench table {root}'"
    try:
        claimed = {
            row["entry"]: row for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")), strict=True)
        }
    except (OSError, ValueError, KeyError, csv.Error) as error:
        return [f"{file} cannot be read: {error}: {remedy}"]
    computed = {row["entry"]: row for row in table_rows(root, entries)}
    problems = [f"{file}: {name} is missing: {remedy}" for name in computed.keys() - claimed.keys()]
    problems += [f"{file}: {name} is no valid entry: {remedy}" for name in claimed.keys() - computed.keys()]
    for name in computed.keys() & claimed.keys():
        for key in computed[name].keys() | claimed[name].keys():
            old, new = claimed[name].get(key), computed[name].get(key)
            if not _same(old, new):
                problems.append(f"{file}: {key} of {name} is {old!r}, the entry gives {new!r}: {remedy}")
    return sorted(problems)


def _same(old: str | None, new: str | None) -> bool:
    if old == new:
        return True
    try:
        return math.isclose(float(old or "nan"), float(new or "nan"), rel_tol=0, abs_tol=ROUNDING)
    except ValueError:
        return False
