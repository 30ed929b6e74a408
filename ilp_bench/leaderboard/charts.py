"""Charts as Vega-Lite specifications: functions from rows to what the album draws.

Colours are the light theme's; the stylesheet maps each to its dark counterpart, so that one picture serves both. The
font named here is built into vl-convert, so that the layout does not depend on what a machine has installed.
"""

from __future__ import annotations

from typing import Any

from ilp_bench.leaderboard.entry import Value

INK, SOFT, GRID = "#1c2127", "#59616b", "#dfe2e6"
TREATED, CONTROL, ENTRY, FAINT = "#b4530a", "#2563a8", "#0f766e", "#9aa3ad"
SERIES = ("#0f766e", "#7c3aed", "#b4530a", "#2563a8", "#be185d", "#4d7c0f")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
FEW_POINTS = 40  # of a scatter, up to which intervals are drawn
Row = dict[str, Any]
CONFIG: dict[str, Any] = {
    "font": "Liberation Sans",
    "background": None,
    "view": {"stroke": None},
    "axis": {"labelColor": SOFT, "titleColor": SOFT, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID}
    | {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelPadding": 6, "titlePadding": 10},
    "header": {"labelColor": INK, "labelFontSize": 13, "labelFontWeight": "bold", "title": None},
    "legend": {"labelColor": INK, "labelFontSize": 12, "title": None, "orient": "top", "labelLimit": 240, "columns": 2},
}


def _scale(low: float, high: float, **options: Any) -> Row:
    return {"domain": [low, high], "nice": False, "clamp": True, **options}


UNIT_AXIS: Row = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"}


def scatter(points: list[Row]) -> Row:
    """Aggregate learned rate against the worst cause's: ``x, y`` with low and high, ``name``, ``series``, ``label``."""
    names = list(dict.fromkeys(point["series"] for point in points))
    scale = {"domain": names, "range": list(SERIES[: len(names)])}
    color: Row = {"field": "series", "type": "nominal", "scale": scale} if len(names) > 1 else {"value": SERIES[0]}
    x: Row = {"type": "quantitative", "scale": _scale(0, 1), "axis": UNIT_AXIS}
    few = len(points) <= FEW_POINTS
    layers = [_diagonal(x), *(_whiskers(x, color) if few else []), _marks(x, color, names, few=few), _labels(x)]
    return {
        "width": 320,
        "height": 260,
        "padding": {"left": 4, "top": 4, "bottom": 4, "right": 18},
        "data": {"values": points},
        "layer": layers,
    }


def _diagonal(x: Row) -> Row:
    """The line on which the worst cause is learned as well as the average."""
    return {
        "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
        "mark": {"type": "line", "color": FAINT, "strokeDash": [4, 4], "strokeWidth": 1},
        "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", "type": "quantitative"}},
    }


def _whiskers(x: Row, color: Row) -> list[Row]:
    """Intervals across and up."""
    mark = {"type": "rule", "opacity": 0.45, "strokeWidth": 1.5}
    y = {"type": "quantitative"}
    across = {"x": {"field": "x_low", **x}, "y": {"field": "y", **y}, "x2": {"field": "x_high"}, "color": color}
    up = {"x": {"field": "x", **x}, "y": {"field": "y_low", **y}, "y2": {"field": "y_high"}, "color": color}
    return [{"mark": mark, "encoding": across}, {"mark": mark, "encoding": up}]


def _marks(x: Row, color: Row, names: list[str], *, few: bool) -> Row:
    shape = {"field": "series", "type": "nominal", "scale": {"domain": names, "range": list(SHAPES)}}
    y = {"field": "y", "type": "quantitative", "title": "Learned in the worst cause"}
    return {
        "mark": {"type": "point", "filled": True, "opacity": 0.9 if few else 0.35, "size": 60 if few else 18},
        "encoding": {
            "x": {"field": "x", "title": "Average learned, all items", **x},
            "y": {**y, "scale": _scale(0, 1), "axis": UNIT_AXIS},
            "color": color,
            "shape": shape if len(names) > 1 else {"value": "circle"},
        },
    }


def _labels(x: Row) -> Row:
    return {
        "transform": [{"filter": "datum.label != ''"}],
        "mark": {"type": "text", "align": "right", "dx": -9, "dy": -7, "color": INK, "fontSize": 12},
        "encoding": {
            "x": {"field": "x", **x},
            "y": {"field": "y", "type": "quantitative"},
            "text": {"field": "label", "type": "nominal"},
        },
    }


