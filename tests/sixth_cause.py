"""A cause that another package might register, for tests: no dataset here has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import read_replicates

from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.submission.format import read_submission
from ilp_bench.submission.version_2 import submit


def no_pairs(*_: object) -> list[Any]:
    """No pair at all, so that the rows of a dataset are those without this cause."""
    return []


SIXTH = CauseSpec(
    name="sixth_cause",
    numeral="VI",
    title="A sixth cause",
    short_title="Sixth",
    label="sixth",
    section="none",
    dose_label="Strength of the sixth",
    text=CauseText("Is it learned?", "It is only here for a test.", "is hard", "is easy", "Nothing does."),
    pairs=no_pairs,
)


def resubmit(submissions: Path, out: Path) -> None:
    """Score two of the synthetic submissions again, with the causes that are registered now."""
    for name in ("combined", "vanilla"):
        folder = next(submissions.glob(f"synthetic__llama-{name}/*"))
        submission = read_submission(folder)
        submit(read_replicates(folder, submission), submission.meta, out)
