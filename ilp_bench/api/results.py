"""Results: scores, diagnoses, submissions and the leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilp_bench.api.arguments import Location, RunLike, as_dataset, as_replicates, as_run, as_runs
from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset

if TYPE_CHECKING:
    from ilp_bench.diagnosis.from_rows import Diagnosed
    from ilp_bench.diagnosis.why.attribution import Diagnosis
    from ilp_bench.records.run_record import Run
    from ilp_bench.scoring.points_schema import PointScores
    from ilp_bench.scoring.recovery import Scores
    from ilp_bench.scoring.references import Reference
    from ilp_bench.submission.format import Meta

NO_REFERENCE = "none"


def score(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike] | None = None,
    base_run: RunLike | Sequence[RunLike] | None = None,
    reference: str | Path | None = None,
) -> PointScores | Scores:
    """Return what a run gained over vanilla, cause by cause, with 95 % intervals; several replicates are one score.

        >>> ilp_bench.score("runs/mine").reproduction.share
        >>> ilp_bench.score([mine0, mine1, mine2], [vanilla0, vanilla1, vanilla2], [base0, base1, base2]).ranked

    runs       a run or its folder, or a sequence with one for each replicate
    vanilla    vanilla runs on the same datasets and base model; by default those of the reference
    base_run   runs of the base model, one for each dataset; by default those of the reference
    reference  name or folder of a reference; by default the committed one of that base model, data and budget, where
               there is one; ``none`` for no reference

    On datasets of version 3 these are points of probability, and the share of the gap that they close, for reproduction
    and internalisation (docs/scoring.md). On datasets of version 2 it is recovery, which needs a vanilla run for each
    run in the same order, and knows no reference. Undefined is None. Raises UsageError for a wrong number of runs or an
    unknown reference, ProblemError where the runs do not belong together or were swapped.
    """
    from ilp_bench.scoring.version_2 import VERSION as RECOVERY_DATA_VERSION

    submitted = as_runs(runs)
    if submitted and submitted[0].record.data.version == RECOVERY_DATA_VERSION:
        return _recovery(submitted, vanilla, base_run, reference)
    from ilp_bench.scoring.score_points import score_points

    bases = as_runs(base_run, "base run")
    return score_points(submitted, as_runs(vanilla, "vanilla run"), bases, _reference(submitted, reference))


def _reference(submitted: Sequence[Run], reference: str | Path | None) -> Reference | None:
    """The reference of that name or folder; by default the committed one that fits the runs, where there is one."""
    from ilp_bench.scoring.references import find_reference, named_reference

    if reference is None:
        return find_reference(submitted[0].record) if submitted else None
    return None if reference == NO_REFERENCE else named_reference(str(reference))


def _recovery(
    submitted: Sequence[Run],
    vanilla: RunLike | Sequence[RunLike] | None,
    base_run: RunLike | Sequence[RunLike] | None,
    reference: str | Path | None,
) -> Scores:
    """The score of dataset 2."""
    from ilp_bench.scoring.recovery import score_replicates
    from ilp_bench.scoring.role_checks import check_roles

    if vanilla is None or reference not in (None, NO_REFERENCE):
        raise UsageError("runs on a dataset of version 2 have no reference: give a vanilla run for each run")
    replicates = as_replicates(submitted, vanilla, base_run)
    scores = score_replicates(replicates)
    check_roles(replicates)
    return scores


def diagnose(run: RunLike, base_run: RunLike, data: Dataset | Location, *, encoder: str | None = None) -> Diagnosis:
    """Return, for every item, how far it is learned and the cause it is attributed to where it is not.

        >>> diagnosis = ilp_bench.diagnose("runs/mine", "runs/base", "DATA")
        >>> diagnosis.unlearned, diagnosis.said["signals"]

    run        the run of a fine-tuned model, or its folder
    base_run   the run of its base model, probed; best with 4 choices
    data       the dataset that the model was trained on, or its folder
    encoder    sentence-transformers model that says which questions ask the same where their words do not

    On a controlled dataset the attribution is scored against the injected causes (``quality``). Raises ProblemError
    where the runs do not belong together or lack a probe.
    """
    from ilp_bench.detectors.similarity import sentence_encoder
    from ilp_bench.diagnosis.why.attribution import diagnose as attribute

    encode = sentence_encoder(encoder) if encoder else None
    return attribute(as_run(run), as_run(base_run, "base run"), as_dataset(data), encode)


def diagnose_rows(
    model: str,
    base: str,
    rows: Location,
    out: Location,
    *,
    sample: int | None = None,
    seed: int = 0,
    max_length: int | None = None,
    verdicts: Mapping[int, float] | None = None,
    held_out: Location | None = None,
    encoder: str | None = None,
    baseline: Location | None = None,
    adapter_base: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | None = None,
    remote_code: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    **reading: Any,
) -> Diagnosed:
    """Say what a model did not learn of your training rows, and why; write a report folder and return its content.

        >>> diagnosed = ilp_bench.diagnose_rows("TUNED", "BASE", "train.jsonl", "report")
        >>> diagnosed.report.learned, diagnosed.report.named, diagnosed.rows[0]

    model, base    the tuned model and the one it was tuned from
    rows           your training rows, in training order: a file, a folder or a Hub dataset
    out            folder of the report: ``index.html``, ``report.json``, ``rows.parquet``, ``next.jsonl``
    sample         answers to ask for; 0 for all; by default all on a GPU, and on a CPU what takes some minutes
    max_length     tokens to which your trainer cut rows; by default what its files beside the model say
    verdicts       row of the file, from 1 -> share of your own tries that passed, in place of p
    held_out       rows of your evaluation, whose questions should not be among the training rows
    encoder        sentence-transformers model that says which questions ask the same where their words do not
    baseline       an earlier report of the same rows, to compare with
    adapter_base   base of an adapter, where its own path is one of another machine
    progress       called with (what is being done, steps done, steps)
    reading        arguments of :func:`import_rows`

    What is done is kept beside ``out``: the same call goes on after a kill. Raises UsageError for rows or a model that
    cannot be read, ProblemError where too few rows are left.
    """
    from ilp_bench.diagnosis.from_rows import diagnose_rows as diagnose_all
    from ilp_bench.diagnosis.question import Machine, Question

    asked = None if held_out is None else str(held_out)
    question = Question(model, base, str(rows), reading, adapter_base, sample, seed, max_length, asked, encoder)
    return diagnose_all(
        question,
        Path(out),
        machine=Machine(device, dtype, batch_size, remote_code),
        verdicts=verdicts,
        baseline=None if baseline is None else Path(baseline),
        progress=progress,
    )


def submit(
    runs: RunLike | Sequence[RunLike],
    meta: Meta | dict[str, Any] | Location,
    out: Location,
    vanilla: RunLike | Sequence[RunLike] | None = None,
    base_run: RunLike | Sequence[RunLike] | None = None,
    reference: str | Path | None = None,
) -> Path:
    """Build a submission from runs below the folder of submissions ``out``, check it and return its folder.

        >>> meta = {"org": "your-lab", "model": "your-model", "division": "open"}
        >>> ilp_bench.submit("runs/mine", meta, "submissions")

    meta                                 who submits what: fields, or a JSON file with them
    runs, vanilla, base_run, reference   as in :func:`score`; the reference must be a committed one

    Nothing is uploaded. Raises UsageError for an unknown reference, ProblemError for a wrong field, runs that do not
    belong together, or a rule that is broken; then nothing is written.
    """
    from ilp_bench.submission.format import parse_meta, read_meta
    from ilp_bench.submission.submit import submit as write_submission

    if isinstance(meta, str | Path):
        meta = read_meta(Path(meta))
    elif isinstance(meta, dict):
        meta = parse_meta(meta)
    submitted = as_runs(runs)
    vanillas, bases = as_runs(vanilla, "vanilla run"), as_runs(base_run, "base run")
    return write_submission(submitted, vanillas, bases, _reference(submitted, reference), meta, Path(out))


def validate(*paths: Location) -> list[str]:
    """Recompute every score of submissions from their samples and return all problems; an empty list means none.

        >>> ilp_bench.validate("submissions")

    paths   submission folders, or folders that hold them

    Raises UsageError for a path that does not exist or holds no submission.
    """
    from ilp_bench.submission.check_folder import check_all

    return check_all([Path(path) for path in paths]).problems


def render(submissions: Location, out: Location, *, url: str = "", workers: int | None = None) -> int:
    """Render the static leaderboard of a folder of submissions and return the number of entries.

        >>> ilp_bench.render("submissions", "site")

    out       folder of the site; an older site there is replaced once the new one is whole
    url       where the site will stand, for its feed and link previews
    workers   processes; by default one a CPU core

    Raises UsageError where ``out`` holds something that is no site, ProblemError for an invalid submission.
    """
    from ilp_bench.leaderboard.site import render as write_site

    return write_site(Path(submissions), Path(out), url=url, workers=workers)
