"""What a pull request shows of new entries: each beside the reference rows that it can be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.untrusted import markdown_text, printable
from ilp_bench.data.causes import CAUSES
from ilp_bench.scoring.interval_text import interval_points, interval_text
from ilp_bench.scoring.points_schema import KindScore, PointScores
from ilp_bench.submission.format import Submission
from ilp_bench.submission.owners import changed_files
from ilp_bench.submission.validate import Checked

PROJECT = "ilp-bench"  # the organisation of the reference rows
MOST_FILES = 40  # that a summary lists


class _Row(NamedTuple):
    folder: Path
    submission: Submission
    scores: PointScores


def comparison(entries: Sequence[Checked], new: Sequence[Path]) -> str:
    """Markdown that sets each new entry beside the reference rows on its base model, data and budget division."""
    rows = [
        _Row(entry.folder, entry.submission, entry.scores)
        for entry in entries
        if isinstance(entry.submission, Submission) and isinstance(entry.scores, PointScores)
    ]
    by_folder = {row.folder: row for row in rows}
    lines: list[str] = []
    for entry in entries:
        if entry.folder not in new:
            continue
        row = by_folder.get(entry.folder)
        if row is None:
            lines += [f"**{markdown_text(entry.folder.parent.name)}**: {len(entry.problems)} problems, no scores", ""]
        else:
            lines += _beside(row, [other for other in rows if other is not row and _comparable(row, other)])
    return "\n".join(lines).strip() + "\n"


def touched_files(old: Path, new: Path) -> list[str]:
    """Markdown lines that say what was done to which file since an earlier state, at most ``MOST_FILES`` of them."""
    changes = changed_files(old, new)
    lines = [f"- {change}: {markdown_text(printable(str(name)))}" for change, name in changes[:MOST_FILES]]
    more = [f"- and {len(changes) - MOST_FILES} more"] if len(changes) > MOST_FILES else []
    return [f"Files: {len(changes)} added, changed or removed", "", *lines, *more]


def _beside(row: _Row, others: Sequence[_Row]) -> list[str]:
    submission, scores = row.submission, row.scores
    lines = [f"**{markdown_text(submission.folder)}** on {markdown_text(submission.base_name)}", ""]
    for kind in ("reproduction", "internalisation"):
        heads = [kind, "runs", "share H", *(f"{name.replace('_', ' ')}" for name in CAUSES.names())]
        lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
        lines += [_table_row(each, getattr(each.scores, kind)) for each in (row, *others)]
        lines.append("")
    if not others:
        lines += ["No reference row has this base model, data and budget division.", ""]
    lines += [f"Not ranked: {markdown_text(reason)}." for reason in scores.not_ranked_because]
    return [*lines, ""]


def _table_row(row: _Row, score: KindScore) -> str:
    by_name = {cause.cause: cause.points for cause in score.causes}
    share = f"{interval_text(score.share, '-')} ({len(score.counted)} causes)"
    points = [interval_points(by_name.get(name)) for name in CAUSES.names()]
    name = markdown_text(row.submission.folder.split("/")[0])
    return "| " + " | ".join([name, str(len(row.submission.runs)), share, *points]) + " |"


def _comparable(row: _Row, other: _Row) -> bool:
    """Whether the other is a reference row on the same base model, data and budget division."""
    data, other_data = row.submission.first.data, other.submission.first.data
    same_data = (data.size, data.version) == (other_data.size, other_data.version)
    same_base = row.submission.base_weights == other.submission.base_weights
    same_budget = row.scores.division == other.scores.division
    return other.submission.meta.org == PROJECT and same_data and same_base and same_budget
