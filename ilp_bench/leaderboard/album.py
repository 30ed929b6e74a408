"""Draws charts: Vega-Lite specifications to SVG, by vl-convert when the site is made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.leaderboard.charts import CONFIG

VEGA_LITE, NAMESPACE = "5.20", 'xmlns="http://www.w3.org/2000/svg"'
UNUSED_ATTRIBUTES = "aria-[a-z]+|role|class|pointer-events|stroke-miterlimit|xmlns:xlink|version|font-family"


class Picture(NamedTuple):
    """A chart for inlining, hidden from screen readers, which get the words and the table beside it; and its file."""

    svg: str
    file: str


class Album:
    """Draws charts into the site's ``pictures``; one that the site before had is taken from there."""

    def __init__(self, site: Path, take_over: Callable[[str, Path, str], bool]) -> None:
        self.site, self.take_over = site, take_over
        (site / "pictures").mkdir()

    def draw(self, spec: dict[str, Any]) -> Picture:
        """The picture of a Vega-Lite specification."""
        import vl_convert

        full = {"config": CONFIG, **spec}
        text = json.dumps([full, version("vl-convert-python"), VEGA_LITE], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = f"pictures/{key}.svg"
        if not self.take_over(name, self.site, key):
            svg = str(vl_convert.vegalite_to_svg(full, vl_version=VEGA_LITE))
            svg = re.sub(rf' ({UNUSED_ATTRIBUTES})="[^"]*"', "", svg)
            svg = re.sub(r"(-?\d+\.\d{2})\d+", r"\1", svg)
            svg = svg.replace(NAMESPACE, f'{NAMESPACE} font-family="Inter, Liberation Sans, sans-serif"', 1)
            (self.site / name).write_text(svg + "\n", encoding="utf-8")
        inline = (self.site / name).read_text(encoding="utf-8").strip()
        return Picture(inline.replace(NAMESPACE, 'class="chart" aria-hidden="true" focusable="false"', 1), name)
