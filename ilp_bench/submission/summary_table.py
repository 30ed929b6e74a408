"""The published tables as small files: one row an entry, every number recomputed with today's scorer.

``table.csv`` holds the entries of schema 3, ``table-2.csv`` the archive of dataset 2. They stand beside the entries, so
that a change of any published number shows in a diff, and ``validate`` builds them again. Old claims are never mixed
with new ones: a row is what the samples give now.
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
from ilp_bench.scoring.points_schema import POINTS_SCORER_VERSION, PointScores
from ilp_bench.scoring.recovery import SCORER_VERSION, Interval, Scores
from ilp_bench.scoring.training_budget import budget_of
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.format import AnySubmission, Submission
from ilp_bench.submission.rerun_record import read_verification
from ilp_bench.submission.validate import Checked
from ilp_bench.submission.version_2 import ArchivedSubmission

TABLE_FILE, ARCHIVE_FILE = "table.csv", "table-2.csv"
PLACES = 6
ROUNDING = 2 * 10.0**-PLACES
TableRow = dict[str, str]


def table_rows(root: Path, entries: Sequence[Checked]) -> dict[str, list[TableRow]]:
    """File -> one row for every valid entry that belongs there, in the order of their folders."""
    last = read_decisions(root).last
    tables: dict[str, list[TableRow]] = {TABLE_FILE: [], ARCHIVE_FILE: []}
    for entry in sorted(entries, key=lambda entry: entry.submission.folder if entry.submission else ""):
        submission, scores = entry.submission, entry.scores
        if submission is None or scores is None:
            continue
        decision, reruns = last.get(submission.run_id), read_verification(entry.folder)
        stands = {
            "decision": decision.decision if decision else "",
            "rerun_public": reruns[-1].entry_status if reruns else "",
            "rerun_unseen": reruns[-1].unseen.status if reruns else "",
        }
        if isinstance(submission, Submission) and isinstance(scores, PointScores):
            tables[TABLE_FILE].append(_about(submission) | stands | _points(submission, scores))
        elif isinstance(submission, ArchivedSubmission) and isinstance(scores, Scores):
            tables[ARCHIVE_FILE].append(_about(submission) | stands | _recoveries(scores))
    return tables


def _about(submission: AnySubmission) -> TableRow:
    """Which entry, on which base model and data."""
    submitted = [record for (role, _), record in submission.run_records.items() if role == "submission"]
    training, is_archived = submitted[0].training, isinstance(submission, ArchivedSubmission)
    return {
        "entry": submission.folder,
        "division": submission.meta.division,
        "base": csv_text(submission.base_name),
        "recipe": csv_text((training.recipe if training else "") or ""),
        "size": csv_text(submitted[0].data.size),
        "data_seeds": " ".join(str(seed) for seed in sorted({record.data.seed for record in submitted})),
        "replicates": str(len(submitted)),
        "scorer_version": str(SCORER_VERSION if is_archived else POINTS_SCORER_VERSION),
    }


def _points(submission: Submission, scores: PointScores) -> TableRow:
    """H, causes counted, and G in points, for both kinds of score."""
    kept, budget = scores.retention["submission"], budget_of(submission.first)
    row = {
        "reference": submission.reference.name if submission.reference else "",
        "budget": "" if budget is None else str(budget),
        "ranked": "yes" if scores.ranked else "no",
        "intervals": scores.interval_kind,
        "retention": "" if kept is None else f"{kept:.{PLACES}f}",
    }
    for score in (scores.reproduction, scores.internalisation):
        row |= _cells(f"{score.kind}_share", score.share) | {f"{score.kind}_counted": str(len(score.counted))}
        by_name = {cause.cause: cause.points for cause in score.causes}
        for name in CAUSES.names():
            row |= _cells(f"{score.kind}_{name}", by_name.get(name), 100.0)
    return row


def _recoveries(scores: Scores) -> TableRow:
    by_name = {cause.cause: cause.recovery for cause in scores.causes}
    cells = _cells("overall", scores.overall)
    for name in CAUSES.names():
        cells |= _cells(name, by_name.get(name))
    return cells


def _cells(name: str, interval: Interval | None, scale: float = 1.0) -> TableRow:
    """The three columns of an interval, times ``scale``; empty where there is none."""
    ends = (interval.value, interval.low, interval.high) if interval else (None,) * 3
    names = (name, f"{name}_low", f"{name}_high")
    return {key: "" if end is None else f"{scale * end:.{PLACES}f}" for key, end in zip(names, ends, strict=True)}


def to_csv(rows: Sequence[TableRow]) -> str:
    """The rows as CSV with a header; without rows, nothing."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def write_tables(root: Path, entries: Sequence[Checked]) -> list[Path]:
    """Write the tables that have a row beside the entries, each whole or not at all; returns their files."""
    tables = {name: rows for name, rows in table_rows(root, entries).items() if rows}
    for name, rows in tables.items():
        write_text(root / name, to_csv(rows))
    return [root / name for name in tables]


def table_problems(root: Path, entries: Sequence[Checked]) -> list[str]:
    """Where a table differs from what the entries give; nothing to compare where there is no table."""
    tables = table_rows(root, entries)
    return [problem for name, rows in tables.items() for problem in _problems(root, name, rows)]


def _problems(root: Path, name: str, rows: Sequence[TableRow]) -> list[str]:
    file = root / name
    if not file.is_file():
        return []
    remedy = f"write it with 'ilp-bench table {root}'"
    try:
        written = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")), strict=True))
        claimed = {row["entry"]: row for row in written}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        return [f"{file} cannot be read: {error}: {remedy}"]
    if [row["entry"] for row in written] != list(claimed):
        return [f"{file} has an entry twice: {remedy}"]
    computed = {row["entry"]: row for row in rows}
    problems = [f"{file}: {entry} is missing: {remedy}" for entry in computed.keys() - claimed.keys()]
    problems += [f"{file}: {entry} is not a valid entry: {remedy}" for entry in claimed.keys() - computed.keys()]
    for entry in computed.keys() & claimed.keys():
        for key in computed[entry].keys() | claimed[entry].keys():
            old, new = claimed[entry].get(key), computed[entry].get(key)
            if not _same(old, new):
                problems.append(f"{file}: {key} of {entry} is {old!r}, the entry gives {new!r}: {remedy}")
    return sorted(problems)


def _same(old: str | None, new: str | None) -> bool:
    if old == new:
        return True
    try:
        return math.isclose(float(old or "nan"), float(new or "nan"), rel_tol=0, abs_tol=ROUNDING)
    except ValueError:
        return False
