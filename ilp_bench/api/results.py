"""Results: scores, diagnoses, submissions and the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilp_bench.api.arguments import Location, RunLike, as_dataset, as_replicates, as_run
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import Dataset

if TYPE_CHECKING:
    from ilp_bench.diagnosis.attribution import Diagnosis
    from ilp_bench.scoring.recovery import Scores
    from ilp_bench.submission.format import Meta


def score(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    base_run: RunLike | Sequence[RunLike] | None = None,
) -> Scores:
    """Return recovery per cause, with 95 % intervals, of a run against vanilla; several replicates are pooled.

        >>> ilp_bench.score("runs/mine", "runs/vanilla", "runs/base").causes[0].recovery
        >>> ilp_bench.score([mine0, mine1], [vanilla0, vanilla1], base)

    runs       a run or its folder, or a sequence with one for each replicate
    vanilla    the vanilla run on the same data and base model, one for each run in the same order
    base_run   the run of the base model, one for each dataset; limits scores to pairs whose cause can act on it

    Rates are in [0, 1]; recovery is 1 where the gap that a cause leaves under vanilla is closed, 0 where nothing is,
    and None where the cause leaves no gap. Raises UsageError for a wrong number of runs, ProblemError where the runs do
    not belong together, were swapped, or vanilla was stopped too early.
    """
    from ilp_bench.scoring.recovery import score_replicates
    from ilp_bench.scoring.role_checks import check_roles

    replicates = as_replicates(runs, vanilla, base_run)
    scores = score_replicates(replicates)
    check_roles(replicates)
    return scores


def diagnose(run: RunLike, base_run: RunLike, data: Dataset | Location) -> Diagnosis:
    """Return, for every item, how far it is learned and the cause it is attributed to where it is not.

        >>> diagnosis = ilp_bench.diagnose("runs/mine", "runs/base", "DATA")
        >>> diagnosis.unlearned, diagnosis.said["signals"]

    run        the run of a fine-tuned model, or its folder
    base_run   the run of its base model, probed; best with 4 choices
    data       the dataset that the model was trained on, or its folder

    On a controlled dataset the attribution is scored against the injected causes (``quality``). Raises ProblemError
    where the runs do not belong together or lack a probe.
    """
    from ilp_bench.diagnosis.attribution import diagnose as attribute

    return attribute(as_run(run), as_run(base_run, "base run"), as_dataset(data))


def submit(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    meta: Meta | dict[str, Any] | Location,
    out: Location,
    base_run: RunLike | Sequence[RunLike] | None = None,
) -> Path:
    """Build a submission from runs below the folder of submissions ``out``, check it and return its folder.

        >>> meta = {"org": "your-lab", "model": "your-model", "division": "open"}
        >>> ilp_bench.submit("runs/mine", "runs/vanilla", meta, "submissions", "runs/base")

    runs, vanilla, base_run   as in :func:`score`
    meta                      who submits what: fields, or a JSON file with them

    Nothing is uploaded. Raises UsageError for a wrong number of runs, ProblemError for a wrong field, runs that do not
    belong together, or a rule of the closed division that is broken.
    """
    from ilp_bench.submission.format import parse_meta, read_meta
    from ilp_bench.submission.format import submit as write_submission
    from ilp_bench.submission.validate import check

    if isinstance(meta, str | Path):
        meta = read_meta(Path(meta))
    elif isinstance(meta, dict):
        meta = parse_meta(meta)
    folder = write_submission(as_replicates(runs, vanilla, base_run), meta, Path(out))
    if problems := check(folder).problems:
        raise ProblemError("; ".join(problems))
    return folder


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
