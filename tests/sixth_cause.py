"""A cause that another package might register, for tests: no dataset here has it."""

from __future__ import annotations

from typing import Any

from ilp_bench.data.causes.spec import CauseSpec, CauseText


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
