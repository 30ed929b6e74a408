"""How often the diagnosis is right where causes were injected, and whether the recipe against a named cause helps.

Two tests of one attribution: it is compared with the injected causes, and with what training otherwise repairs. The
second does not rest on what was injected: where a cause is named rightly, the recipe against it raises those items more
than the recipes against other causes do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.diagnosis.why.attribution import ROWS, Diagnosis, attribution_quality, diagnose
from ilp_bench.recipes import RECIPES
from ilp_bench.records.run_record import Run
from ilp_bench.replication.evidence import FIRST, Entry, Evidence
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import interval_points, interval_text
from ilp_bench.scoring.learned_rates import item_rates
from ilp_bench.scoring.run_intervals import over_datasets

STORED = Path(__file__).with_name("attribution.json")
MAKER = "scripts/attribution"
METHOD, BASELINE = "signals", ROWS


class AttributedRun(BaseModel):
    """The diagnosis of the first vanilla run on one dataset of a reference.

    unlearned   expected number of unlearned items, of ``items``
    macro_f1    method -> mean F1 over the causes, with its interval over items
    all_pairs   the same of ``signals``, with the pairs on which a cause cannot act with this base model
    f1          cause -> F1 of ``signals``
    decoys      how many were asked, none of a reference, which keeps what scores need alone; and
                method -> expected number of them that a cause is reported of
    """

    base: str
    size: str
    division: str
    seed: int
    items: int
    unlearned: float
    macro_f1: dict[str, Interval]
    all_pairs: Interval | None
    f1: dict[str, float | None]
    decoys: int
    decoys_named: dict[str, float]


class NamedCause(BaseModel):
    """What training otherwise does for items of which a cause was named.

    unlearned   expected number of unlearned items that the cause was named for, summed over datasets
    advantage   by how much the recipe against the cause raises their learned rate more than the recipes against the
                other causes do, in [-1, 1]: mean over datasets with its t interval
    """

    base: str
    size: str
    cause: str
    unlearned: float
    advantage: Interval
    datasets: int


class AttributionResults(BaseModel):
    """All committed results: by run, and by base model and named cause."""

    runs: list[AttributedRun]
    named: list[NamedCause]


def read_results() -> AttributionResults:
    """The committed results, as ``scripts/attribution`` wrote them."""
    return AttributionResults.model_validate_json(STORED.read_text(encoding="utf-8"))


def attribution_results(evidence: Mapping[tuple[str, str], Evidence]) -> AttributionResults:
    """Diagnose the first vanilla run of each dataset of all references, and of those that entries have further."""
    results = AttributionResults(runs=[], named=[])
    for (base, size), of_base in evidence.items():
        for division, reference in sorted(of_base.references.items()):
            diagnoses: list[tuple[Run, Diagnosis]] = []
            for comparison in of_base.comparisons if division == FIRST else reference.comparisons:
                if comparison.base is None:
                    continue
                vanilla = comparison.vanillas[0]
                seed = vanilla.record.data.seed
                diagnoses.append((vanilla, diagnose(vanilla, comparison.base, make(size, seed))))
                results.runs.append(_attributed(base, size, division, seed, diagnoses[-1][1]))
            if division == FIRST:
                results.named += _named(base, size, diagnoses, of_base.entries)
    return results


def _attributed(base: str, size: str, division: str, seed: int, diagnosis: Diagnosis) -> AttributedRun:
    weights = np.array([1 - item.learned for item in diagnosis.items])
    everything = attribution_quality(diagnosis.truth or [], diagnosis.said[METHOD], weights)
    macro = {name: quality.macro_f1 for name, quality in diagnosis.quality.items() if name in (METHOD, BASELINE)}
    return AttributedRun(
        base=base,
        size=size,
        division=division,
        seed=seed,
        items=len(diagnosis.items),
        unlearned=diagnosis.unlearned,
        macro_f1={name: value for name, value in macro.items() if value},
        all_pairs=everything.macro_f1,
        f1=diagnosis.quality[METHOD].f1,
        decoys=diagnosis.decoys.asked if diagnosis.decoys else 0,
        decoys_named=diagnosis.decoys.named if diagnosis.decoys else {},
    )


def _named(
    base: str, size: str, diagnoses: Sequence[tuple[Run, Diagnosis]], entries: Mapping[str, Entry]
) -> Iterator[NamedCause]:
    """For each cause that has a recipe, what the recipes did for the items of which it was named."""
    against = {cause: next(recipe.name for recipe in RECIPES if recipe.cause == cause) for cause in PAPER_CAUSES}
    measured = {cause: recipe for cause, recipe in against.items() if recipe in entries}
    for cause, recipe in measured.items():
        others = [entries[other] for other in measured.values() if other != recipe]
        advantages, unlearned = [], 0.0
        for vanilla, diagnosis in diagnoses:
            dataset = vanilla.record.data.content_sha256
            if others and all(dataset in each.runs for each in (entries[recipe], *others)):
                rates = partial(_rates, diagnosis, dataset)
                advantage = rates(entries[recipe]) - np.mean([rates(other) for other in others], axis=0)
                named = np.array([said == cause for said in diagnosis.said[METHOD]])
                weights = np.array([1 - item.learned for item in diagnosis.items]) * named
                if weights.sum() > 0:
                    advantages.append(float(advantage @ weights / weights.sum()))
                    unlearned += float(weights.sum())
        if len(advantages) > 1:
            yield NamedCause(
                base=base,
                size=size,
                cause=cause,
                unlearned=unlearned,
                advantage=over_datasets(np.array([advantages]).T).interval(float(np.mean(advantages)), np.ones(1)),
                datasets=len(advantages),
            )


def _rates(diagnosis: Diagnosis, dataset: str, entry: Entry) -> Array:
    """Shape (items,): learned rate of the diagnosed items, mean over the runs of an entry on a dataset."""
    by_run = [item_rates(run) for run in entry.runs[dataset]]
    return np.asarray(np.mean([[rates[item.item_id] for item in diagnosis.items] for rates in by_run], axis=0))


def attribution_table(results: AttributionResults) -> str:
    """Both tests as Markdown."""
    lines = [
        "| base model, seed | budget | expected unlearned | macro-F1, `signals` | on all pairs | by rows alone "
        "| decoys reported | by rows alone |",
        "| --- | --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for run in results.runs:
        scores = run.macro_f1.get(METHOD), run.all_pairs, run.macro_f1.get(BASELINE)
        cells = [interval_text(score, "undefined") for score in scores]
        named = [run.decoys_named.get(method) for method in (METHOD, BASELINE)]
        cells += ["not asked" if each is None else f"{each:.1f} of {run.decoys}" for each in named]
        lines.append(
            f"| {run.base} ({run.size}), {run.seed} | {run.division} | {run.unlearned:.1f} of {run.items} | "
            f"{' | '.join(cells)} |"
        )
    lines += [
        "",
        "| base model | named cause | expected unlearned | its recipe raises them more than others, points |",
        "| --- | --- | ---: | --- |",
    ]
    for each in results.named:
        title = CAUSES.get(each.cause).title
        lines.append(
            f"| {each.base} ({each.size}) | {title} | {each.unlearned:.1f} | {interval_points(each.advantage)} |"
        )
    return "\n".join(lines)
