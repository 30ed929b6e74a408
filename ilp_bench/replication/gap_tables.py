"""What vanilla leaves unlearned, as Markdown tables, from references alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from ilp_bench.data.causes import CAUSES
from ilp_bench.replication.evidence import FIRST
from ilp_bench.scoring.interval_text import interval_points, points_text
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.vanilla_gaps import TreatedDose, VanillaGap, gaps_at_both, left_of_gap, vanilla_gaps

MAKER = "scripts/vanilla-gaps"
Rows = Mapping[str, Sequence[VanillaGap]]  # name of a reference -> its gaps, in one kind of score
PROMPTS = {"reproduction": "prompts that were trained", "internalisation": "prompts that were never trained"}


def gap_tables(references: Sequence[Reference]) -> str:
    """All tables: budgets, then for each kind of score gaps, dose curves and what longer training leaves."""
    first = [reference for reference in references if reference.record.division == FIRST]
    parts = ["\n".join(_budgets(references))]
    for kind in KINDS:
        rows = {reference.name: vanilla_gaps(reference, kind) for reference in references}
        parts.append(f"### {kind.capitalize()}: {PROMPTS[kind]}")
        parts.append("\n".join(_gaps(first, rows)))
        parts += _of_pairs_only(references, rows)
        parts.append("Mean p of treated items by dose, in points:\n\n" + "\n".join(_doses(first, rows)))
        if delays := list(_delays(references, rows, kind)):
            text = "The gap at each budget, and the share of the first that the longest leaves, on datasets of both:"
            parts.append(f"{text}\n\n" + "\n".join(delays))
    return "\n\n".join(parts)


def _title(reference: Reference) -> str:
    return f"`{reference.record.short_name}`, {reference.record.size}"


def _budgets(references: Sequence[Reference]) -> Iterator[str]:
    yield "| base model, data | division | vanilla runs | budget in supervised tokens, by data seed |"
    yield "| --- | --- | ---: | --- |"
    for reference in references:
        budgets = ", ".join(
            f"{seed}: {dataset.budget:,}" if dataset.budget else f"{seed}: -"
            for seed, dataset in zip(reference.seeds, reference.record.datasets, strict=True)
        )
        yield f"| {_title(reference)} | {reference.record.division} | {reference.vanilla_count} | {budgets} |"


def _gaps(references: Sequence[Reference], rows: Rows) -> Iterator[str]:
    yield "| base model, data | cause | active pairs | control / treated | gap, 95 % interval |"
    yield "| --- | --- | ---: | --- | --- |"
    for reference in references:
        for row in rows[reference.name]:
            arms = f"{points_text(row.arms.control)} / {points_text(row.arms.treated)}" if row.arms else "-"
            yield f"| {_title(reference)} | {_cause(row.cause)} | {row.pairs} | {arms} | {interval_points(row.gap)} |"


def _doses(references: Sequence[Reference], rows: Rows) -> Iterator[str]:
    yield "| base model, data | cause | dose: mean p |"
    yield "| --- | --- | --- |"
    for reference in references:
        for row in rows[reference.name]:
            if len(row.doses) > 1:
                curve = ", ".join(f"{dose.dose:g}: {_dose_text(dose)}" for dose in row.doses)
                yield f"| {_title(reference)} | {_cause(row.cause)} | {curve} |"


def _dose_text(dose: TreatedDose) -> str:
    return interval_points(dose.interval) if dose.interval else f"{points_text(dose.mean)} ({dose.pairs} pairs)"


def _delays(references: Sequence[Reference], rows: Rows, kind: str) -> Iterator[str]:
    """Base models that have references of several divisions; nothing where none has."""
    models = _of_several_budgets(references)
    if not models:
        return
    names = sorted({name for divisions in models.values() for name in divisions})
    yield f"| base model, data | cause | {' | '.join(names)} | left |"
    yield f"| --- | --- |{' --- |' * len(names)} ---: |"
    for title, divisions in models.items():
        by_budget = {name: {row.cause: row for row in rows[divisions[name].name]} for name in sorted(divisions)}
        both = zip(*gaps_at_both(divisions[FIRST], divisions[max(divisions)], kind), strict=True)
        left = {first.cause: _left(first, longest) for first, longest in both}
        for cause in CAUSES.names():
            gaps = [interval_points(by_budget[name][cause].gap) if name in by_budget else "-" for name in names]
            yield f"| {title} | {_cause(cause)} | {' | '.join(gaps)} | {left.get(cause, '-')} |"


def _of_several_budgets(references: Sequence[Reference]) -> dict[str, dict[str, Reference]]:
    """Base model and data -> division -> reference, where there is one of ``FIRST`` and of a longer budget."""
    by_model: dict[str, dict[str, Reference]] = {}
    for reference in references:
        by_model.setdefault(_title(reference), {})[reference.record.division] = reference
    return {title: divisions for title, divisions in by_model.items() if FIRST in divisions and len(divisions) > 1}


def _of_pairs_only(references: Sequence[Reference], rows: Rows) -> Iterator[str]:
    """A sentence on the references of which nothing shows what other runs would differ by."""
    names = [
        f"{_title(reference)}, {reference.record.division}"
        for reference in references
        if any(row.holds_for == "pairs only" for row in rows[reference.name])
    ]
    if names:
        yield _wrapped(
            f"One run each, so that intervals hold for other pairs and not for other runs: {'; '.join(names)}."
        )


def _wrapped(text: str) -> str:
    """A paragraph of lines of at most 100 characters."""
    return textwrap.fill(text, 100, break_on_hyphens=False)


def _left(first: VanillaGap, longest: VanillaGap) -> str:
    share = left_of_gap(first.value, longest.value)
    return "-" if share is None else f"{share:.2f}"


def _cause(name: str) -> str:
    return name.replace("_", " ")
