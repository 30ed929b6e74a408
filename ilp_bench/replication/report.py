"""Reference results as a page: recipe by cause, as a table and as a heat map, and the claims one by one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import jinja2

from ilp_bench.data.causes import CAUSES
from ilp_bench.replication.claims import Effect, claims
from ilp_bench.replication.reference_runs import Family
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import ends_text, interval_text, two_decimals
from ilp_bench.scoring.recovery import Scores, score_replicates

MAKER = "scripts/results"
INTRODUCTION = """Made by `scripts/results` from the committed entries in `submissions/` alone, so that anyone can
recompute it; the runs behind them were made by `scripts/reference-results`. Recovery is the share
of the gap that a cause leaves under vanilla and that a recipe closes: 0 is vanilla, 1 is as good as
the control. Intervals are 95 %, paired bootstrap over active pairs, pooled over replicates (each a
dataset and a training of another seed). Bold: the interval lies above 0.

A claim is judged by `scripts/results` on the recipes beside it and vanilla; to measure it anew,

    scripts/reference-results WORK --base nano --name nano --recipes RECIPES --submissions NEW
    scripts/results NEW docs
"""


def inserted(document: str, text: str, maker: str) -> str:
    """The document with ``text`` between the two marks of the script that makes it; at its end where it has none."""
    start, end = f"<!-- made by {maker} -->", f"<!-- end of what {maker} makes -->"
    before, _, rest = document.partition(start)
    _, _, after = rest.partition(end)
    return f"{before.rstrip()}\n\n{start}\n\n{text.strip()}\n\n{end}\n{after.lstrip()}"


def page(found: Mapping[tuple[str, str], Family]) -> str:
    """Reference results of all base models as Markdown."""
    parts = [INTRODUCTION]
    for (base, size), family in found.items():
        parts += [
            f"### {base}, {size}\n",
            f"{setting(family)}\n",
            matrix(family),
            f"![{base}: recovery of recipes by cause](reference-{base}-{size}.svg)\n",
        ]
        parts += ["#### Claims of the paper\n", table(family)]
    return "\n".join(parts)


def setting(family: Family) -> str:
    """How the recipes of a base model were trained, where all were trained alike."""
    told = {
        (training.learning_rate, training.batch_size, training.lora)
        for replicates in family.values()
        for one in replicates
        if (training := one.submission.record.training)
    }
    if len(told) != 1:
        return "Trained in several ways; each entry has its own."
    rate, batch, rank = told.pop()
    how = f"a LoRA adapter of rank {rank}" if rank else "all weights"
    return f"Trained: {how}, learning rate {rate:g}, batches of {batch}."


def scores(family: Family) -> dict[str, Scores]:
    """Recipe -> scores, pooled over its replicates."""
    return {recipe: score_replicates(replicates) for recipe, replicates in family.items()}


def matrix(family: Family) -> str:
    """Recipe by cause: recovery with its interval."""
    heads = ["recipe", *(cause.title for cause in CAUSES), "overall", "retention", "replicates"]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for recipe, one in scores(family).items():
        cells = [_cell(cause.recovery) for cause in one.causes]
        kept = "-" if (rate := one.retention["submission"]) is None else two_decimals(rate)
        lines.append(f"| `{recipe}` | {' | '.join(cells)} | {_cell(one.overall)} | {kept} | {len(one.replicates)} |")
    first = next(iter(scores(family).values())).causes
    gaps = [
        f"{one.cause.replace('_', ' ')} {interval_text(one.gap)} "
        f"({two_decimals(one.vanilla.treated)} / {two_decimals(one.vanilla.control)})"
        for one in first
    ]
    lines.append(f"\nGap under vanilla, and learned rates of the arms (treated / control): {', '.join(gaps)}.\n")
    return "\n".join(lines)


def table(family: Family) -> str:
    """The claims, one a row."""
    lines = ["| | claim | in the paper | here | measured | recipes |", "| --- | --- | --- | --- | --- | --- |"]
    for claim in claims(family):
        measured = "; ".join(map(_measured, claim.effects)) or claim.why
        rests = ", ".join(f"`{name}`" for name in claim.recipes) or "-"
        lines.append(f"| {claim.name} | {claim.text} | {claim.paper} | {claim.verdict} | {measured} | {rests} |")
    return "\n".join(lines) + "\n"


def heat_map(family: Family, title: str) -> str:
    """An SVG: recipe by cause, blue where a recipe recovers, red where it harms, pale where that is not resolved."""
    source = files("ilp_bench.replication").joinpath("matrix.svg.j2").read_text(encoding="utf-8")
    template = jinja2.Template(source, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rows = [
        (recipe, [next((c.recovery for c in one.causes if c.cause == name), None) for name in CAUSES.names()])
        for recipe, one in scores(family).items()
        if recipe != "vanilla"
    ]
    text: str = template.render(title=title, causes=[cause.spoken_name for cause in CAUSES], rows=rows, fill=_fill)
    return text


def _fill(found: Interval | None) -> tuple[str, str]:
    """Colours of a cell and of its text."""
    if found is None:
        return "#ffffff", "#777777"
    strength = min(abs(found.value), 1.0) * (1.0 if found.low > 0 or found.high < 0 else 0.35)
    full = (33, 102, 172) if found.value >= 0 else (178, 24, 43)
    red, green, blue = (round(255 + (channel - 255) * strength) for channel in full)
    return f"#{red:02x}{green:02x}{blue:02x}", "#ffffff" if strength > 0.55 else "#222222"


def _measured(effect: Effect) -> str:
    """An effect with its interval, and where it should lie unless it does."""
    wanted = f"wanted {'above' if effect.sign > 0 else 'below'} {effect.bound:g}"
    return f"{effect.name} {interval_text(effect.interval)}" + ("" if effect.holds else f", {wanted}")


def _cell(recovery: Interval | None) -> str:
    """A recovery with its interval, bold where the interval lies above 0."""
    if recovery is None or recovery.low <= 0:
        return interval_text(recovery)
    return f"**{two_decimals(recovery.value)}** {ends_text(recovery.low, recovery.high)}"
