"""Numbers, intervals and colours as a reader sees them. The scripts of the pages do the same, and a test compares both.

An estimate is a value with the ends of its interval.
"""

from __future__ import annotations

import math
from typing import Any

from ilp_bench.leaderboard.entry import Value
from ilp_bench.scoring.interval_text import ends_text, value_text

AXIS_LOW, AXIS_HIGH = -0.5, 1.25  # the recovery axis; what lies beyond is drawn at its ends
MINUS = "\N{MINUS SIGN}"
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def format_number(value: float | None, digits: int = 2, missing: str = "not measured") -> str:
    """A number with a real minus sign and never a negative zero; ``missing`` for None and NaN."""
    if value is None or math.isnan(value):
        return missing
    text = f"{abs(round(value, 5)) + 1e-9:.{digits}f}"
    return MINUS + text if value < 0 and float(text) else text


def format_ends(estimate: Value, digits: int = 2) -> str:
    """The ends of an interval, such as ``[0.31, 0.55]``, with real minus signs."""
    return ends_text(estimate["low"], estimate["high"], lambda end: format_number(end, digits))


def format_estimate(estimate: Value | None, missing: str = "not expressed") -> str:
    """A value with its interval, or ``missing`` for None."""
    return (
        missing if estimate is None else value_text(estimate["value"], estimate["low"], estimate["high"], format_number)
    )


def axis_percent(value: float) -> float:
    """Where a recovery stands on the axis, in percent of its width, with one decimal."""
    inside = min(max(round(value, 5), AXIS_LOW), AXIS_HIGH)
    return math.floor(1000 * (inside - AXIS_LOW) / (AXIS_HIGH - AXIS_LOW) + 0.5) / 10


def shade_class(value: float | None) -> str:
    """Class of a tinted cell: ``n3`` … ``n1`` below zero, ``p0`` … ``p9`` above, ``none`` for no value."""
    if value is None:
        return "none"
    value = round(value, 5)
    if value < -0.05:
        return f"n{min(3, 1 + int((-value - 0.05) * 5))}"
    return f"p{min(9, max(0, int(value * 10 + 0.5)))}"


def percent(share: float) -> str:
    """A share as a percentage, such as ``93 %``."""
    return f"{100 * share:.0f} %"


def plural(count: int, singular: str, plural: str | None = None) -> str:
    """``3 entries``, ``1 entry``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def number_word(count: int) -> str:
    """``five`` for 5; figures above ten."""
    return NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else str(count)


def escape_formula(value: Any) -> Any:
    """A cell of a spreadsheet: a text that would be read as a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value
