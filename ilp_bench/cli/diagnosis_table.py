"""What a diagnosis shows: how well it attributes, and the items that are least learned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.why.attribution import Diagnosis, Quality, labels
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.interval_text import interval_text


def diagnosis_table(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Print the attribution of unlearned items, and its quality where the causes are known; or all of it as JSON."""
    if as_json:
        print(json.dumps(_as_json(diagnosis)))
        return
    console.print(f"{diagnosis.unlearned:.1f} of {len(diagnosis.items)} trained items are expected to be unlearned")
    for method, quality in diagnosis.quality.items():
        _confusion_table(method, quality)
    if diagnosis.truth is None:
        _attributed_table(diagnosis)
    if not diagnosis.asked_all:
        console.print(
            "options were scored only where there is a prior answer, which gives conflicts away: evaluate both models "
            "with --choices 4 for a fair attribution"
        )
    attributed = zip(diagnosis.items, diagnosis.said["signals"], strict=True)
    table = Table(title="least learned items (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("learned", "cause", "question"):
        table.add_column(label)
    for item, cause in sorted(attributed, key=lambda pair: pair[0].learned)[:5]:
        table.add_row(f"{item.learned:.2f}", cause, escape(shorten(item.question, 100)))
    console.print(table)


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
    return counts | {"quality": quality, "diagnoses": items}


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
    """On user data: how many items each cause is said to cost, and the recipes that are meant to repair it."""
    table = Table(title="unlearned items by cause (method signals)", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in ("cause", "items", "unlearned", "recipes against it"):
        table.add_column(label, justify="right" if label in ("items", "unlearned") else "left", no_wrap=True)
    remedies: dict[str, list[str]] = {}
    for recipe in RECIPES:
        if recipe.cause:
            remedies.setdefault(recipe.cause, []).append(recipe.name)
    for label in labels():
        items = [item for item, cause in zip(diagnosis.items, diagnosis.said["signals"], strict=True) if cause == label]
        if items:
            lost = sum(1 - item.learned for item in items)
            table.add_row(label, str(len(items)), f"{lost:.1f}", ", ".join(remedies.get(label, ["-"])))
    console.print(table)
