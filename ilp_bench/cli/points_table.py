"""The table of points: what a submission gained over vanilla, cause by cause, for both kinds of score."""

from __future__ import annotations

from rich import box
from rich.table import Table

from ilp_bench.cli.console import console
from ilp_bench.records.reference_record import Arms
from ilp_bench.scoring.interval_text import interval_points, points_text, two_decimals, value_text
from ilp_bench.scoring.points_schema import CausePoints, KindScore, PairGroup, PointScores
from ilp_bench.scoring.rank_reasons import MAX_HARM

PROMPTS = {"reproduction": "the prompts that were trained", "internalisation": "prompts that were never trained"}


def points_table(scores: PointScores, *, as_json: bool) -> None:
    """Print the scores as two tables and some lines, or as JSON."""
    if as_json:
        print(scores.model_dump_json())
        return
    for score in (scores.reproduction, scores.internalisation):
        _kind_table(score)
    for score in (scores.reproduction, scores.internalisation):
        console.print(share_line(score))
    for score in (scores.reproduction, scores.internalisation):
        _contrast_lines(score)
        _control_lines(score)
    console.print(_interval_line(scores))
    console.print(_reference_line(scores))
    kept = ", ".join(f"{role} {'-' if p is None else points_text(p)}" for role, p in scores.retention.items())
    console.print(f"held-out fact retention, mean p in points: {kept}")
    if scores.ranked:
        own = "" if scores.reference and scores.reference.runs else ", once somebody has run your vanilla again"
        console.print(f"may be ranked{own}")
    for reason in scores.not_ranked_because:
        console.print(f"not ranked: {reason}")


def _kind_table(score: KindScore) -> None:
    table = Table(
        title=f"{score.kind}: {PROMPTS[score.kind]}",
        caption="p of treated/control in points; G = gain of treated beyond that of control, 95 % interval",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for name in ("cause", "pairs", "vanilla", "submission", "G", "counted"):
        table.add_column(name, justify="right" if name in ("pairs", "vanilla", "submission", "G") else "left")
    for cause in score.causes:
        table.add_row(*points_cells(cause))
        for group in cause.doses if len(cause.doses) > 1 else ():
            table.add_row(*_group_cells(group))
    console.print(table)


def points_cells(cause: CausePoints) -> list[str]:
    """One row of the table."""
    pairs = str(cause.pairs) if cause.active_pairs is None else f"{cause.active_pairs}/{cause.pairs}"
    rates = [arms_text(rates.p) if rates else "-" for rates in (cause.vanilla, cause.submission)]
    counted = "yes" if cause.counted else f"no: {cause.reason}"
    return [cause.cause, pairs, *rates, interval_points(cause.points), counted]


def _group_cells(group: PairGroup) -> list[str]:
    dose = "" if group.dose is None else f"  dose {group.dose:g}"
    gained = interval_points(group.interval) if group.interval else points_text(group.points)
    return [dose, str(group.pairs), arms_text(group.vanilla), arms_text(group.submission), gained, ""]


def arms_text(arms: Arms) -> str:
    """Means of both arms in points, treated first."""
    return f"{points_text(arms.treated)}/{points_text(arms.control)}"


def share_line(score: KindScore) -> str:
    """H of one kind of score, in words."""
    if score.share is None:
        return f"{score.kind}: H is undefined, since no cause counts"
    share = value_text(score.share.value, score.share.low, score.share.high, two_decimals)
    return f"{score.kind}: H = {share} of the gap closed, over {len(score.counted)} of {len(score.causes)} causes"


def _contrast_lines(score: KindScore) -> None:
    for cause in score.causes:
        if cause.contrast:
            _, pairs, vanilla, submission, gained, _ = _group_cells(cause.contrast)
            console.print(
                f"{score.kind}, {cause.cause}, {pairs} pairs that contradict what was not believed (not scored): "
                f"vanilla {vanilla}, submission {submission}, G {gained}"
            )


def _control_lines(score: KindScore) -> None:
    """Name controls that fell by more than is allowed, as far as the runs can tell."""
    for cause in score.causes:
        change = cause.control_change
        if cause.counted and not cause.hurt and change and change.value < -MAX_HARM:
            console.print(
                f"note: {score.kind}, the control of {cause.cause} changed by {interval_points(change)} points: more "
                "runs would tell whether it was hurt"
            )


def _interval_line(scores: PointScores) -> str:
    runs, datasets = len(scores.replicates), scores.datasets
    shown = f"{runs} run{'s' * (runs > 1)} on {datasets} dataset{'s' * (datasets > 1)}"
    if scores.interval_kind == "runs":
        return f"intervals: {shown}; they allow for what differs between runs"
    return f"intervals: {shown}; pairs only: other runs would differ by more"


def _reference_line(scores: PointScores) -> str:
    division = f"budget division {scores.division or 'not recorded'}"
    if scores.reference is None:
        return f"{division}; no reference: gaps are those of the vanilla runs given"
    reference = scores.reference
    source = "vanilla, base run and gaps" if reference.runs else "gaps"
    return f"{division}; {source} from reference {reference.name} ({reference.vanilla_runs} vanilla runs)"
