"""Why an entry may not be ranked, as its scores say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ilp_bench.scoring.points_schema import PointScores

MIN_VANILLA_RUNS = 3
MIN_GAP = 0.10  # under vanilla, from which on a cause counts
MAX_HARM = 0.05  # by which a control arm may fall below vanilla's; more counts where its interval excludes 0


class Reason(NamedTuple):
    """Why an entry has no rank: in a few words for a table, and as a sentence with its figures."""

    short: str
    text: str


def rank_reasons(scores: PointScores) -> Iterator[Reason]:
    """Every reason why an entry with these scores may not be ranked."""
    for cause in scores.reproduction.causes:
        if cause.gap is None and cause.reference_gap is not None and cause.reference_gap >= MIN_GAP:
            yield Reason(
                "a cause is left out",
                f"{cause.cause} counts on this base model, but {cause.reason}, and H over other causes compares with "
                "no other entry: submit without the datasets that lack pairs",
            )
    for score in (scores.reproduction, scores.internalisation):
        for cause in score.causes:
            if cause.counted and cause.hurt and cause.control_change:
                fall = -100 * cause.control_change.value
                yield Reason(
                    "a control fell",
                    f"{score.kind}: the control of {cause.cause} fell {fall:.1f} points below vanilla's, more than "
                    f"{100 * MAX_HARM:.0f}",
                )
    if scores.interval_kind != "runs":
        yield Reason(
            "too few datasets",
            "its intervals are of pairs only: train on three datasets of different seeds, or use a reference",
        )
    if scores.provisional:
        yield Reason(
            "too few vanilla runs",
            f"which causes count is not settled by {MIN_VANILLA_RUNS} vanilla runs of this base model",
        )
    if not scores.activity_known:
        yield Reason("no base run", "without a base run, nobody knows on which pairs the causes can act")
    if scores.division is None:
        yield Reason("no budget division", "its training record names no budget division")
