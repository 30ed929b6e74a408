"""What the pictures show: rows for the charts, with the words and tables that stand beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard import charts
from ilp_bench.leaderboard.base_models import Family
from ilp_bench.leaderboard.charts import Album, Picture
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.item_matrix import Board
from ilp_bench.recipes import RECIPES

PICTURED = 6  # base models that get pictures of their own
LINES = 60  # entries that get a line each in a dose picture
FOREST = 14  # entries in a picture of what repairs a cause
MARKS = 400  # in a scatter; of more entries, every second or third … is drawn
Figure = dict[str, Any]


def front(found: list[Family], album: Album) -> Figure:
    """The front page: heat map of the largest family, aggregate against worst cause, and what both say."""
    first = found[0] if found else None
    main = next((family for family in found if any(one.rank == 1 for one in family.standings)), first)
    return {"family": main, "hides": hides(found, album), "findings": findings(main) if main else None}


def findings(family: Family) -> Figure:
    """Three sentences' worth of numbers about one family."""
    entries = [entry for entry in family.entries if not entry.is_vanilla]
    vanilla = family.any.causes
    worst = min(vanilla, key=lambda name: vanilla[name]["vanilla"]["treated"])
    best = max((e for e in entries if e.overall), key=lambda e: e.overall["value"] if e.overall else 0, default=None)
    whole = [e for e in entries if all(c["recovery"] and c["recovery"]["low"] > 0 for c in e.causes.values())]
    return {
        "average": family.any.scores["aggregate"]["vanilla"],
        "worst_title": CAUSES.get(worst).title,
        "worst": vanilla[worst]["vanilla"]["treated"],
        "worst_cause": worst,
        "control": vanilla[worst]["vanilla"]["control"],
        "best": best,
        "entries": len(entries),
        "all_causes": len(whole),
        "expressed": sum(found["recovery"] is not None or found["expressed"] for found in vanilla.values()),
        "causes": len(vanilla),
    }


