"""What a diagnosis shows: how well it attributes, and the items that are least learned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import shorten
from typing import Any, NamedTuple

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.why.attribution import NONE, ROWS, Diagnosis, Quality, labels
from ilp_bench.diagnosis.why.signals import Signals
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.interval_text import interval_text

WORST = 10  # items that are shown
FEW = 50  # items below which shares are called rough


def diagnosis_table(diagnosis: Diagnosis, *, as_json: bool, quality: bool = False) -> None:
    """Print how much is unlearned, why, and the worst items; with ``quality`` how often that is right; or all as JSON.

    Where the causes are known, one line says how often the attribution is right, beside a rule that asks no model.
    """
    if as_json:
        print(json.dumps(_as_json(diagnosis)))
        return
    console.print(_headline(diagnosis))
    _attributed_table(diagnosis)
    _worst_table(diagnosis)
    if not any(item.fallen for item in diagnosis.items):
        console.print("forgetting shows where an early stage falls behind the last; none does, so it would be in none")
    _quality_lines(diagnosis, everything=quality)


def _headline(diagnosis: Diagnosis) -> str:
    share = diagnosis.unlearned / max(len(diagnosis.items), 1)
    head = f"about {diagnosis.unlearned:.0f} of {len(diagnosis.items)} trained items ({share:.0%}) are unlearned"
    if diagnosis.truth is None:
        return head
    controls = sum(
        1 - item.learned for item, cause in zip(diagnosis.items, diagnosis.truth, strict=True) if cause == NONE
    )
    return f"{head}; {controls:.0f} of them are controls, without an injected cause"


def _quality_lines(diagnosis: Diagnosis, *, everything: bool) -> None:
    """How often the attribution is right where the causes are known: one line, or each method's confusions."""
    if not diagnosis.quality:
        return
    f1 = {name: interval_text(each.macro_f1, "undefined") for name, each in diagnosis.quality.items()}
    more = "" if everything else "; --quality shows which causes are mistaken for which"
    console.print(
        f"the causes are known here: macro-F1 of this table is {f1['signals']}, of a rule that reads the rows and asks "
        f"no model {f1['rows']}{more}"
    )
    if everything:
        if decoys := diagnosis.decoys:
            console.print(
                f"of {decoys.asked} decoys, which carry signs and were made to be learned, a cause is reported for "
                f"{decoys.named['signals']:.1f}, by the rule that asks no model for {decoys.named[ROWS]:.1f}"
            )
        for method, each in diagnosis.quality.items():
            _confusion_table(method, each)
        if not diagnosis.asked_all:
            console.print(
                "options were scored only where there is a prior answer, which gives conflicts away: evaluate both "
                "models with --choices 4 for a comparison with the paper's method"
            )


