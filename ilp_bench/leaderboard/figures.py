"""What pages with pictures show: the rows of their charts, and the words and tables that stand beside them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard import charts
from ilp_bench.leaderboard.album import Album, Picture
from ilp_bench.leaderboard.base_models import Family
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.item_matrix import Board
from ilp_bench.leaderboard.ranking import Standing
from ilp_bench.recipes import RECIPES

PICTURED = 6  # base models that get pictures of their own
MOST_LINES = 60  # entries that get a line each in a dose picture, and rows of the tables beside pictures
MOST_IN_FOREST = 14  # entries in a picture of what repairs a cause
MOST_POINTS = 400  # of a scatter; of more entries, every second or third … is drawn
LABEL_DISTANCE = 0.075  # least distance of the labels at the ends of dose curves
Figure = dict[str, Any]


def front(families: list[Family], album: Album) -> Figure:
    """The front page: heat map of the largest ranked family, aggregate against worst cause, and what both say."""
    largest = families[0] if families else None
    ranked = (family for family in families if any(standing.rank == 1 for standing in family.standings))
    family = next(ranked, largest)
    return {
        "family": family,
        "scatter": scatter(families, album),
        "findings": findings(family) if family else None,
    }


def findings(family: Family) -> Figure:
    """The numbers of three sentences about one family."""
    entries = [entry for entry in family.entries if not entry.is_vanilla]
    causes = family.any.causes
    worst = min(causes, key=lambda name: causes[name]["vanilla"]["treated"])
    return {
        "average": family.any.scores["aggregate"]["vanilla"],
        "worst_title": CAUSES.get(worst).title,
        "worst": causes[worst]["vanilla"]["treated"],
        "worst_cause": worst,
        "control": causes[worst]["vanilla"]["control"],
        "best": max((entry for entry in entries if entry.overall), key=_overall, default=None),
        "entries": len(entries),
        "all_causes": sum(_repairs_all(entry) for entry in entries),
        "expressed": sum(score["recovery"] is not None or score["expressed"] for score in causes.values()),
        "causes": len(causes),
    }


def _overall(entry: Entry) -> float:
    """Overall recovery; far below all others where there is none."""
    return entry.overall["value"] if entry.overall else -math.inf


def _repairs_all(entry: Entry) -> bool:
    """Whether the interval of every cause's recovery lies above 0."""
    return all(score["recovery"] and score["recovery"]["low"] > 0 for score in entry.causes.values())


def scatter(families: list[Family], album: Album) -> Figure:
    """What the aggregate hides: average learned rate against the worst cause's, one point an entry."""
    one_size = len(families) < 2 or len({family.size for family in families}) == 1
    points, table = [], []
    for family in families[:PICTURED]:
        ranked = [standing for standing in family.standings if standing.entry.state == "ranked"]
        best = max(ranked, key=lambda standing: _overall(standing.entry), default=None)
        for standing in ranked:
            labelled = family is families[0] and (standing is best or standing.entry.is_vanilla)
            label = (standing.entry.recipe or standing.entry.model) if labelled else ""
            points.append(_point(standing, family.base if one_size else family.title, label))
        table += ranked
    gaps = [point["x"] - point["y"] for point in points]
    step = max(1, math.ceil(len(points) / MOST_POINTS))
    drawn = [point for index, point in enumerate(points) if index % step == 0 or point["label"]]
    return {
        "picture": album.draw(charts.scatter(drawn)) if drawn else None,
        "table": table[:MOST_LINES],
        "mean": float(np.mean(gaps)) if gaps else 0.0,
        "points": len(points),
        "step": step,
    }


def _point(standing: Standing, series: str, label: str) -> dict[str, Any]:
    x, y = standing.aggregate, standing.worst
    ends = {"x_low": x["low"], "x_high": x["high"], "y_low": y["low"], "y_high": y["high"]}
    return {"x": x["value"], "y": y["value"], "series": series, "label": label, **ends}


def cause(name: str, families: list[Family], album: Album) -> Figure:
    """A cause's page: rates under vanilla, dose curves and what repairs it, for each family."""
    parts = []
    for index, family in enumerate(families):
        entries = [entry for entry in family.entries if name in entry.causes]
        if not entries:
            continue
        scored = [entry for entry in entries if entry.causes[name]["recovery"]]
        scored.sort(key=lambda entry: (-entry.causes[name]["recovery"]["value"], entry.slug))
        pictured = index < PICTURED
        parts.append(
            {
                "family": family,
                "vanilla": family.any.causes.get(name) or entries[0].causes[name],
                "doses": _dose_curves(name, scored or entries, album) if pictured else None,
                "forest": _forest(name, scored, album) if pictured and scored else None,
                "entries": scored[:MOST_LINES],
                "count": len(entries),
            }
        )
    return {"parts": parts}


