"""The two consoles that the command line prints to, and how it prints a rate."""

from __future__ import annotations

from rich.console import Console

from ilp_bench.scoring.interval_text import two_decimals

console = Console()
errors = Console(stderr=True)


def counted(count: int, noun: str) -> str:
    """``1 submission``, ``2 submissions``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def rate_text(rate: float | None) -> str:
    """A rate in [0, 1] with two decimals, or a dash for undefined."""
    return "-" if rate is None else two_decimals(rate)
