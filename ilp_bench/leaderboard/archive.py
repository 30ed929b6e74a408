"""Entries of dataset 2: a closed archive, on a page of its own. Nothing of it is ranked, counted or plotted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.entry import page_name
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.records.reference_record import short_name
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.rerun_record import Verification
from ilp_bench.submission.version_2 import ArchivedSubmission


@dataclass(frozen=True)
class ArchiveEntry:
    """One entry of dataset 2; ``causes`` has its recoveries, None where the cause was not expressed."""

    run_id: str
    org: str
    model: str
    description: str
    division: str
    base: str
    size: str
    seeds: tuple[int, ...]
    recipe: str | None
    replicates: int
    causes: dict[str, Estimate | None]
    overall: Estimate | None
    decisions: tuple[Decision, ...]
    verifications: tuple[Verification, ...]

    @property
    def slug(self) -> str:
        """Name of its page; never changes."""
        return page_name(self.org, self.model, self.run_id)

    @property
    def page(self) -> str:
        """Its page, from the site's top."""
        return f"runs/{self.slug}.html"

    @property
    def title(self) -> str:
        """Who and what, in one line."""
        return f"{self.org} / {self.model}"

    @property
    def state(self) -> str:
        """What the last decision says: accepted, withdrawn or flagged."""
        return self.decisions[-1].decision if self.decisions else "accepted"


def describe_archived(
    submission: ArchivedSubmission, decisions: Sequence[Decision], verifications: Sequence[Verification]
) -> ArchiveEntry:
    """Describe a valid submission of schema 2."""
    run, scores = submission.first.submission, submission.scores
    return ArchiveEntry(
        run_id=submission.run_id,
        org=submission.meta.org,
        model=submission.meta.model,
        description=submission.meta.description,
        division=submission.meta.division,
        base=short_name(submission.base_name),
        size=run.data.size,
        seeds=tuple(sorted({one.submission.data.seed for one in submission.records})),
        recipe=run.training.recipe if run.training else None,
        replicates=len(submission.records),
        causes={score.cause: Estimate.of(score.recovery) for score in scores.causes},
        overall=Estimate.of(scores.overall),
        decisions=tuple(decisions),
        verifications=tuple(verifications),
    )


def write_archive(site: Path, entries: Sequence[ArchiveEntry], common: dict[str, Any]) -> None:
    """Write ``archive.html`` with one table a base model, and the entries' own pages at their old addresses."""
    tables: dict[str, list[ArchiveEntry]] = {}
    for entry in sorted(entries, key=_order):
        tables.setdefault(entry.base, []).append(entry)
    values: dict[str, Any] = {"archived_causes": PAPER_CAUSES, **common}
    values["entry_pages"] = {entry.run_id: entry.page for entry in entries}
    pages.write(site / "archive.html", "archive.html", root=".", tables=tables, count=len(entries), **values)
    for entry in entries:
        pages.write(site / entry.page, "archive_entry.html", root="..", entry=entry, **values)


def _order(entry: ArchiveEntry) -> tuple[str, bool, str, float, str]:
    """Sort key: by base model, those that were not withdrawn first, by data, the higher recovery first."""
    overall = -entry.overall.value if entry.overall else 9.0
    return entry.base, entry.state == "withdrawn", f"{entry.size} {entry.division} {entry.seeds}", overall, entry.slug