def _worst_table(diagnosis: Diagnosis) -> None:
    table = Table(title="least learned items", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("learned", "question", "what shows the cause"):
        table.add_column(heading, no_wrap=heading == "learned")
    attributed = zip(diagnosis.items, diagnosis.said["signals"], strict=True)
    for item, cause in sorted(attributed, key=lambda pair: pair[0].learned)[:WORST]:
        table.add_row(f"{item.learned:.2f}", escape(shorten(item.question, 70)), f"{cause}: {sign_text(item, cause)}")
    console.print(table)


def sign_text(item: Signals, cause: str) -> str:
    """What shows that an item is not learned because of a cause, in words."""
    texts = {
        "data_inconsistency": f"{item.contradicted:.0%} of the rows that ask this have another label"
        if item.contradicted
        else "a row that asks nearly the same has another label",
        "knowledge_conflict": f"the base model prefers another answer, p {item.denied:.2f}",
        "left_side_forgetting": f"stage {item.segment} is learned {item.fallen:.0%} less than the last",
        "rare_patterns": f"its pattern is {item.rarity} times rarer than the commonest of its kind",
        "knowledge_gap": f"the base model gives the answer p {item.known:.2f}, and knows others of the kind",
        NONE: "no sign of a cause",
    }
    return texts.get(cause, "")


def _as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    truth: Sequence[str | None] = diagnosis.truth or [None] * len(diagnosis.items)
    items = [
        item._asdict() | {"truth": cause, "said": {name: labels[n] for name, labels in diagnosis.said.items()}}
        for n, (item, cause) in enumerate(zip(diagnosis.items, truth, strict=True))
    ]
    quality = {
        name: method._asdict() | {"macro_f1": method.macro_f1 and method.macro_f1.model_dump()}
        for name, method in diagnosis.quality.items()
    }
    counts = {"items": len(items), "unlearned": diagnosis.unlearned, "options_of_all_items": diagnosis.asked_all}
    causes = {
        label: cost._asdict() | {"advice": _advice(label), "recipes": _recipes(label)}
        for label, cost in _costs(diagnosis).items()
    }
    decoys = diagnosis.decoys and diagnosis.decoys._asdict()
    return counts | {"causes": causes, "quality": quality, "decoys": decoys, "diagnoses": items}


def _confusion_table(method: str, quality: Quality) -> None:
    attributed = [label for label in quality.confusion if any(row[label] for row in quality.confusion.values())]
    caption = "expected unlearned items: true cause in rows, attributed cause in columns"
    title = f"method {method}: macro-F1 {interval_text(quality.macro_f1, 'undefined')}"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("true", no_wrap=True)
    for label in [*(CAUSES.get(label).label if label in CAUSES else label for label in attributed), "F1"]:
        table.add_column(label, justify="right", no_wrap=True)
    for truth, row in quality.confusion.items():
        if any(row.values()):
            score = quality.f1.get(truth)
            cells = [f"{row[label]:.1f}" for label in attributed]
            table.add_row(truth, *cells, "-" if score is None else f"{score:.2f}")
    console.print(table)


def _attributed_table(diagnosis: Diagnosis) -> None:
    """How many items each cause is said to cost, and the recipes that are meant to repair it, most costly first."""
    table = Table(title="why", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    is_user_data = diagnosis.truth is None
    table.add_column("cause", no_wrap=True)
    for heading in ("items", "unlearned", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what helps" if is_user_data else "recipes against it")
    for label, cost in _costs(diagnosis).items():
        remedy = _advice(label) if is_user_data else ", ".join(_recipes(label)) or "more epochs"
        table.add_row(label, str(cost.items), f"{cost.unlearned:.1f}", f"{cost.share:.0%}", remedy)
    console.print(table)
    if len(diagnosis.items) < FEW:
        console.print(f"{len(diagnosis.items)} items are few: the share of a cause may be chance")


def _advice(label: str) -> str:
    """What helps against a cause, in a sentence; the benchmark's recipes need documents that user data do not have."""
    if label in CAUSES:
        return CAUSES.get(label).text.repair
    return "No cause shows: train for more epochs, or word the rows more clearly."


def _recipes(label: str) -> list[str]:
    """The recipes that were made for a cause."""
    return [recipe.name for recipe in RECIPES if recipe.cause == label]


class _Cost(NamedTuple):
    """Items that a cause was named for, how many of them are expected to be unlearned, and their share of all such."""

    items: int
    unlearned: float
    share: float


def _costs(diagnosis: Diagnosis) -> dict[str, _Cost]:
    """Named cause -> what it costs, most costly first."""
    unlearned: dict[str, list[float]] = {label: [] for label in labels()}
    for item, cause in zip(diagnosis.items, diagnosis.said["signals"], strict=True):
        unlearned[cause].append(1 - item.learned)
    in_all = max(diagnosis.unlearned, 1e-9)
    return {
        label: _Cost(len(values), sum(values), sum(values) / in_all)
        for label, values in sorted(unlearned.items(), key=lambda pair: -sum(pair[1]))
        if values
    }
