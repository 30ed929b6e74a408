"""Where the templates, styles and scripts of pages are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def leaderboard_path() -> Path:
    """Templates and styles: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_leaderboard"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "leaderboard"
