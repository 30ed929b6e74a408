"""Recompute every number of a submission from its samples, and list all problems at once.

Needs no network, no GPU and no secret, and runs nothing that the submitter wrote. A problem names its file and what to
do about it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256, read_strict_json
from ilp_bench.core.untrusted import file_problem, value_problems
from ilp_bench.records.run_record import Run, problems_in
from ilp_bench.scoring.points_schema import POINTS_SCORER_VERSION, PointScores
from ilp_bench.scoring.recovery import SCORER_VERSION, Scores, score_replicates
from ilp_bench.scoring.references import find_reference
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission import version_2
from ilp_bench.submission.check_plausibility import plausibility_problems
from ilp_bench.submission.check_replicates import size_problems
from ilp_bench.submission.check_rules import rule_problems
from ilp_bench.submission.check_samples import sample_problems
from ilp_bench.submission.check_vanilla import invention_problems, vanilla_problems
from ilp_bench.submission.decisions import was_accepted
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import AnySubmission, Submission, SubmittedRuns, parse_submission
from ilp_bench.submission.reference_key import reference_of
from ilp_bench.submission.rerun_record import VERIFICATION_FILE, read_verification
from ilp_bench.submission.sample_store import MOST_ROWS, RunKey, most_rows, read_samples, restore_runs, rows_by_run
from ilp_bench.submission.version_2 import ArchivedSubmission

SCORE_TOLERANCE = 1e-9
MAX_LISTED = 100  # complaints about one file that are listed
FILES = {"submission.json", "samples.parquet", VERIFICATION_FILE}


@dataclass
class Checked:
    """A submission folder after the check.

    submission  None where ``submission.json`` cannot be read
    runs        (role, number) -> run, with samples; empty where the samples cannot be read
    scores      recomputed from the samples with today's scorer, whatever the submission claims; None with problems
    problems    everything that is wrong, each with its file and the remedy
    """

    folder: Path
    submission: AnySubmission | None = None
    runs: dict[RunKey, Run] = field(default_factory=dict)
    scores: PointScores | Scores | None = None
    problems: list[str] = field(default_factory=list)


def find(paths: Iterable[Path]) -> list[Path]:
    """All submission folders in or below the given paths; raises UsageError for a path that holds none."""
    folders: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such path: {path}")
        below = sorted(_below(path))
        if not below and path.name != "submissions":
            raise UsageError(f"{path} holds no submission.json: make one with 'ilp-bench submit'")
        folders += below
    return list(dict.fromkeys(folders))


def _below(path: Path) -> Iterator[Path]:
    """Folders that hold something called ``submission.json``, none of them hidden."""
    for folder, folders, names in os.walk(path):
        if "submission.json" in names or "submission.json" in folders:
            yield Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".")]


def validate(folder: Path) -> list[str]:
    """All problems of one submission folder; an empty list means that it holds."""
    return check(folder).problems


def check(folder: Path) -> Checked:
    """Check one submission folder, whatever it may hold."""
    if len(folder.parts) < 2 or ".." in folder.parts:  # its name and that of its parent are part of the check
        folder = Path(os.path.abspath(folder))
    checked = Checked(folder)
    where = f"{folder}/submission.json"
    if links := list(_links(folder)):
        checked.problems += links
        return checked
    try:
        content = read_strict_json(folder / "submission.json")
        checked.problems += [f"{where}: {problem}" for problem in islice(value_problems(content), MAX_LISTED)]
        if checked.problems:
            return checked
        checked.submission = submission = parse_submission(content)
    except ProblemError as error:
        checked.problems.append(str(error))
        return checked
    except ValidationError as error:
        checked.problems += [f"{where}: {problem}" for problem in problems_in(error)[:MAX_LISTED]]
        return checked
    checked.problems += [f"{where}: {problem}" for problem in _identity(submission, content, folder)]
    if large := sorted({record.data.size for record in submission.run_records.values()} - set(MOST_ROWS)):
        sizes = " or ".join(MOST_ROWS)
        checked.problems.append(f"{where}: a run is on {', '.join(large)}, and submissions are on {sizes}")
        return checked
    try:
        table = read_samples(folder / "samples.parquet", most_rows(submission.run_records))
        stored = rows_by_run(table, submission.run_records)
        wrong = sample_problems(submission.run_records, table, stored)
        rows = [f"{folder}/samples.parquet: {problem}" for problem in wrong]
        checked.problems += rows
        if not rows:
            checked.runs = restore_runs(stored, submission.run_records)
    except ProblemError as error:
        checked.problems.append(str(error))
    checked.problems += [f"{where}: {problem}" for problem in _rules(checked)]
    if checked.runs:
        try:
            checked.scores = _scores(submission, checked.runs)
        except ProblemError as error:
            checked.problems.append(f"{where}: {error}")
    checked.problems += [f"{where}: {problem}" for problem in _claims(checked)]
    try:
        read_verification(folder)
    except ProblemError as error:
        checked.problems.append(str(error))
    checked.problems = list(dict.fromkeys(checked.problems))
    return checked


def _rules(checked: Checked) -> Iterator[str]:
    """What is against the rules of its schema, or no honest submission shows."""
    submission = checked.submission
    if isinstance(submission, ArchivedSubmission):
        yield from version_2.division_problems(submission)
        replicates = submission.replicates(checked.runs) if checked.runs else []
        yield from version_2.plausibility_problems(submission, replicates)
    elif submission:
        reference = None
        try:
            reference = reference_of(submission)
        except ProblemError as error:
            yield str(error)
        yield from rule_problems(submission, reference, is_accepted=_accepted(checked.folder, submission))
        runs = SubmittedRuns.of(checked.runs)
        yield from plausibility_problems(runs)
        yield from size_problems([run.record for run in runs.vanillas])
        if fitting := reference or find_reference(submission.first):
            yield from vanilla_problems(runs.vanillas, fitting)
            yield from invention_problems(runs.runs, fitting)


def _scores(submission: AnySubmission, runs: dict[RunKey, Run]) -> PointScores | Scores:
    """The scores of a submission by the scorer of its schema."""
    if isinstance(submission, ArchivedSubmission):
        return score_replicates(submission.replicates(runs))
    return score_points(*SubmittedRuns.of(runs), reference_of(submission))


def _claims(checked: Checked) -> Iterator[str]:
    """Where the scores that a submission claims are not those of its samples."""
    submission = checked.submission
    assert submission
    current = POINTS_SCORER_VERSION if isinstance(submission, Submission) else SCORER_VERSION
    version = submission.scores.scorer_version
    if version != current and not (version < current and _accepted(checked.folder, submission)):
        yield f"scores are of scorer {version}, this is {current}: build the submission again with it"
    elif checked.scores and version == current and submission.scores != checked.scores:
        claimed, again = (scores.model_dump(mode="json") for scores in (submission.scores, checked.scores))
        yield from _differences(claimed, again, "scores")


def _links(folder: Path) -> Iterator[str]:
    """Nothing is read through a link, and nothing but plain files."""
    for path in (folder, folder.parent):
        if path.is_symlink():
            yield f"{path} is a symbolic link: put the folder itself there"
    for name in ("submission.json", "samples.parquet", VERIFICATION_FILE):
        if (name != VERIFICATION_FILE or (folder / name).is_symlink() or (folder / name).exists()) and (
            problem := file_problem(folder / name)
        ):
            yield problem


def _accepted(folder: Path, submission: AnySubmission) -> bool:
    """Whether the entry was accepted: then claims by an earlier scorer may stay; what is shown is recomputed."""
    return was_accepted(folder.parent.parent, submission.run_id)


def _identity(submission: AnySubmission, content: dict[str, Any], folder: Path) -> Iterator[str]:
    if submission.run_id != run_id(content):
        yield "run_id is not the hash of the content: build the submission again with 'ilp-bench submit'"
    if f"{folder.parent.name}/{folder.name}" != submission.folder:
        yield f"the folder must be {submission.folder}: move it there"
    samples = folder / "samples.parquet"
    if samples.is_file() and submission.samples_sha256 != file_sha256(samples):
        yield "samples_sha256 differs from samples.parquet: one of them was changed"
    for extra in sorted(path.name for path in folder.iterdir() if path.name not in FILES):
        yield f"{extra!r} does not belong into a submission: remove it"


def _differences(claimed: Any, again: Any, where: str) -> Iterator[str]:
    if claimed == again:
        return
    if isinstance(claimed, dict) and isinstance(again, dict):
        for key in sorted(claimed.keys() | again.keys()):
            yield from _differences(claimed.get(key), again.get(key), f"{where}.{key}")
    elif isinstance(claimed, list) and isinstance(again, list) and len(claimed) == len(again):
        for index, (left, right) in enumerate(zip(claimed, again, strict=True)):
            name = left.get("cause", index) if isinstance(left, dict) else index
            yield from _differences(left, right, f"{where}.{name}")
    elif isinstance(claimed, float) and isinstance(again, (float, int)):
        if not math.isclose(claimed, again, rel_tol=0, abs_tol=SCORE_TOLERANCE):
            yield f"{where} is claimed as {claimed:.6g}, but the samples give {again:.6g}"
    else:
        yield f"{where} is claimed as {claimed!r}, but the samples give {again!r}"
