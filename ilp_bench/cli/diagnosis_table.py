"""What a diagnosis shows: how well it attributes, and the items that are least learned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import shorten

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.attribution import Diagnosis, Quality, labels
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.interval_text import interval_text


def diagnosis_table(found: Diagnosis, *, as_json: bool) -> None:
    """What was said of the unlearned items, and how often it was right where that is known; or as JSON, with all."""
    if as_json:
        truth: Sequence[str | None] = found.truth or [None] * len(found.items)
        items = [
            one._asdict() | {"truth": true, "said": {name: labels[n] for name, labels in found.said.items()}}
            for n, (one, true) in enumerate(zip(found.items, truth, strict=True))
        ]
        quality = {
            name: one._asdict() | {"macro_f1": one.macro_f1 and one.macro_f1.model_dump()}
            for name, one in found.quality.items()
        }
        whole = {"items": len(items), "unlearned": found.unlearned, "options_of_all_items": found.asked_all}
        print(json.dumps(whole | {"quality": quality, "diagnoses": items}))
        return
    console.print(f"{found.unlearned:.1f} of {len(found.items)} trained items are expected to be unlearned")
    for name, one in found.quality.items():
        _confusion_table(name, one)
    if found.truth is None:
        _attributed_table(found)
    if not found.asked_all:
        console.print(
            "options were asked only where there is an old answer, which gives conflicts away: evaluate both models "
            "with --choices 4 for a fair attribution"
        )
    worst = sorted(zip(found.items, found.said["signals"], strict=True), key=lambda pair: pair[0].learned)[:5]
    least = Table(title="least learned, and why (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("learned", "cause", "question"):
        least.add_column(label)
    for item, why in worst:
        least.add_row(f"{item.learned:.2f}", why, escape(shorten(item.question, 100)))
    console.print(least)


def _confusion_table(name: str, one: Quality) -> None:
    said = [label for label in one.confusion if any(row[label] for row in one.confusion.values())]
    caption = "expected unlearned items: true cause down, said across"
    title = f"method {name}: macro-F1 {interval_text(one.macro_f1, 'undefined')}"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("true", no_wrap=True)
    for label in [*(CAUSES.get(label).label if label in CAUSES else label for label in said), "F1"]:
        table.add_column(label, justify="right", no_wrap=True)
    for truth, row in one.confusion.items():
        if any(row.values()):
            score = one.f1.get(truth)
            cells = [f"{row[label]:.1f}" for label in said]
            table.add_row(truth, *cells, "-" if score is None else f"{score:.2f}")
    console.print(table)


def _attributed_table(found: Diagnosis) -> None:
    """On rows of one's own: what each cause is said to cost, and the recipes that are meant against it."""
    table = Table(title="what it lacks, and why (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("cause", "items", "unlearned", "recipes against it"):
        table.add_column(label, justify="right" if label in ("items", "unlearned") else "left", no_wrap=True)
    remedies: dict[str, list[str]] = {}
    for recipe in RECIPES:
        if recipe.cause:
            remedies.setdefault(recipe.cause, []).append(recipe.name)
    for label in labels():
        mine = [item for item, said in zip(found.items, found.said["signals"], strict=True) if said == label]
        if mine:
            lost = sum(1 - item.learned for item in mine)
            table.add_row(label, str(len(mine)), f"{lost:.1f}", ", ".join(remedies.get(label, ["-"])))
    console.print(table)