def _forest(name: str, scored: list[Entry], album: Album) -> Picture | None:
    shown = [entry for entry in scored if not entry.is_vanilla][:MOST_IN_FOREST]
    lows = [entry.causes[name]["recovery"]["low"] for entry in shown]
    highs = [entry.causes[name]["recovery"]["high"] for entry in shown]
    domain = (max(-1.0, min([-0.1, *lows]) - 0.02), min(3.0, max([1.05, *highs]) + 0.02))
    rows: list[dict[str, Any]] = []
    labels: set[str] = set()
    for entry in shown:
        label = next(text for text in (entry.recipe or entry.model, entry.model, entry.slug) if text not in labels)
        labels.add(label)
        meant = entry.recipe in RECIPES and RECIPES.get(str(entry.recipe)).repairs(name)
        estimate = charts.clip_estimate(entry.causes[name]["recovery"], *domain)
        rows.append({"label": label, "kind": "meant" if meant else "other", **estimate})
    return album.draw(charts.forest(rows, domain)) if rows else None


def _dose_curves(name: str, entries: list[Entry], album: Album) -> Figure | None:
    """Dose curve of every entry, of vanilla and of the control arm; a band of the middle 80 % where there are many."""
    shared, best = entries[0].causes[name]["doses"], entries[0]
    levels = [dose["dose"] for dose in shared]
    if len(levels) < 2:
        return None
    curves = {entry.slug: [dose["submission"] for dose in entry.causes[name]["doses"]] for entry in entries}
    named = {role: [dose[role] for dose in shared] for role in ("control", "vanilla")}
    rows = _named_curves(levels, named | {"best": curves[best.slug]}, best)
    others = [entry.slug for entry in entries[1:] if not entry.is_vanilla]
    band = []
    if len(others) <= MOST_LINES:
        for slug in others:
            style = {"role": "other", "entry": slug, "label": "", "at": 0}
            rows += [{"dose": d, "value": v, **style} for d, v in zip(levels, curves[slug], strict=False)]
    else:
        ends = np.quantile([curves[slug] for slug in others], [0.1, 0.9], axis=0).T.tolist()
        band = [{"dose": dose, "low": low, "high": high} for dose, (low, high) in zip(levels, ends, strict=True)]
    table = [(entry, curves[entry.slug]) for entry in entries if not entry.is_vanilla][:MOST_LINES]
    picture = album.draw(charts.dose_curves(rows, CAUSES.get(name).dose_label, band=band))
    return {"picture": picture, "levels": levels, "table": table, "named": named, "best": best, "band": bool(band)}


def _named_curves(levels: list[float], curves: dict[str, list[float]], best: Entry) -> list[dict[str, Any]]:
    """Rows of the curves with a label at their end: control, vanilla and the best entry, where that is not vanilla."""
    heights = _label_heights({role: values[-1] for role, values in curves.items()})
    labels = {"control": "control", "vanilla": "vanilla", "best": (best.recipe or best.model)[:18]}
    rows: list[dict[str, Any]] = []
    for role, values in curves.items():
        if role == "best" and best.is_vanilla:
            continue
        style = {"role": role, "entry": role, "label": labels[role], "at": heights[role]}
        rows += [{"dose": dose, "value": value, **style} for dose, value in zip(levels, values, strict=True)]
    return rows


def _label_heights(ends: dict[str, float]) -> dict[str, float]:
    """Heights for labels at the ends of lines, ``LABEL_DISTANCE`` apart and in the order of the lines, at most 1."""
    heights: dict[str, float] = {}
    below = -math.inf
    for name in sorted(ends, key=lambda name: ends[name]):
        heights[name] = below = max(ends[name], below + LABEL_DISTANCE)
    excess = max(0.0, max(heights.values()) - 1.0)
    return {name: height - excess for name, height in heights.items()}


def item_counts(board: Board, album: Album) -> Picture:
    """How many items were learned by what share of the entries."""
    return album.draw(charts.histogram([{"bin": index, "count": count} for index, count in enumerate(board.bins)]))
