"""Reference results as a page: recipe by cause, as a table and as a heat map, and the claims one by one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from importlib.resources import files

import jinja2

from ilp_bench.data.causes import CAUSES
from ilp_bench.replication.claims import MeasuredEffect, judge, read_claims
from ilp_bench.replication.effects import measure
from ilp_bench.replication.evidence import Entry, Evidence
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import interval_points, interval_text, points_text
from ilp_bench.scoring.points_schema import KindScore

MAKER = "scripts/results"
LAST = ("combined", "auto")  # recipes against all causes stand below those against one


def inserted(document: str, text: str, maker: str) -> str:
    """The document with ``text`` between the two marks of the script that makes it; at its end where it has none."""
    start, end = f"<!-- made by {maker} -->", f"<!-- end of what {maker} makes -->"
    before, _, rest = document.partition(start)
    _, _, after = rest.partition(end)
    rest_of_page = f"\n{after.lstrip()}" if after.strip() else ""
    return f"{before.rstrip()}\n\n{start}\n\n{text.strip()}\n\n{end}\n{rest_of_page}"


def page(evidence: Mapping[tuple[str, str], Evidence]) -> str:
    """Reference results of all base models that have an entry, as Markdown."""
    parts = []
    for (base, size), of_base in evidence.items():
        if of_base.entries:
            parts += [
                f"### {base}, {size}",
                setting(of_base),
                f"![{base}: points by recipe and cause]({picture(base, size)})",
            ]
            for kind, prompts in (("reproduction", "trained"), ("internalisation", "never trained")):
                parts += [f"G in points, prompts that were {prompts}:\n\n{matrix(of_base, kind)}"]
                parts += fallen_controls(of_base, kind)
            parts += [f"#### Claims of the paper, {base}\n\n{claim_table(of_base)}"]
    return "\n\n".join(parts)


def picture(base: str, size: str) -> str:
    """The name of a heat map's file, beside the page."""
    return f"results-{base}-{size}.svg"


def setting(evidence: Evidence) -> str:
    """How the recipes of a base model were trained, where all were trained alike."""
    trainings = [entry.submission.first.training for entry in evidence.entries.values()]
    ways = {(training.learning_rate, training.batch_size, training.lora) for training in trainings if training}
    if len(ways) != 1:
        return "Trained in several ways; each entry has its own."
    rate, batch, rank = ways.pop()
    how = f"a LoRA adapter of rank {rank}" if rank else "all weights"
    return f"Trained: {how}, learning rate {rate:g}, batches of {batch}, division 1x{_other_dtypes(evidence)}."


def _other_dtypes(evidence: Evidence) -> str:
    """Which recipes were trained in another dtype than vanilla of the reference."""
    vanilla = evidence.first.comparisons[0].vanillas[0].record.training
    usual = vanilla.dtype if vanilla else None
    others: dict[str, list[str]] = {}
    for recipe, entry in _in_order(evidence):
        training = entry.submission.first.training
        if training and training.dtype != usual:
            others.setdefault(str(training.dtype), []).append(f"`{recipe}`")
    return "".join(f"; {', '.join(recipes)} in {dtype}" for dtype, recipes in others.items())


def matrix(evidence: Evidence, kind: str) -> str:
    """Recipe by cause: G with its interval in points, bold where the interval lies above 0; H; retention; runs."""
    heads = ["recipe", *(cause.title for cause in CAUSES), "H", "held-out facts", "runs"]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for recipe, entry in _in_order(evidence):
        score = score_of(entry, kind)
        retention = entry.submission.scores.retention["submission"]
        cells = [_bold(interval_points(cause), cause) for cause in _points(score)]
        cells += [_bold(interval_text(score.share, "-"), score.share)]
        cells += ["-" if retention is None else points_text(retention), str(len(entry.submission.runs))]
        lines.append(f"| `{recipe}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def fallen_controls(evidence: Evidence, kind: str) -> list[str]:
    """A sentence on the controls for whose fall an entry is not ranked; none where none fell."""
    falls = []
    for recipe, entry in _in_order(evidence):
        hurt = [cause for cause in score_of(entry, kind).causes if cause.counted and cause.hurt]
        of_recipe = [
            f"{CAUSES.get(cause.cause).spoken_name} {points_text(-cause.control_change.value)}"
            for cause in hurt
            if cause.control_change
        ]
        falls += [f"`{recipe}` ({', '.join(of_recipe)})"] if of_recipe else []
    if not falls:
        return []
    said = f"Not ranked, because controls fell by so many points below vanilla's: {'; '.join(falls)}."
    return [textwrap.fill(said, 100)]


def claim_table(evidence: Evidence) -> str:
    """The claims, an effect a row, with verdicts."""
    lines = ["| | claim, and what it rests on | measured | at least | verdict |", "| --- | --- | --- | ---: | --- |"]
    claims = read_claims()
    for claim, effects, verdict in judge(measure(evidence, claims), claims):
        lines.append(f"| **{claim.id}** | **{claim.text}** {claim.paper} | {claim.not_tested} | | **{verdict}** |")
        lines += [
            f"| | {each.effect.name} | {_measured(each)} | {each.effect.at_least:.2f} | {each.verdict} |"
            for each in effects
        ]
    return "\n".join(lines)


def heat_map(evidence: Evidence, title: str) -> str:
    """An SVG: recipe by cause, blue where a recipe gains, red where it loses, pale where that is not resolved."""
    source = files("ilp_bench.replication").joinpath("matrix.svg.j2").read_text(encoding="utf-8")
    template = jinja2.Template(source, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rows = [(recipe, _points(score_of(entry, "reproduction"))) for recipe, entry in _in_order(evidence)]
    text: str = template.render(
        title=title, causes=[cause.spoken_name for cause in CAUSES], rows=rows, fill=_fill, points=points_text
    )
    return text


def _in_order(evidence: Evidence) -> Iterator[tuple[str, Entry]]:
    return iter(sorted(evidence.entries.items(), key=lambda item: (item[0] in LAST, item[0])))


def score_of(entry: Entry, kind: str) -> KindScore:
    """The score of an entry in one kind."""
    scores = entry.submission.scores
    return scores.reproduction if kind == "reproduction" else scores.internalisation


def _points(score: KindScore) -> list[Interval | None]:
    by_cause = {cause.cause: cause.points for cause in score.causes}
    return [by_cause.get(name) for name in CAUSES.names()]


def _fill(points: Interval | None) -> tuple[str, str]:
    """Colours of a cell and of its text; full at 50 points."""
    if points is None:
        return "#ffffff", "#777777"
    strength = min(2 * abs(points.value), 1.0) * (1.0 if points.low > 0 or points.high < 0 else 0.35)
    full = (33, 102, 172) if points.value >= 0 else (178, 24, 43)
    red, green, blue = (round(255 + (channel - 255) * strength) for channel in full)
    return f"#{red:02x}{green:02x}{blue:02x}", "#ffffff" if strength > 0.55 else "#222222"


def _measured(effect: MeasuredEffect) -> str:
    """An effect with its interval and the number of datasets, or what it lacks."""
    if effect.interval is None:
        return effect.missing
    return f"{interval_text(effect.interval)} ({len(effect.values)} datasets)"


def _bold(text: str, interval: Interval | None) -> str:
    return f"**{text}**" if interval and interval.low > 0 else text
