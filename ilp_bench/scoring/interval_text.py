"""Intervals as plain text: ``0.43 [0.31, 0.55]``, on the command line, in documents and on the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy is not needed to write a number
    from ilp_bench.scoring.bootstrap import Interval

NumberFormat = Callable[[float], str]


def two_decimals(value: float) -> str:
    """``0.43``; the precision of everything that is printed; never a minus zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def ends_text(low: float, high: float, number: NumberFormat = two_decimals) -> str:
    """The ends of an interval, such as ``[0.31, 0.55]``."""
    return f"[{number(low)}, {number(high)}]"


def value_text(value: float, low: float, high: float, number: NumberFormat = two_decimals) -> str:
    """A value with the ends of its interval, such as ``0.43 [0.31, 0.55]``."""
    return f"{number(value)} {ends_text(low, high, number)}"


def interval_text(interval: Interval | None, missing: str = "not expressed") -> str:
    """A value with its interval, or ``missing`` where there is none."""
    return missing if interval is None else value_text(interval.value, interval.low, interval.high)


def points_text(value: float) -> str:
    """A probability, or a difference of two, in points; never a minus zero."""
    return f"{round(100 * value, 1) + 0.0:.1f}"


def interval_points(interval: Interval | None) -> str:
    """A value with its interval in points, or a dash."""
    return "-" if interval is None else value_text(interval.value, interval.low, interval.high, points_text)
