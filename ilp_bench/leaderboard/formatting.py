"""Numbers, intervals and places on an axis as a reader sees them. compare.js writes numbers alike, which a test checks.

Probabilities and their differences are shown in points, times 100; H is a share and shown as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.scoring.interval_text import ends_text

MINUS = "\N{MINUS SIGN}"
ROUND_UP = 1e-9  # added, so that a half is rounded up whatever its binary digits are; no other number is moved by it
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Axis(NamedTuple):
    """A horizontal axis from ``low`` to ``high``; what lies beyond is drawn at its ends, with an arrow."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        """Where a value stands, in percent of the width, with one decimal."""
        inside = min(max(value, self.low), self.high)
        return round(100 * (inside - self.low) / (self.high - self.low), 1) + 0.0


SHARE_AXIS = Axis(-0.25, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))  # of H
POINTS_AXIS = Axis(-0.2, 0.6, (0.0, 0.2, 0.4))  # of G
UNIT_AXIS = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))  # of p


def format_number(value: float | None, digits: int = 2, missing: str = "not measured") -> str:
    """A number with a real minus sign and never a negative zero; ``missing`` for None and NaN."""
    if value is None or math.isnan(value):
        return missing
    text = f"{abs(value) + ROUND_UP:.{digits}f}"
    return MINUS + text if value < 0 and float(text) else text


def points(value: float | None, missing: str = "not measured") -> str:
    """A probability, or a difference of two, in points with one decimal."""
    return format_number(None if value is None else 100 * value, 1, missing)


def share_ends(estimate: Estimate) -> str:
    """The ends of H's interval, such as ``[0.31, 0.55]``."""
    return ends_text(estimate.low, estimate.high, format_number)


def points_ends(estimate: Estimate) -> str:
    """The ends of an interval in points, such as ``[3.1, 5.5]``."""
    return ends_text(estimate.low, estimate.high, points)


def shade_class(value: float | None) -> str:
    """Class of a cell tinted by points: ``n1`` … ``n3`` below 0, ``p0`` … ``p9`` above, ``none`` for no value.

    The darkest stands for 45 points and more.
    """
    if value is None:
        return "none"
    if value < -0.05:
        return f"n{min(3, 1 + int((-value - 0.05) * 10))}"
    return f"p{min(9, max(0, int(value * 20 + 0.5)))}"


def short_count(number: int | float | None, missing: str = "not recorded") -> str:
    """A large count in short, such as ``1.07 M`` or ``27.1 k``."""
    if number is None:
        return missing
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:.0f}"


def percent(share: float) -> str:
    """A share as a percentage, such as ``93 %``."""
    return f"{100 * share:.0f} %"


def plural(count: int, singular: str, plural: str | None = None) -> str:
    """``3 entries``, ``1 entry``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; ``none`` for no word."""
    if not words:
        return "none"
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def number_word(count: int) -> str:
    """``five`` for 5; figures above ten."""
    return NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else str(count)


def marked_parts(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """The parts of a text in order, each with whether it is one of the words."""
    parts = re.split(f"({'|'.join(map(re.escape, words))})", text) if words else [text]
    return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]


def linked_parts(text: str, pages: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """The parts of a text in order, each with the page of the entry whose run id it is, if it is one."""
    parts = re.split(r"(\b[0-9a-f]{16}\b)", text)
    return [(part, pages.get(part)) for part in parts if part]


def name_causes(text: str) -> str:
    """A text with the short titles of causes where it has their names: ``rare_patterns`` is "rare patterns"."""
    for cause in CAUSES:
        text = text.replace(cause.name, cause.short_title.lower())
    return text


def escape_formula(value: Any) -> Any:
    """A cell of a spreadsheet: a text that would be read as a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value
