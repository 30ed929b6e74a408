"""Committed entries and references, by base model and size of the data: what results and claims rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.format import Submission, SubmittedRuns, read_runs, read_submission

FIRST = "1x"  # the division whose gaps are the constants of the benchmark


class MissingRunsError(Exception):
    """An effect cannot be measured: which runs, or which gap, it lacks."""


class Entry(NamedTuple):
    """A committed entry of a recipe: its runs, and vanilla and base runs of its own, by content hash of the dataset."""

    submission: Submission
    runs: Mapping[str, Sequence[Run]]
    own: Mapping[str, Comparison]


class Evidence(NamedTuple):
    """What is known of one base model on datasets of one size.

    entries      recipe -> its entry with the budget of 1x
    references   division -> vanilla runs
    """

    entries: Mapping[str, Entry]
    references: Mapping[str, Reference]

    @property
    def first(self) -> Reference:
        """The reference of division 1x. Raises MissingRunsError where there is none."""
        if FIRST not in self.references:
            raise MissingRunsError(f"no reference of division {FIRST}")
        return self.references[FIRST]

    @property
    def comparisons(self) -> list[Comparison]:
        """Vanilla and base runs of 1x by dataset: the reference's, and those that entries have of further datasets."""
        of_dataset = {dataset_of(each): each for each in self.first.comparisons}
        for entry in self.entries.values():
            of_dataset |= {dataset: own for dataset, own in entry.own.items() if dataset not in of_dataset}
        return list(of_dataset.values())


def dataset_of(comparison: Comparison) -> str:
    """Content hash of the dataset of a comparison."""
    return comparison.vanillas[0].record.data.content_sha256


def read_evidence(
    submissions: Path, references: Sequence[Reference], org: str = "ilp-bench"
) -> dict[tuple[str, str], Evidence]:
    """(base model, size) -> evidence, of the references and of what ``org`` submitted with the budget of 1x.

    Recipes with runs on fewer than three datasets are in the open division; claims then say how many datasets lack.
    Withdrawn entries are left out, and what others submit under the name of a recipe. Raises ProblemError where a
    recipe has two entries: the older should be withdrawn.
    """
    entries: dict[tuple[str, str, str], dict[str, Entry]] = {}
    decisions = read_decisions(submissions)
    for file in sorted(submissions.glob(f"{org}__*/*/submission.json")):
        submission = read_submission(file.parent)
        if not isinstance(submission, Submission) or submission.meta.org != org or submission.recipe is None:
            continue
        if (
            submission.scores.division != FIRST
            or decisions.is_withdrawn(submission.run_id)
            or not submission.base_weights
        ):
            continue
        runs, vanillas, bases = map(_by_dataset, SubmittedRuns.of(read_runs(file.parent, submission)))
        both = [dataset for dataset in vanillas if dataset in bases]
        own = {dataset: Comparison((), tuple(vanillas[dataset]), bases[dataset][0]) for dataset in both}
        asked = submission.first.data.size, submission.first.prompt_format
        of_base = entries.setdefault((submission.base_weights, *asked), {})
        if submission.recipe in of_base:
            raise ProblemError(f"{file.parent}: {submission.recipe} has another entry: withdraw the older one")
        of_base[submission.recipe] = Entry(submission, runs, own)
    evidence: dict[tuple[str, str], Evidence] = {}
    for reference in references:
        record = reference.record
        name = record.short_name, record.size
        divisions = {**evidence[name].references} if name in evidence else {}
        divisions[record.division] = reference
        of_base = entries.get((record.base_sha256, record.size, record.prompt_format), {})
        evidence[name] = Evidence(of_base, divisions)
    return evidence


def _by_dataset(runs: Sequence[Run]) -> dict[str, list[Run]]:
    by_dataset: dict[str, list[Run]] = {}
    for run in runs:
        by_dataset.setdefault(run.record.data.content_sha256, []).append(run)
    return by_dataset