def dose_curves(rows: list[Row], label: str, *, band: list[Row]) -> Row:
    """Dose curves: ``dose, value, entry, role`` with role ``vanilla``, ``control``, ``best`` or ``other``.

    ``band``: ``dose, low, high`` where there are too many entries for a line each.
    """
    order = sorted({row["dose"] for row in rows})
    x = {"field": "dose", "type": "ordinal", "sort": order, "title": label, "scale": {"padding": 0.25}}
    x["axis"] = {"labelAngle": 0, "labelExpr": "format(datum.value, '~g')", "grid": False}
    y = {"field": "value", "type": "quantitative", "scale": _scale(0, 1), "title": "Learned, treated arm"}
    y["axis"] = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"}
    looks = (
        ("other", FAINT, 1.2, [1, 0], 0.55),
        ("control", CONTROL, 2, [2, 3], 1),
        ("vanilla", TREATED, 2.5, [6, 3], 1),
    )
    layers: list[Row] = []
    if band:
        area = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}}
        layers.append(
            {"data": {"values": band}, "mark": {"type": "area", "color": FAINT, "opacity": 0.3}, "encoding": area}
        )
    for role, color, width, dash, opacity in (*looks, ("best", ENTRY, 2.5, [1, 0], 1)):
        role_rows = [row for row in rows if row["role"] == role]
        line: Row = {"type": "line", "color": color, "strokeWidth": width, "strokeDash": dash, "opacity": opacity}
        if role != "other":
            line["point"] = {"color": color, "filled": True, "size": 45}
        encoding = {"x": x, "y": y, "detail": {"field": "entry", "type": "nominal"}}
        layers.append({"data": {"values": role_rows}, "mark": line, "encoding": encoding})
        ends = [] if role == "other" else [row for row in role_rows if row["dose"] == order[-1]]
        text = {"type": "text", "align": "left", "dx": 10, "color": color, "fontSize": 12, "fontWeight": "bold"}
        layers.append(
            {
                "data": {"values": ends},
                "mark": text,
                "encoding": {"x": x, "y": y | {"field": "at"}, "text": {"field": "label"}},
            }
        )
    return {"width": 270, "height": 210, "layer": layers}


def forest(rows: list[Row], domain: tuple[float, float]) -> Row:
    """Values with intervals, one a line: ``label, value, low, high, kind`` with kind ``meant`` or ``other``."""
    labels = [row["label"] for row in rows]
    y: Row = {"field": "label", "type": "nominal", "sort": labels, "title": None}
    y["axis"] = {"labelLimit": 220, "labelColor": INK, "ticks": False, "domain": False}
    x = {"type": "quantitative", "scale": _scale(*domain), "axis": {"tickCount": 7, "format": "~g"}}
    kinds = {"domain": ["meant", "other"], "range": [ENTRY, SOFT]}
    color = {"field": "kind", "type": "nominal", "scale": kinds, "legend": None}
    marks = [{"at": 0, "name": "vanilla"}, {"at": 1, "name": "control"}]
    layers = [
        {
            "data": {"values": marks},
            "mark": {"type": "rule", "color": FAINT, "strokeDash": [3, 3]},
            "encoding": {"x": {"field": "at", **x}},
        },
        {
            "data": {"values": marks},
            "mark": {"type": "text", "dy": -10, "color": SOFT, "fontSize": 12, "baseline": "bottom"},
            "encoding": {"x": {"field": "at", **x}, "y": {"value": 0}, "text": {"field": "name"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5},
            "encoding": {
                "x": {"field": "low", "title": "Recovery", **x},
                "x2": {"field": "high"},
                "y": y,
                "color": color,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": {"field": "value", "title": "Recovery", **x}, "y": y, "color": color},
        },
    ]
    return {
        "padding": {"left": 16, "top": 4, "bottom": 4, "right": 6},
        "width": 230,
        "height": {"step": 22},
        "data": {"values": rows},
        "layer": layers,
    }


def histogram(rows: list[Row]) -> Row:
    """How many items were learned by what share of the entries: ``bin`` from 0 (none) to 10 (all), ``count``."""
    x: Row = {
        "field": "bin",
        "type": "ordinal",
        "title": None,
        "sort": list(range(11)),
        "scale": {"paddingInner": 0.12},
    }
    label = "datum.value == 0 ? 'none' : datum.value == 10 ? 'all' : datum.value == 5 ? 'half' : ''"
    x["axis"] = {"labelExpr": label, "labelAngle": 0, "ticks": False, "labelOverlap": False}
    y: Row = {"field": "count", "type": "quantitative", "title": None, "axis": {"tickCount": 4, "format": "d"}}
    color = {"condition": {"test": "datum.bin == 0", "value": TREATED}, "value": FAINT}
    encoding = {"x": x, "y": y, "color": color}
    return {"width": 190, "height": 100, "data": {"values": rows}, "mark": "bar", "encoding": encoding}


def clip_estimate(estimate: Value, low: float, high: float) -> Row:
    """A value and the ends of its interval, each held inside an axis."""
    return {key: min(max(value, low), high) for key, value in estimate.items()}