def hides(found: list[Family], album: Album) -> Figure:
    """What the aggregate hides: average learned rate against the worst cause's, one point an entry."""
    points: list[dict[str, Any]] = []
    table = []
    for family in found[:PICTURED]:
        ranked = [one for one in family.standings if one.entry.state == "ranked"]
        best = max(ranked, key=lambda one: one.entry.overall["value"] if one.entry.overall else -9.0, default=None)
        for one in ranked:
            x, y = one.aggregate, one.worst
            label = ""
            if family is found[0] and (one is best or one.entry.is_vanilla):
                label = one.entry.recipe or one.entry.model
            ends = {"x_low": x["low"], "x_high": x["high"], "y_low": y["low"], "y_high": y["high"]}
            series = family.base if len(found) < 2 or len({f.size for f in found}) == 1 else family.title
            points.append({"x": x["value"], "y": y["value"], "series": series, "label": label, **ends})
            table.append(one)
    gaps = [point["x"] - point["y"] for point in points]
    mean = float(np.mean(gaps)) if gaps else 0.0
    step = -(-len(points) // MARKS) if points else 1
    drawn = [point for n, point in enumerate(points) if n % step == 0 or point["label"]]
    return {
        "picture": album.draw(charts.hides(drawn)) if drawn else None,
        "table": table[:LINES],
        "mean": mean,
        "points": len(points),
        "step": step,
    }


def cause(name: str, found: list[Family], album: Album) -> Figure:
    """A cause's page: rates under vanilla, dose curves and what repairs it, for each family."""
    parts = []
    for n, family in enumerate(found):
        entries = [entry for entry in family.entries if name in entry.causes]
        if not entries:
            continue
        scored = [entry for entry in entries if entry.causes[name]["recovery"]]
        scored.sort(key=lambda entry: (-entry.causes[name]["recovery"]["value"], entry.slug))
        pictured = n < PICTURED
        parts.append(
            {
                "family": family,
                "vanilla": family.any.causes.get(name) or entries[0].causes[name],
                "doses": _doses(name, scored or entries, album) if pictured else None,
                "forest": _forest(name, scored, album) if pictured and scored else None,
                "entries": scored[:LINES],
                "count": len(entries),
            }
        )
    return {"parts": parts}


def _forest(name: str, scored: list[Entry], album: Album) -> Picture | None:
    shown = [entry for entry in scored if not entry.is_vanilla][:FOREST]
    lows = [entry.causes[name]["recovery"]["low"] for entry in shown]
    highs = [entry.causes[name]["recovery"]["high"] for entry in shown]
    domain = (max(-1.0, min([-0.1, *lows]) - 0.02), min(3.0, max([1.05, *highs]) + 0.02))
    rows, seen = [], set()
    for entry in shown:
        label = entry.recipe or entry.model
        label = entry.model if label in seen else label
        label = entry.slug if label in seen else label
        seen.add(label)
        kind = (
            "meant" if entry.recipe and entry.recipe in RECIPES and RECIPES.get(entry.recipe).repairs(name) else "other"
        )
        rows.append({"label": label, "kind": kind, **charts.clipped(entry.causes[name]["recovery"], *domain)})
    return album.draw(charts.forest(rows, domain)) if rows else None


def _doses(name: str, entries: list[Entry], album: Album) -> Figure | None:
    """Dose curve of every entry, of vanilla and of the control arm; a band of the middle 80 % where there are many."""
    levels = [dose["dose"] for dose in entries[0].causes[name]["doses"]]
    if len(levels) < 2:
        return None
    best, rows = entries[0], []
    curves = {entry.slug: [dose["submission"] for dose in entry.causes[name]["doses"]] for entry in entries}
    shared = entries[0].causes[name]["doses"]
    named = {"control": [dose["control"] for dose in shared], "vanilla": [dose["vanilla"] for dose in shared]}
    ends = {"control": named["control"][-1], "vanilla": named["vanilla"][-1], "best": curves[best.slug][-1]}
    at = _apart(ends, 0.075)
    label = {"control": "control", "vanilla": "vanilla", "best": (best.recipe or best.model)[:18]}
    if best.is_vanilla:
        at.pop("best")
    for role, values in (*named.items(), ("best", curves[best.slug])):
        if role in at:
            more = {"role": role, "entry": role, "label": label[role], "at": at[role]}
            rows += [{"dose": d, "value": v, **more} for d, v in zip(levels, values, strict=True)]
    others = [entry for entry in entries[1:] if not entry.is_vanilla]
    band = []
    if len(others) <= LINES:
        for entry in others:
            more = {"role": "other", "entry": entry.slug, "label": "", "at": 0}
            rows += [{"dose": d, "value": v, **more} for d, v in zip(levels, curves[entry.slug], strict=False)]
    else:
        low, high = np.quantile([curves[entry.slug] for entry in others], [0.1, 0.9], axis=0)
        band = [{"dose": d, "low": a, "high": b} for d, a, b in zip(levels, low.tolist(), high.tolist(), strict=True)]
    table = [(entry, curves[entry.slug]) for entry in entries if not entry.is_vanilla][:LINES]
    picture = album.draw(charts.doses(rows, CAUSES.get(name).dose_label, band=band))
    return {"picture": picture, "levels": levels, "table": table, "named": named, "best": best, "band": bool(band)}


def _apart(ends: dict[str, float], least: float) -> dict[str, float]:
    """Places for labels at the ends of lines, at least ``least`` apart and in the order of the lines."""
    order = sorted(ends, key=lambda name: ends[name])
    found: dict[str, float] = {}
    for n, name in enumerate(order):
        found[name] = max(ends[name], found[order[n - 1]] + least) if n else ends[name]
    over = max(0.0, max(found.values()) - 1.0)
    return {name: value - over for name, value in found.items()}


def item_counts(board: Board, album: Album) -> Picture:
    """How many items were learned by what share of the entries."""
    return album.draw(charts.counts([{"bin": n, "count": count} for n, count in enumerate(board.bins)]))
