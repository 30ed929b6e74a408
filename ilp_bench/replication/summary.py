"""What fine-tuning leaves unlearned and what repairs it, on one page, from committed results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.recipes import RECIPES
from ilp_bench.replication.effects import KIND
from ilp_bench.replication.evidence import FIRST, Evidence
from ilp_bench.replication.report import score_of
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import interval_text, points_text
from ilp_bench.scoring.points_schema import CausePoints
from ilp_bench.scoring.rank_reasons import MIN_GAP
from ilp_bench.scoring.vanilla_gaps import (
    DECISIVE,
    VanillaGap,
    delay_or_plateau,
    gaps_at_both,
    left_of_gap,
    vanilla_gaps,
)


def summary(evidence: Mapping[tuple[str, str], Evidence]) -> str:
    """A table for each base model with vanilla runs at 1x, as Markdown, without columns that lack any measurement."""
    parts = []
    for (base, size), of_base in evidence.items():
        if FIRST in of_base.references:
            count = of_base.first.vanilla_count
            runs = "1 vanilla run" if count == 1 else f"{count} vanilla runs"
            parts.append(f"**{base}**, {size}, {runs}:\n\n{_table(of_base)}")
    return "\n\n".join(parts)


def _table(evidence: Evidence) -> str:
    once, both = {gap.cause: gap for gap in vanilla_gaps(evidence.first, KIND)}, _at_both_budgets(evidence)
    together = [name for name in evidence.entries if RECIPES.get(name).all_causes]
    columns = {
        "cause": [CAUSES.get(name).title for name in PAPER_CAUSES],
        "learned, with the cause / without it": [_learned(once.get(name)) for name in PAPER_CAUSES],
    }
    if both:
        columns["three times the training"] = [_delay(*both.get(name, (None, None))) for name in PAPER_CAUSES]
    if evidence.entries:
        columns["best single recipe closes"] = [_best(evidence, name) for name in PAPER_CAUSES]
    for recipe in together:
        columns[f"`{recipe}` closes"] = [interval_text(_share(evidence, recipe, name), "-") for name in PAPER_CAUSES]
    rows = [tuple(columns), ("---",) * len(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _learned(gap: VanillaGap | None) -> str:
    """Mean p of both arms under vanilla, in points."""
    return f"{points_text(gap.arms.treated)} / {points_text(gap.arms.control)}" if gap and gap.arms else "-"


def _at_both_budgets(evidence: Evidence) -> dict[str, tuple[VanillaGap, VanillaGap]]:
    """Cause -> its gaps at the budgets that decide, on the datasets of both; none where one was not trained."""
    once, thrice = map(evidence.references.get, DECISIVE)
    if once is None or thrice is None:
        return {}
    return {one.cause: (one, other) for one, other in zip(*gaps_at_both(once, thrice, KIND), strict=True)}


def _delay(once: VanillaGap | None, thrice: VanillaGap | None) -> str:
    """A delay or a plateau, and the share of the gap that is left."""
    values = [each.value if each else None for each in (once, thrice)]
    left, phrase = left_of_gap(*values), delay_or_plateau(*values)
    return phrase if left is None else f"{phrase}: {left:.2f} of the gap is left"


def _best(evidence: Evidence, cause: str) -> str:
    """The recipe, of those that are not against all causes, that closes most; none where no interval lies above 0."""
    shares = dict(_singles(evidence, cause))
    if not shares:
        tried = any(RECIPES.get(name).cause == cause for name in evidence.entries)
        return "none that can be told from 0" if tried else "its recipes were not tried"
    best = max(shares, key=lambda recipe: shares[recipe].value)
    return f"`{best}`: {interval_text(shares[best])}"


def _singles(evidence: Evidence, cause: str) -> Iterator[tuple[str, Interval]]:
    for recipe in evidence.entries:
        share = _share(evidence, recipe, cause)
        if share and share.low > 0 and not RECIPES.get(recipe).all_causes:
            yield recipe, share


def _share(evidence: Evidence, recipe: str, cause: str) -> Interval | None:
    """G of a recipe as a share of the reference's gap; None where that does not count."""
    rows: dict[str, CausePoints] = {row.cause: row for row in score_of(evidence.entries[recipe], KIND).causes}
    row = rows.get(cause)
    if row is None or row.points is None or row.reference_gap is None or row.reference_gap < MIN_GAP:
        return None
    gap = row.reference_gap
    return Interval(value=row.points.value / gap, low=row.points.low / gap, high=row.points.high / gap)
