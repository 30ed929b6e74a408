"""Numbers as a reader sees them, and places on an axis. The script of the page rounds the same way."""

from __future__ import annotations

import math
from typing import Any

from ilp_bench.leaderboard.entry import Value
from ilp_bench.scoring.interval_text import ends_text, value_text

LOW, HIGH = -0.5, 1.25  # range of the recovery axis; what lies beyond is drawn at its ends
MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 2, why: str = "not measured") -> str:
    """A number with a real minus sign and never a negative zero, or the words for its absence."""
    if value is None or value != value:
        return why
    text = f"{abs(round(value, 5)) + 1e-9:.{digits}f}"
    return MINUS + text if value < 0 and float(text) else text


def span(found: Value, digits: int = 2) -> str:
    """The interval as text, with real minus signs."""
    return ends_text(found["low"], found["high"], lambda end: number(end, digits))


def cell(found: Value | None, why: str = "not expressed") -> str:
    """A value with its interval, or the word for its absence."""
    return why if found is None else value_text(found["value"], found["low"], found["high"], number)


def place(value: float) -> float:
    """Where a recovery stands on the axis, in percent of its width."""
    return math.floor(1000 * (min(max(round(value, 5), LOW), HIGH) - LOW) / (HIGH - LOW) + 0.5) / 10


def shade(value: float | None) -> str:
    """Class of a tinted cell: ``n3`` … ``n1`` below zero, ``p0`` … ``p9`` above, ``none`` for no value."""
    if value is None:
        return "none"
    value = round(value, 5)
    if value < -0.05:
        return f"n{min(3, 1 + int((-value - 0.05) * 5))}"
    return f"p{min(9, max(0, int(value * 10 + 0.5)))}"


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{100 * value:.0f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``3 entries``, ``1 entry``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number_word(count: int) -> str:
    """``five`` for 5; figures above ten."""
    return NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else str(count)


def clean(value: Any) -> Any:
    """A text for a spreadsheet: what would be read as a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value
