"""The committed reference that a submission names, checked against what it was submitted with."""

from __future__ import annotations

from ilp_bench.core.errors import ProblemError, near
from ilp_bench.scoring.references import Reference, committed_references
from ilp_bench.submission.format import ReferenceKey, Submission


def reference_of(submission: Submission) -> Reference | None:
    """The reference of a submission, None where it names none.

    Raises ProblemError where there is none of that name, it has changed since, or is of another base model, data or
    division.
    """
    if submission.reference is None:
        return None
    reference = committed(submission.reference)
    for record in submission.runs:
        reference.check(record)
    return reference


def committed(key: ReferenceKey) -> Reference:
    """The committed reference of that name. Raises ProblemError where there is none, or it has changed since."""
    references = committed_references()
    if key.name not in references:
        raise ProblemError(
            f"reference {key.name} is not committed: submit against a committed one, or with vanilla runs of your own."
            f"{near(key.name, references)}"
        )
    reference = references[key.name]
    if reference.sha256 != key.sha256:
        raise ProblemError(
            f"reference {key.name} has sha256 {reference.sha256[:12]}, the submission names {key.sha256[:12]}: one of "
            "them was changed; submit again with the reference that is committed"
        )
    return reference
